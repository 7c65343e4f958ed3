"""The tree that a package is made of, below build/stage: what is installed, as it is installed.

Owns modes and times of every file: they come from here and from the commit,
never from whoever builds.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from steps_shared import LIBRARY, PYTHONS, ROOT, STAGE, say, stop, tracked

FILES: Final = ROOT / "packaging/files"
EXECUTABLE: Final = ("compile-bytecode", "port-is-free")
_COMPILE: Final = "import compileall, sys; sys.exit(not compileall.main())"


def start_afresh() -> None:
    """Make the stage empty."""
    shutil.rmtree(STAGE, ignore_errors=True)
    LIBRARY.mkdir(parents=True)


def application() -> None:
    """Stage shipper itself: the files that belong to the project, no others."""
    for path in tracked("shipper"):
        _copy(ROOT / path, LIBRARY / "common" / path)
    for name in ("start.py", "python.sh", *EXECUTABLE):
        _copy(FILES / name, LIBRARY / name)
    _copy(FILES / "shipper", STAGE / "usr/bin/shipper")


def documents() -> None:
    """Stage what people read: the examples, the licence, the changelog."""
    place = STAGE / "usr/share/doc/shipper"
    _copy(ROOT / "README.md", place / "README.md")
    changes = place / "changelog.gz"
    changes.write_bytes(gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0))
    for path in sorted((FILES / "examples").rglob("*")):
        if path.is_file():
            _copy(path, place / "examples" / path.relative_to(FILES / "examples"))
    for path in tracked("packaging/monitoring"):
        _copy(ROOT / path, place / "examples/monitoring" / Path(path).name)


def strip() -> None:
    """Take the debugging symbols from compiled modules; they are two thirds of their bytes.

    Raises:
        SystemExit: there is no `strip`.
    """
    modules = sorted(LIBRARY.rglob("*.so"))
    if shutil.which("strip") is None:
        raise stop("no 'strip' here; on Debian: apt-get install binutils")
    for module in modules:
        subprocess.run(["strip", "--strip-unneeded", str(module)], check=True)


def byte_code(interpreters: Mapping[str, Sequence[str]]) -> None:
    """Compile for each Python; a service under ProtectSystem=strict can't, and would do so at every start.

    Unchecked: the file's time is no evidence in a reproducible package, and reading every source to compare its
    hash costs what byte-code is there to save.
    """
    for version, command in interpreters.items():
        say(f"byte-code for Python {version}")
        folders = [LIBRARY / "common", LIBRARY / f"python{version}"]
        done = subprocess.run(
            [
                *command, "-S", "-c", _COMPILE, "-q", "-f", "--invalidation-mode", "unchecked-hash",
                "-s", str(STAGE), "-p", "/", *map(str, folders),
            ],
            env={"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")},
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise stop(f"Python {version} cannot compile what is staged, see above")


def run_staged(python: str, interpreter: Sequence[str], *arguments: str) -> str:
    """Return what *arguments* print, run by the staged tree itself."""
    path = f"{LIBRARY / 'common'}:{LIBRARY / f'python{python}'}"
    environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(
        [*interpreter, "-S", *arguments], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise stop(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def write(path: Path, text: str) -> None:
    """Stage a generated file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def settle(epoch: int) -> None:
    """Give everything its mode, and the one time that every file of the package has."""
    executable = {STAGE / "usr/bin/shipper", *(LIBRARY / name for name in EXECUTABLE)}
    for path in sorted(STAGE.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in executable else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def sizes() -> dict[str, int]:
    """Return the bytes of each part of the library folder, for the build's last words."""
    parts = ["common", *(f"python{version}" for version in PYTHONS)]
    return {part: sum(p.stat().st_size for p in (LIBRARY / part).rglob("*") if p.is_file()) for part in parts}
