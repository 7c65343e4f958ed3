"""What is known where no agent runs: saved offsets, and how long the files are now. Nothing is locked or written."""

from __future__ import annotations

from pathlib import Path

from shipper.adapters.dead_letters import DIRECTORY
from shipper.adapters.offsets_life import Life, LifeState
from shipper.adapters.offsets_look import holder_of, lives_of
from shipper.cli.state_access import Place
from shipper.config.model import DeadLetters, Endpoint
from shipper.core.timestamps import utc_text
from shipper.pipeline.health import Colour, HealthView, Reason
from shipper.pipeline.status import Backlog, DeadLetterStatus, EndpointStatus, FileStatus, SourceStatus, Status
from shipper.pipeline.totals import Totals


def stopped_status(place: Place, silence: str, now_ms: int) -> Status:
    """Return what the state in *place* says; *silence* is why the agent was not heard.

    Raises:
        StateError: It cannot be read; nothing was touched.
    """
    lives = lives_of(place.state_dir)
    files = [_file(life) for life in lives if life.state is not LifeState.DONE]
    names = [source.name for source in place.config.sources] if place.config is not None else []
    names += sorted({file.source for file in files}.difference(names))
    sources = [_source(name, files) for name in names]
    saved_ms = max((life.changed_ms for life in lives), default=0)
    holder = holder_of(place.state_dir)
    return Status(
        at_ms=now_ms,
        agent="stopped",
        state_dir=str(place.state_dir),
        config=str(place.config.path) if place.config is not None else "",
        health=HealthView(Colour.RED, (Reason("not_running", _why(holder, silence, saved_ms), saved_ms or now_ms),)),
        endpoint=EndpointStatus(url=(place.config.endpoint if place.config is not None else Endpoint()).url),
        backlog=Backlog(
            unread_bytes=sum(file.unread_bytes for file in files), lag_bytes=sum(file.lag_bytes for file in files)
        ),
        totals=Totals(files=len(files)),
        dead_letters=_dead_letters(place),
        sources=sources,
        files=files,
    )  # fmt: skip


def _dead_letters(place: Place) -> DeadLetterStatus:
    """Return the room that they take; to count them would be to read them all."""
    taken = sum(path.stat().st_size for path in (place.state_dir / DIRECTORY).glob("*.ndjson"))
    limits = place.config.dead_letters if place.config is not None else DeadLetters()
    return DeadLetterStatus(0, taken, limits.max_bytes)


def _why(holder: int | None, silence: str, saved_ms: int) -> str:
    if holder is not None:
        who = f"process {holder}" if holder else "a process"
        return f"{who} holds the state and does not answer: {silence}"
    if not saved_ms:
        return "no agent has run with this state_dir"
    return f"no agent runs; offsets were saved last at {utc_text(saved_ms)}"


def _file(life: Life) -> FileStatus:
    size = max(_size_now(life), life.offset)
    behind = size - life.offset if life.state is not LifeState.ORPHAN else 0
    return FileStatus(
        id=f"{life.file_id}.{life.generation}", source=life.source, path=life.path, state=life.state.value,
        generation=life.generation, offset=life.offset, size=size, unread_bytes=behind, lag_bytes=behind,
        lag_seconds=0.0 if not behind else None, newest_ms=None,
    )  # fmt: skip


def _size_now(life: Life) -> int:
    """Return how long the file is, if what stands under its name is still that file."""
    try:
        found = Path(life.path).stat()
    except (OSError, ValueError):
        return life.size
    same = (found.st_dev, found.st_ino) == (life.device, life.inode)
    return found.st_size if same and life.state is LifeState.FOLLOWING else life.size


def _source(name: str, files: list[FileStatus]) -> SourceStatus:
    own = [file for file in files if file.source == name]
    source = SourceStatus(
        name=name, unread_bytes=sum(file.unread_bytes for file in own), lag_bytes=sum(file.lag_bytes for file in own)
    )
    for file in own:
        source.files[file.state] = source.files.get(file.state, 0) + 1
    return source
