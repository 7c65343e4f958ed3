"""The locked wheels, fetched by pip with their hashes, into one folder for all Pythons and one for each.

Pure wheels go to `common`, compiled ones to `python3.X`. Wheels are unpacked
as they are: nothing runs, nothing is written by an installer.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from packaging.markers import Marker
from packaging.utils import parse_wheel_filename
from steps_shared import BUILD, LIBRARY, PYTHONS, ROOT, machine, say, stop

LOCK: Final = ROOT / "packaging/requirements.lock"
PLATFORMS: Final = ("manylinux_2_28", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
"""Newest first: glibc 2.28 is older than that of any host the packages are for."""

LEFT_OUT: Final = frozenset({"pygments", "markdown-it-py", "mdurl"})
"""What rich loads only to colour source text and Markdown, which nothing of ours asks it for: a third of the bytes."""

_DROPPED: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_ENTRY: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")


class Locked(NamedTuple):
    """One entry of the lock."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def locked(text: str) -> list[Locked]:
    """Return the entries of a lock; each has at least one hash.

    Raises:
        ValueError: A line is neither an entry, a hash nor a comment, or an entry has no hash.
    """
    entries = list[Locked]()
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("--hash="):
            last = entries[-1]
            entries[-1] = last._replace(hashes=(*last.hashes, stripped.rstrip("\\ ")))
            continue
        found = _ENTRY.match(stripped)
        if found is None:
            raise ValueError(f"{LOCK.name}: neither an entry nor a hash: {stripped}")
        entries.append(Locked(found["name"], found["version"], found["marker"] or "", ()))
    bare = [entry.name for entry in entries if not entry.hashes]
    if bare:
        raise ValueError(f"{LOCK.name}: no hash for {', '.join(bare)}")
    return entries


def wanted_on(python: str, entries: list[Locked]) -> list[Locked]:
    """Return what a package carries for *python* (3.11, ...): markers are read for it, not for whoever builds."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    return [
        entry
        for entry in entries
        if entry.name not in LEFT_OUT and (not entry.marker or Marker(entry.marker).evaluate(dict(environment)))
    ]


def fetch() -> dict[str, list[Path]]:
    """Return the wheels for each Python; those of an unchanged lock are not fetched again."""
    text = LOCK.read_text(encoding="utf-8")
    entries = locked(text)
    known = hashlib.sha256(f"{text}{sorted(LEFT_OUT)}".encode()).hexdigest()[:16]
    folder = BUILD / "wheels" / f"{machine()}-{known}"
    for python in PYTHONS:
        place = folder / python
        if place.is_dir():
            continue
        say(f"wheels for Python {python}")
        fresh = folder / f"{python}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _download(python, wanted_on(python, entries), fresh)
        fresh.rename(place)
    return {python: sorted((folder / python).glob("*.whl")) for python in PYTHONS}


def _download(python: str, entries: list[Locked], into: Path) -> None:
    requirements = into / "requirements.txt"
    lines = [f"{entry.name}=={entry.version} {' '.join(entry.hashes)}\n" for entry in entries]
    requirements.write_text("".join(lines), encoding="utf-8")
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_{machine()}")]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
            *platforms, "--dest", str(into), "--requirement", str(requirements),
        ],
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise stop(f"the wheels for Python {python} cannot be fetched, see above")


def is_pure(wheel: Path) -> bool:
    """Whether any Python 3 takes the wheel: its tags say so, whatever platform it names."""
    return any(tag.interpreter == "py3" and tag.abi == "none" for tag in parse_wheel_filename(wheel.name)[3])


def unpack(fetched: dict[str, list[Path]]) -> list[Path]:
    """Unpack *fetched* below the library folder; return each wheel once."""
    common = dict[str, Path]()
    for python, wheels in fetched.items():
        for wheel in wheels:
            if is_pure(wheel):
                common[wheel.name] = wheel
            else:
                _unpack(wheel, LIBRARY / f"python{python}")
    for wheel in common.values():
        _unpack(wheel, LIBRARY / "common")
    compiled = {wheel.name: wheel for wheels in fetched.values() for wheel in wheels if wheel.name not in common}
    return [*common.values(), *compiled.values()]


def _unpack(wheel: Path, into: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in _kept(archive, wheel):
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.read(name)
            if name.endswith(".py") and content.startswith(b"#!"):
                content = content[content.index(b"\n") :]  # a module is not started; its lines keep their numbers
            path.write_bytes(content)


def _kept(archive: zipfile.ZipFile, wheel: Path) -> Iterator[str]:
    for name in archive.namelist():
        first, _, rest = name.partition("/")
        if name.endswith("/") or ".." in Path(name).parts or name.startswith("/"):
            continue
        if first.endswith(".data"):
            # Man pages and start scripts of libraries: nobody calls them from here. Anything else is a surprise.
            if not rest.startswith(("scripts/", "data/")):
                raise stop(f"{wheel.name}: {name}: a folder that is not known")
            continue
        if first.endswith(".dist-info") and rest in _DROPPED:
            continue
        # Sources of extensions: of no use where nothing is compiled, and half of some wheels.
        if name.endswith((".c", ".cc", ".h", ".pyx", ".pxd", ".pxi", ".hash")):
            continue
        yield name
