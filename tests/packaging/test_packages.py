"""What the packages are made of, against the tree: nothing here builds one."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from shipper import __version__
from shipper.cli.check import examine
from shipper.config import load

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"


def description() -> dict[str, object]:
    read: dict[str, object] = yaml.safe_load((PACKAGING / "nfpm.yaml").read_text(encoding="utf-8"))
    return read


def contents(packer: str) -> dict[str, dict[str, object]]:
    listed = description()["contents"]
    assert isinstance(listed, list)
    return {entry["dst"]: entry for entry in listed if entry.get("packager", packer) == packer}


@pytest.mark.parametrize("packer", ["deb", "rpm"])
def test_what_the_description_takes_from_the_tree_is_there(packer: str) -> None:
    sources = [str(entry["src"]) for entry in contents(packer).values() if "src" in entry]
    from_tree = [source for source in sources if not source.startswith("build/")]

    assert from_tree
    assert [source for source in from_tree if not (ROOT / source).is_file()] == []


@pytest.mark.parametrize("packer", ["deb", "rpm"])
def test_every_file_of_the_packages_folder_is_installed_somewhere(packer: str) -> None:
    taken = {str(entry.get("src")) for entry in contents(packer).values()}

    for path in [*(PACKAGING / "files/systemd").iterdir(), *(PACKAGING / "files/etc").iterdir()]:
        assert str(path.relative_to(ROOT)) in taken


@pytest.mark.parametrize("packer", ["deb", "rpm"])
def test_the_configuration_is_the_administrators_and_not_for_all_eyes(packer: str) -> None:
    entry = contents(packer)["/etc/shipper/agent.yaml"]

    assert entry["type"] == "config|noreplace"
    assert entry["file_info"] == ({"mode": 0o640} if packer == "deb" else {"mode": 0o640, "group": "shipper"})
    assert contents(packer)["/etc/shipper/conf.d"]["type"] == "dir"
    assert contents(packer)["/etc/shipper/formats.d"]["type"] == "dir"


def test_the_interpreters_of_the_launcher_are_those_the_packages_depend_on() -> None:
    launcher = (PACKAGING / "files/python.sh").read_text(encoding="utf-8")
    looked_for = re.findall(r"\d\.\d+", launcher.partition("for version in ")[2].partition(";")[0])
    overrides = description()["overrides"]
    assert isinstance(overrides, dict)
    deb = overrides["deb"]["depends"][0]
    rpm = overrides["rpm"]["depends"][0]

    assert looked_for == ["3.14", "3.13", "3.12", "3.11"]
    assert deb == " | ".join(f"python{version}" for version in looked_for)
    assert all(f"python{version} " in rpm.strip("()") + " " for version in looked_for)


def packaged_tree(tmp_path: Path) -> Path:
    """Lay out /etc/shipper as the packages do, with the examples in conf.d; only the state is elsewhere."""
    folder = tmp_path / "etc"
    (folder / "conf.d").mkdir(parents=True)
    text = (PACKAGING / "files/etc/agent.yaml").read_text(encoding="utf-8")
    (folder / "agent.yaml").write_text(text.replace("/var/lib/shipper", str(tmp_path / "state")), encoding="utf-8")
    for path in [PACKAGING / "files/etc/zz-var-log.yaml", *(PACKAGING / "files/examples/sources").glob("*.yaml")]:
        shutil.copy(path, folder / "conf.d")
    return folder / "agent.yaml"


def test_the_packaged_configuration_and_its_examples_pass_check(tmp_path: Path) -> None:
    config = load(packaged_tree(tmp_path), {})

    report = examine(config, offline=True)

    assert not config.endpoint.embedded
    assert config.sources[-1].name == "var-log", "what nobody names is read last, or it would own what the others name"
    assert {source.name for source in report.sources} >= {"syslog", "auth", "nginx-access", "shop", "pods"}
    shop = next(source for source in report.sources if source.name == "shop")
    assert [(test.number, test.differences) for test in shop.tests] == [(0, [])]


def test_the_packaged_state_dir_is_the_services() -> None:
    unit = (PACKAGING / "files/systemd/shipper.service").read_text(encoding="utf-8")
    packaged = yaml.safe_load((PACKAGING / "files/etc/agent.yaml").read_text(encoding="utf-8"))

    assert packaged["state_dir"] == "/var/lib/shipper"
    assert "StateDirectory=shipper\n" in unit


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        pytest.param(["3.11", "3.13"], "3.13", id="the_newest"),
        pytest.param(["3.11", "3.13:minimal"], "3.11", id="not_one_without_its_library"),
        pytest.param(["3.12:lib64"], "3.12", id="red_hats_folder"),
        pytest.param(["3.9", "3.15"], None, id="none_that_fits"),
    ],
)
def test_the_launcher_takes_the_newest_python_that_fits(tmp_path: Path, there: list[str], chosen: str | None) -> None:
    script = (PACKAGING / "files/python.sh").read_text(encoding="utf-8").replace("/usr/", f"{tmp_path}/usr/")
    for version in ("3.11", "3.12", "3.13", "3.14"):
        (tmp_path / f"usr/lib/shipper/python{version}").mkdir(parents=True)
    (tmp_path / "usr/bin").mkdir()
    for one in there:
        version, _, kind = one.partition(":")
        (tmp_path / f"usr/bin/python{version}").symlink_to(sys.executable)
        if kind != "minimal":
            (tmp_path / f"usr/{kind or 'lib'}/python{version}/sqlite3").mkdir(parents=True)
    (tmp_path / "python.sh").write_text(script + 'echo "$PYTHON"\n', encoding="utf-8")

    done = subprocess.run(["sh", str(tmp_path / "python.sh")], capture_output=True, text=True, check=False)

    if chosen is None:
        assert (done.returncode, done.stdout) == (78, "")
        assert "no Python of 3.11 to 3.14" in done.stderr
    else:
        assert done.stdout == f"{tmp_path}/usr/bin/python{chosen}\n"


def test_started_from_its_folder_it_sees_its_own_libraries_and_so_do_its_children(tmp_path: Path) -> None:
    """The package's layout in small: the tree as `common`, this environment's libraries as those of its Python."""
    home = tmp_path / "usr/lib/shipper"
    (home / "common").mkdir(parents=True)
    (home / "common/shipper").symlink_to(ROOT / "shipper")
    libraries = Path(yaml.__file__).parents[1]
    (home / f"python{sys.version_info[0]}.{sys.version_info[1]}").symlink_to(libraries)
    shutil.copy(PACKAGING / "files/start.py", home)
    base = os.path.realpath(sys.executable)

    done = subprocess.run(
        [base, "-I", "-S", str(home / "start.py"), "--version"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": "/nowhere"},
    )  # fmt: skip

    assert done.stdout == f"shipper, version {__version__}\n"


def test_a_man_page_and_completions_are_made_for_every_command() -> None:
    done = subprocess.run(
        [sys.executable, str(PACKAGING / "steps/manuals.py"), "0"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    made = json.loads(done.stdout)

    init = ast.parse((ROOT / "shipper/cli/__init__.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.target): node.value for node in init.body if isinstance(node, ast.AnnAssign)}
    commands = ast.literal_eval(assigned["_COMMANDS"] or "{}")
    assert {f"shipper-{name}.8" for name in commands} | {"shipper.8", "shipper-agent.yaml.5"} <= set(made)
    assert "_SHIPPER_COMPLETE=bash_complete" in made["completions/bash/shipper"]
    assert made["completions/zsh/_shipper"].startswith("#compdef shipper")
    assert "complete --no-files --command shipper" in made["completions/fish/shipper.fish"]
    assert "\\fBsources[].multiline.start\\fR" in made["shipper-agent.yaml.5"]


def test_the_completion_of_a_shell_completes_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shipper"], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"_SHIPPER_COMPLETE": "bash_complete", "COMP_WORDS": "shipper st", "COMP_CWORD": "1", "PATH": "/usr/bin"},
    )  # fmt: skip

    assert "plain,state" in done.stdout.split()


def locked() -> dict[str, str]:
    text = (PACKAGING / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_every_dependency_is_locked_with_hashes_and_nothing_names_where_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["speed"]]
    names = {re.split(r"[><=\[; ]", entry)[0].lower().replace("_", "-") for entry in wanted}
    text = (PACKAGING / "requirements.lock").read_text(encoding="utf-8")

    assert names <= set(locked())
    for entry in re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]
    assert "://" not in text
    assert "index" not in text


def test_nothing_of_ours_loads_what_the_packages_leave_out() -> None:
    """rich needs pygments and markdown-it-py for these modules only."""
    needing = {"rich.syntax", "rich.markdown", "rich.traceback", "rich.json", "pygments", "markdown_it"}

    for path in (ROOT / "shipper").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
            else:
                continue
            assert not names & needing, path


def test_the_versions_of_tree_and_project_are_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == __version__


@pytest.mark.parametrize("path", sorted((PACKAGING / "scripts").iterdir()), ids=lambda path: path.name)
def test_a_maintainer_script_is_sh(path: Path) -> None:
    subprocess.run(["sh", "-n", str(path)], check=True)


@pytest.mark.parametrize("name", ["deb.preinst", "rpm.pre"])
@pytest.mark.parametrize(("schema", "status"), [(3, 0), (4, 1)])
def test_a_state_from_the_future_is_refused_before_anything_changes(
    tmp_path: Path, name: str, schema: int, status: int
) -> None:
    """The version of an SQLite file stands in its header, four bytes at 60."""
    state = tmp_path / "offsets.db"
    state.write_bytes(bytes(60) + schema.to_bytes(4, "big") + bytes(36))
    script = (PACKAGING / "scripts" / name).read_text(encoding="utf-8")
    script = script.replace("/var/lib/shipper/offsets.db", str(state)).replace("@SCHEMA@", "3")
    script = script.partition("systemd-sysusers")[0]

    argument = "upgrade" if name == "deb.preinst" else "2"
    done = subprocess.run(["sh", "-c", script, "script", argument], capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert ("written by a newer version (schema 4, this one knows 3)" in done.stderr) == (status == 1)
