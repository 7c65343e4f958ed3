"""The Python interpreters that compile the byte-code: one of each version, wherever this host has one.

A version that is neither on PATH, nor among pyenv's, nor in a suite of Debian
that can be reached is left out: the package's own script compiles for it when
it is installed on a host with that Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steps_shared import PYTHONS, say

DEBIAN_SUITES: Final = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
"""The suites whose interpreter runs here under its own C library, unpacked and never installed."""

_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SOURCES: Final = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
_PARTS: Final = ("python{v}-minimal", "libpython{v}-minimal", "libpython{v}-stdlib", "libc6", "libexpat1", "zlib1g")


def find(cache: Path) -> dict[str, list[str]]:
    """Return the command line of an interpreter for each version that can be had."""
    found = dict[str, list[str]]()
    for version in PYTHONS:
        command = next((one for one in _installed(version) if _is(one, version)), None)
        command = command or _from_debian(version, cache)
        if command is None:
            say(f"no python{version} here: its byte-code is compiled where the package is installed")
        else:
            found[version] = command
    return found


def _installed(version: str) -> Iterator[list[str]]:
    for folder in os.environ.get("PATH", "").split(":"):
        name = shutil.which(f"python{version}", path=folder)
        if name is not None:
            yield [name]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True):
        yield [str(path)]


def _is(command: Sequence[str], version: str) -> bool:
    """Whether *command* runs, and is what its name says: a pyenv shim may be neither."""
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.version_info.releaselevel)"
    try:
        done = subprocess.run([*command, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.split() == [version, "final"]


def _from_debian(version: str, cache: Path) -> list[str] | None:
    """Return an interpreter unpacked from Debian's own packages, run by the C library that comes with it."""
    suite, mirror = DEBIAN_SUITES.get(version), _mirror()
    if suite is None or mirror is None or not shutil.which("apt-get") or not _KEYRING.exists():
        return None
    home = cache / f"python{version}"
    tree = home / "tree"
    if not tree.is_dir():
        shutil.rmtree(home, ignore_errors=True)
        try:
            _download([part.format(v=version) for part in _PARTS], suite, mirror, home)
        except subprocess.CalledProcessError as error:
            say(f"python{version} cannot be had from Debian {suite}: {error}")
            return None
        unpacked = home / "unpacking"
        for package in sorted(home.glob("debs/*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
        unpacked.rename(tree)
    libraries = next(tree.glob("usr/lib/*-linux-gnu*"))
    # Before Debian 13 the C library still stands in /lib, beside /usr/lib.
    loaders = [*tree.glob("usr/lib/*-linux-gnu*/ld-linux-*"), *tree.glob("lib/*-linux-gnu*/ld-linux-*")]
    path = ":".join(str(folder) for folder in (libraries, tree / "lib" / libraries.name) if folder.is_dir())
    command = [str(loaders[0]), "--library-path", path, str(tree / f"usr/bin/python{version}")]
    return command if _is(command, version) else None


def _mirror() -> str | None:
    """Return the mirror that this host takes its own packages from."""
    for path in _SOURCES:
        if not path.exists():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]) and len(words) > 1:
                return next((word for word in words[1:] if "://" in word), None)
    return None


def _download(packages: Sequence[str], suite: str, mirror: str, home: Path) -> None:
    """Download with a configuration of its own: what this host has installed plays no part."""
    debs = home / "debs"
    for folder in ("debs", "lists/partial", "cache/archives/partial", "etc"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "etc/sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n", encoding="utf-8")
    (home / "status").touch()
    options = {
        "Dir::Etc::sourcelist": home / "etc/sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": home / "lists",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "APT::Sandbox::User": "root",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", "-qq", *flags, "update"], check=True)
    subprocess.run(["apt-get", "-qq", *flags, "download", *packages], cwd=debs, check=True)
