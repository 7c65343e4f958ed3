"""What the tests of translations share."""

from __future__ import annotations

from pathlib import Path

from shipper.config import load
from shipper.config.source_model import Source
from shipper.config.translate import Note, Translation, translate


def translated(folder: Path, name: str, text: str) -> Translation:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return translate(path)


def loaded(folder: Path, name: str, text: str, **environ: str) -> dict[str, Source]:
    """Return the sources of the translation, loaded, by name."""
    agent = folder / "agent.yaml"
    agent.write_text(translated(folder, name, text).yaml, encoding="utf-8")
    return {source.name: source for source in load(agent, environ).sources}


def loaded_one(folder: Path, name: str, text: str, **environ: str) -> Source:
    """Return the only source."""
    (source,) = loaded(folder, name, text, **environ).values()
    return source


def note_of(translation: Translation, was: str) -> Note:
    """Return the only note of the value *was*."""
    (note,) = [note for note in translation.notes if note.was == was]
    return note
