"""`make packages`: from a clean checkout to dist/: a deb, an rpm, their checksums and the list of their parts.

build.py                       both packages, of this tree's version
build.py --version 0.1.0~was   the same content under another version, for tests of upgrades
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import interpreters
import papers
import stage
import wheels
from steps_shared import ARCHITECTURES, BUILD, DIST, ROOT, STAGE, epoch, machine, say, stop, version

DESCRIPTION: Final = ROOT / "packaging/nfpm.yaml"
PACKERS: Final = ("deb", "rpm")
_STAR: Final = re.compile(r"  - \{src: (?P<source>\S*\*\S*), dst: (?P<folder>\S+)/, (?P<rest>.*)")


def main() -> None:
    """Build what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--version", help="under which version; default: the tree's")
    parser.add_argument("--into", type=Path, default=DIST, help="where the packages go; default: dist")
    parser.add_argument("--packed-only", action="store_true", help="pack what is staged already")
    chosen = parser.parse_args()
    released, instant = chosen.version or version(), epoch()
    if not chosen.packed_only:
        make_stage(instant)
    made = pack(released, instant, chosen.into)
    checksums(chosen.into, [*made, BUILD / "shipper.cdx.json"])


def make_stage(instant: int) -> None:
    """Stage everything that does not depend on the version of the package."""
    stage.start_afresh()
    pythons = interpreters.find(BUILD / "interpreters")
    taken = wheels.unpack(wheels.fetch())
    stage.application()
    stage.documents()
    stage.strip()
    stage.byte_code(pythons)
    _generated(pythons, taken, instant)
    stage.settle(instant)
    for part, size in stage.sizes().items():
        say(f"{part}: {size / 1e6:.1f} MB")


def _generated(pythons: Mapping[str, Sequence[str]], taken: Sequence[Path], instant: int) -> None:
    """Stage man pages, completions, list of parts and licences; keep what the scripts must know."""
    python, interpreter = next(iter(pythons.items()))
    printed = stage.run_staged(python, interpreter, str(ROOT / "packaging/steps/manuals.py"), str(instant))
    for name, text in json.loads(printed).items():
        if name.startswith("completions/"):
            stage.write(STAGE / _COMPLETION_PLACES[name.split("/")[1]] / name.split("/")[2], text)
        else:
            path = STAGE / f"usr/share/man/man{name[-1]}/{name}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text.encode(), mtime=0))
    asked = "from shipper.adapters.offsets_schema import MIGRATIONS; print(len(MIGRATIONS))"
    stage.write(BUILD / "schema", stage.run_staged(python, interpreter, "-c", asked))
    parts = papers.parts_of(taken)
    listed = papers.cyclonedx(parts, instant)
    stage.write(BUILD / "shipper.cdx.json", listed)
    stage.write(STAGE / "usr/share/doc/shipper/shipper.cdx.json", listed)
    stage.write(BUILD / "copyright", papers.copyright_file(parts))


_COMPLETION_PLACES: Final = {
    "bash": "usr/share/bash-completion/completions",
    "zsh": "usr/share/zsh/vendor-completions",
    "fish": "usr/share/fish/vendor_completions.d",
}


def pack(released: str, instant: int, into: Path) -> list[Path]:
    """Pack the stage and return the packages.

    Raises:
        SystemExit: nfpm refuses the description.
    """
    into.mkdir(parents=True, exist_ok=True)
    (BUILD / "changelog.yaml").write_text(papers.changelog_yaml(released, instant), encoding="utf-8")
    _stamp_scripts()
    description = BUILD / "nfpm.yaml"
    description.write_text(written_out(DESCRIPTION.read_text(encoding="utf-8")), encoding="utf-8")
    number, _, before = released.partition("~")
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(instant),
        "ARCH": ARCHITECTURES[machine()],
        "VERSION": number,
        "PRERELEASE": before,
        "MAINTAINER": papers.MAINTAINER,
    }
    nfpm = Path(sys.executable).with_name("nfpm")
    made = list[Path]()
    for packer in PACKERS:
        place = BUILD / "packed" / packer
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        done = subprocess.run(
            [str(nfpm), "package", "--config", str(description), "--packager", packer, "--target", f"{place}/"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise stop(f"nfpm: {done.stdout}{done.stderr}")
        packed = next(place.iterdir())
        made.append(into / packed.name)
        packed.replace(made[-1])
        say(f"{made[-1].name}: {made[-1].stat().st_size / 1e6:.1f} MB")
    return made


def written_out(description: str) -> str:
    """Return *description* with a line for each file in place of one with a star.

    Raises:
        SystemExit: nothing matches a star.
    """
    lines = list[str]()
    for line in description.splitlines(keepends=True):
        star = _STAR.match(line)
        if star is None:
            lines.append(line)
            continue
        found = sorted(ROOT.glob(star["source"]))
        if not found:
            raise stop(f"{DESCRIPTION.name}: nothing is staged as {star['source']}")
        for path in found:
            name = path.relative_to(ROOT)
            lines.append(f"  - {{src: {name}, dst: {star['folder']}/{path.name}, {star['rest']}\n")
    return "".join(lines)


def _stamp_scripts() -> None:
    """Write the scripts with the schema of the offset store that this version knows: an older one refuses in time."""
    known = (BUILD / "schema").read_text(encoding="utf-8").strip()
    users = (ROOT / "packaging/files/systemd/sysusers.conf").read_text(encoding="utf-8")
    for path in sorted((ROOT / "packaging/scripts").iterdir()):
        text = path.read_text(encoding="utf-8").replace("@SCHEMA@", known).replace("@SYSUSERS@", users.strip())
        stage.write(BUILD / "scripts" / path.name, text)


def checksums(into: Path, files: Sequence[Path]) -> None:
    """Write SHA256SUMS over *files*, those from elsewhere copied to *into* first."""
    lines = list[str]()
    for path in files:
        place = into / path.name
        if path != place:
            shutil.copyfile(path, place)
        lines.append(f"{sha256(place.read_bytes()).hexdigest()}  {place.name}\n")
    (into / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    say(f"in {into}: {', '.join(path.name for path in files)}, SHA256SUMS")


if __name__ == "__main__":
    main()
