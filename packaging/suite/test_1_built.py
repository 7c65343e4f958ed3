"""What `make packages` left in dist/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from machine import ROOT

TOOLS = ROOT / "build/tools/bin/python"


def test_checksums_are_those_of_the_files(deb: Path, rpm: Path) -> None:
    lines = (ROOT / "dist/SHA256SUMS").read_text(encoding="utf-8").split()
    named = dict(zip(lines[1::2], lines[::2], strict=True))

    assert set(named) == {deb.name, rpm.name, "shipper.cdx.json"}
    assert all(sha256((ROOT / "dist" / name).read_bytes()).hexdigest() == digest for name, digest in named.items())


def test_another_checkout_in_another_folder_gives_the_same_bytes(deb: Path, rpm: Path, tmp_path: Path) -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (tmp_path / "again" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "again" / name)
    (tmp_path / "again/build").mkdir()
    for kept in ("wheels", "interpreters"):
        if (ROOT / "build" / kept).is_dir():
            subprocess.run(["cp", "-a", str(ROOT / "build" / kept), f"{tmp_path}/again/build/{kept}"], check=True)
    epoch = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    subprocess.run(
        [str(TOOLS), "packaging/steps/build.py"],
        cwd=tmp_path / "again",
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch.strip()},
        capture_output=True,
        check=True,
    )

    for package in (deb, rpm):
        assert (tmp_path / "again/dist" / package.name).read_bytes() == package.read_bytes(), package.name


def test_the_list_of_parts_is_cyclonedx_and_names_every_library() -> None:
    listed = json.loads((ROOT / "dist/shipper.cdx.json").read_text(encoding="utf-8"))
    check = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator as V;"
        "from cyclonedx.schema import SchemaVersion as S;"
        "problem = V(S.V1_6).validate_str(open(sys.argv[1]).read()); sys.exit(str(problem) if problem else 0)"
    )

    subprocess.run([str(TOOLS), "-c", check, str(ROOT / "dist/shipper.cdx.json")], check=True)
    staged = {path.name.split("-")[0].lower().replace("_", "-") for path in (ROOT / "build/stage").rglob("*.dist-info")}
    assert {part["name"] for part in listed["components"]} == staged


def test_both_packages_carry_what_is_there_to_be_copied(deb: Path, rpm: Path) -> None:
    in_deb = subprocess.run(["dpkg-deb", "-c", str(deb)], capture_output=True, text=True, check=True).stdout
    in_rpm = subprocess.run(["rpm", "-qlp", str(rpm)], capture_output=True, text=True, check=True).stdout
    examples = "/usr/share/doc/shipper/examples"
    wanted = {f"{examples}/monitoring/{path.name}" for path in (ROOT / "packaging/monitoring").iterdir()}
    sources = ROOT / "packaging/files/examples"
    wanted |= {f"{examples}/{path.relative_to(sources)}" for path in sources.rglob("*") if path.is_file()}

    for listed in (in_deb, in_rpm):
        assert {name for name in wanted if f"{name}\n" not in listed} == set()


def test_lintian_finds_no_error(deb: Path) -> None:
    done = subprocess.run(["lintian", "--fail-on", "error", str(deb)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "E:" not in done.stdout


def test_rpmlint_finds_no_error(rpm: Path) -> None:
    done = subprocess.run(
        ["rpmlint", "-c", str(ROOT / "packaging/lint/rpmlint.toml"), str(rpm)], capture_output=True, text=True, check=False
    )  # fmt: skip

    assert " E: " not in done.stdout
    assert " 0 errors" in done.stdout


@pytest.mark.parametrize("page", ["shipper.8", "shipper-run.8", "shipper-state.8", "shipper-agent.yaml.5"])
def test_a_man_page_is_read_without_a_warning(page: str) -> None:
    path = ROOT / f"build/stage/usr/share/man/man{page[-1]}/{page}.gz"

    done = subprocess.run(["man", "--warnings", "-l", "-Tutf8", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
