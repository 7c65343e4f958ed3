"""agent.yaml, and what it includes, into a `Config`; the way in to this room.

Owns the order of the steps: read, parse, put in references, decode, resolve
paths, check. Each step goes on as far as it can, so that every problem of every
file is named at once.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping as Lookup
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from shipper.config.decode import decode
from shipper.config.endpoint_url import request_url
from shipper.config.model import Config, Document, Included
from shipper.config.paths import default_state_dir, resolve_exclude, resolve_folder, resolve_pattern
from shipper.config.place import Place
from shipper.config.presets import load_presets
from shipper.config.problems import Problems, raise_any
from shipper.config.source_model import Source
from shipper.config.substitution import substitute_tree
from shipper.config.validate import check_document
from shipper.config.validate_sources import SourceAt, check_sources
from shipper.config.yaml_tree import Node, parse
from shipper.config.zones import host_zone
from shipper.errors import ConfigError

DEFAULT_PATHS: Final = (Path("agent.yaml"), Path("/etc/shipper/agent.yaml"))
PRESETS_FOLDER: Final = "formats.d"

T = TypeVar("T", bound=msgspec.Struct)


def find(explicit: Path | None) -> Path:
    """Return the configuration to use: *explicit*, else the first default that exists.

    Raises:
        ConfigError: there is none.
    """
    if explicit is not None:
        return explicit
    for path in DEFAULT_PATHS:
        if _may_be(path):
            return path
    searched = " nor ".join(f"./{p}" if not p.is_absolute() else str(p) for p in DEFAULT_PATHS)
    mend = "make one with 'shipper init', or name it with -c FILE"
    raise ConfigError([f"no configuration: neither {searched} exists; {mend}"])


def _may_be(path: Path) -> bool:
    """Return whether there is a file at *path*; one in a folder that is shut is said where it is read."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def _is_folder(path: Path) -> bool:
    """Return whether there is a folder at *path* that this user may know of."""
    try:
        return path.is_dir()
    except PermissionError:
        return False


def load(path: Path, environ: Lookup[str, str]) -> Config:
    """Return the configuration in *path*, with defaults and references filled in.

    Raises:
        ConfigError: one line for each problem found.
    """
    folder = path.absolute().parent
    main = _File(path, environ)
    document = main.decoded(Document)
    files = [main]
    sources = main.sources_of(document.sources if document else (), environ)
    for number, pattern in enumerate(document.include if document else ()):
        for included in _included(pattern, folder, main, number, environ):
            files.append(included)
            more = included.decoded(Included)
            sources += included.sources_of(more.sources if more else (), environ)
    presets_dir = folder / PRESETS_FOLDER
    presets = load_presets([presets_dir] if _is_folder(presets_dir) else [])
    if document is not None and main.root is not None:
        check_document(document, main.place)
        check_sources(sources, document, presets)
    if not sources and main.root is not None and not any(file.problems.lines() for file in files):
        main.place.at("sources").wrong(
            "no source is given, so nothing would be shipped; name some files: "
            "[{name: app, paths: [/var/log/app/*.log]}]"
        )
    raise_any(*(file.problems for file in files))
    return _config(path.absolute(), document or Document(), sources, environ, presets_dir)


class _File:
    """One file, parsed as far as it goes."""

    def __init__(self, path: Path, environ: Lookup[str, str]) -> None:
        self.path = path
        self.folder = path.absolute().parent
        self.problems = Problems(str(path))
        self.root: Node | None = None
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            self.problems.add((), "it is not UTF-8 text; save it as UTF-8", line=1)
            return
        except OSError as error:
            mend = "; run this as root, or as a user who may read it" if isinstance(error, PermissionError) else ""
            self.problems.add((), f"it cannot be read: {os.strerror(error.errno or 0)}{mend}", line=1)
            return
        root = parse(text, self.problems)
        if root is None:
            if not self.problems.lines():
                self.problems.add((), "it is empty; the least it needs is sources", line=1)
            return
        self.root = substitute_tree(root, environ, self.folder, self.problems)

    @property
    def place(self) -> Place:
        if self.root is None:
            raise ValueError("a file that was not parsed has no places")
        return Place(self.problems, self.root)

    def decoded(self, as_type: type[T]) -> T | None:
        return decode(self.root, as_type, self.problems) if self.root is not None else None

    def sources_of(self, sources: tuple[Source, ...], environ: Lookup[str, str]) -> list[SourceAt]:
        return [
            SourceAt(self._resolved(source, environ), self.place.at("sources", number))
            for number, source in enumerate(sources)
        ]

    def _resolved(self, source: Source, environ: Lookup[str, str]) -> Source:
        return msgspec.structs.replace(
            source,
            paths=tuple(resolve_pattern(text, self.folder, environ) for text in source.paths),
            exclude=tuple(resolve_exclude(text, self.folder, environ) for text in source.exclude),
            rotated_to=tuple(resolve_pattern(text, self.folder, environ) for text in source.rotated_to),
        )


def _included(pattern: str, folder: Path, main: _File, number: int, environ: Lookup[str, str]) -> list[_File]:
    place = main.place.at("include", number)
    text = resolve_pattern(pattern, folder, environ)
    if "\0" in text:
        place.wrong("a path holds no NUL")
        return []
    matches = map(Path, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 -- Path.glob refuses what is only odd
    found = [path for path in matches if not path.is_dir() and not (path.exists() and path.samefile(main.path))]
    if not found and not glob.has_magic(pattern):
        if Path(text).is_dir():
            place.wrong("it is a folder; write FOLDER/*.yaml for the files in it")
        elif not Path(text).exists():
            place.wrong(f"{pattern} does not exist in {folder}")
    return [_File(path, environ) for path in found]


def _config(
    path: Path, document: Document, sources: list[SourceAt], environ: Lookup[str, str], presets_dir: Path
) -> Config:
    state_dir = (
        default_state_dir(environ, os.geteuid())
        if document.state_dir is None
        else resolve_folder(document.state_dir, path.parent, environ)
    )
    endpoint = msgspec.structs.replace(document.endpoint, url=request_url(document.endpoint.url))
    return Config(
        path=path,
        state_dir=state_dir,
        endpoint=endpoint,
        limits=document.limits,
        dead_letters=document.dead_letters,
        monitoring=document.monitoring,
        attributes=document.attributes,
        sources=tuple(one.source for one in sources),
        zone=host_zone(environ),
        preset_dirs=(presets_dir,) if _is_folder(presets_dir) else (),
    )
