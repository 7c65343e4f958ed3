"""Installed into trees where nothing runs: dependencies, files, owners, removal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from machine import ENVIRONMENT, ROOT, in_chroot, tree


@pytest.mark.parametrize(("suite", "python"), [("bookworm", "python3.11"), ("trixie", "python3.13")])
def test_apt_installs_the_deb_in_a_fresh_debian_with_that_debians_python(deb: Path, suite: str, python: str) -> None:
    root = tree(f"apt-{suite}", suite)
    shutil.copy(deb, root / "root")

    in_chroot(root, f"apt-get update -qq && apt-get install -y --no-install-recommends /root/{deb.name}")

    assert in_chroot(root, "shipper --version").stdout.startswith("shipper, version ")
    assert in_chroot(root, ". /usr/lib/shipper/python.sh; echo $PYTHON").stdout.strip() == f"/usr/bin/{python}"
    assert in_chroot(root, "stat -c '%U:%G %a' /etc/shipper/agent.yaml").stdout.strip() == "root:shipper 640"
    assert in_chroot(root, "stat -c '%U:%G %a' /var/lib/shipper").stdout.strip() == "shipper:shipper 700"
    assert in_chroot(root, "id -nG shipper").stdout.split() == ["shipper", "adm", "systemd-journal"]
    assert "failed checks: 0," in in_chroot(root, "cd / && shipper check --offline").stdout
    in_chroot(root, "apt-get purge -y shipper")
    kept = ("/proc", "/root", "/var/lib/dpkg", "/var/log", "/var/cache")  # apt's own and this test's
    others = " ".join(f"-not -path '{folder}/*'" for folder in kept)
    assert in_chroot(root, f"find / -xdev -path '*shipper*' {others}").stdout == ""


def test_the_image_needs_no_systemd_and_runs_as_the_daemon_set_starts_it(deb: Path) -> None:
    """The steps of packaging/Containerfile, in a tree instead of an image."""
    root = tree("image", "trixie")
    shutil.copy(deb, root / "root")

    in_chroot(
        root,
        "apt-get update -qq && apt-get install -y --no-install-recommends systemd-standalone-sysusers"
        f" && apt-get install -y --no-install-recommends /root/{deb.name}",
    )

    assert not (root / "usr/lib/systemd/systemd").exists()
    assert in_chroot(root, "command -v shipper").stdout.strip() == "/usr/bin/shipper"
    assert in_chroot(root, "stat -c '%U:%G %a' /var/lib/shipper").stdout.strip() == "shipper:shipper 700"
    done = in_chroot(root, "shipper run --once --give-up-after 100ms --json -c /etc/shipper/agent.yaml", check=False)
    assert json.loads(done.stdout.splitlines()[-1])["balanced"]


@pytest.mark.parametrize("python", ["python3.12", "python3.11", "python313", "python3.9"])
def test_dnf_installs_the_rpm_where_a_python_that_fits_is_to_be_had(rpm: Path, python: str, tmp_path: Path) -> None:
    """The repository is a stand-in: it provides what Red Hat's and SUSE's packages are known to."""
    repository = tmp_path / "repository"
    repository.mkdir()
    shutil.copy(rpm, repository)
    _basis(repository, python)
    subprocess.run(["createrepo_c", "-q", str(repository)], check=True)
    root = tmp_path / "root"

    done = subprocess.run(
        [
            "dnf", "-y", f"--installroot={root}", "--releasever=9", f"--repofrompath=local,file://{repository}",
            "--repo=local", "--nogpgcheck", "--setopt=reposdir=/nonexistent", f"--setopt=cachedir={tmp_path}/cache",
            "--setopt=tsflags=noscripts", "install", "shipper",
        ],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    if python == "python3.9":
        assert done.returncode != 0
        assert "nothing provides" in done.stdout + done.stderr
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "etc/shipper/agent.yaml").stat().st_mode & 0o777 == 0o640
    verified = subprocess.run(
        ["rpm", f"--root={root}", "-V", "--nouser", "--nogroup", "shipper"], capture_output=True, text=True, check=False
    )
    assert verified.stdout == ""
    assert (root / "usr/lib/shipper/common/shipper/cli/__init__.py").exists()


def _basis(repository: Path, python: str) -> None:
    """Make an rpm that provides what a distribution has, with *python* as its interpreter."""
    description = {
        "name": "distribution-basis", "arch": "all", "version": "9", "maintainer": "a <a@b.c>",
        "provides": ["systemd", "libc.so.6(GLIBC_2.28)(64bit)", "/bin/sh", python],
    }  # fmt: skip
    path = repository.parent / "basis.yaml"
    path.write_text(json.dumps(description), encoding="utf-8")
    nfpm = ROOT / "build/tools/bin/nfpm"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
    subprocess.run(
        [str(nfpm), "package", "-f", str(path), "-p", "rpm", "-t", str(repository)],
        check=True,
        capture_output=True,
        env=environment,
    )
