"""Enablement and port: what the settings folder says, and what is said of a wrong file."""

from pathlib import Path

import pytest

from shipper.endpoint import enablement, port_setting
from shipper.errors import ConfigError, StateError


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "active", "decided_by"),
    [
        pytest.param({}, True, None, id="nothing_said"),
        pytest.param({"environment": ""}, True, None, id="empty_file"),
        pytest.param({"environment": "enabled: false"}, False, "environment", id="environment_off"),
        pytest.param({"environment": "ingest_active: no"}, False, "environment", id="ingest_off"),
        pytest.param({"environment": "enabled: false", "hostgroup": "enabled: true"}, True, None, id="group_wins"),
        pytest.param({"environment": "enabled: true", "hostgroup": "enabled: off"}, False, "hostgroup", id="group_off"),
        pytest.param({"hostgroup": "enabled: false", "host": "enabled: TRUE"}, True, None, id="host_wins"),
        pytest.param({"environment": "enabled: no", "host": "enabled: yes"}, True, None, id="host_over_environment"),
        pytest.param({"hostgroup": "enabled: true", "host": "enabled: false"}, False, "host", id="host_off"),
        pytest.param(
            {"environment": "ingest_active: false", "host": "enabled: true"}, False, "environment", id="switches_apart"
        ),
        pytest.param(
            {"environment": "enabled: false\ningest_active: false", "host": "{enabled: true, ingest_active: true}"},
            True, None, id="both_switches_overridden",
        ),
    ],
)  # fmt: skip
def test_the_nearer_level_decides(tmp_path: Path, files: dict[str, str], active: bool, decided_by: str | None) -> None:
    said = enablement.read(write(tmp_path, **files))

    assert said.active is active
    assert said.decided_by == (tmp_path / f"{decided_by}.yaml" if decided_by else None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("enabled: maybe", "host.yaml:1: enabled: 'maybe'", id="no_boolean"),
        pytest.param("\n\nenabeld: true", "host.yaml:3: enabeld: unknown key; did you mean enabled?", id="typo"),
        pytest.param("zzz: 1", "host.yaml:1: zzz: unknown key; known keys: enabled, ingest_active", id="unknown"),
        pytest.param("enabled: true\nenabled: false", "host.yaml:2: enabled: given twice", id="twice"),
        pytest.param("enabled: [true]", "host.yaml:1: enabled: is a sequence", id="list"),
        pytest.param("- enabled", "host.yaml:1: write settings as", id="no_mapping"),
        pytest.param("enabled: true\n  ingest_active: [", "host.yaml:2:", id="no_yaml"),
        pytest.param("enabled: \x01", "host.yaml: not YAML", id="control_character"),
        pytest.param("a: 1\n---\nb: 2", "host.yaml:2:", id="two_documents"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_line_and_key(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError) as refused:
        enablement.read(write(tmp_path, host=text))

    assert place in str(refused.value)
    assert refused.value.exit_code == 78


def test_problems_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        enablement.read(write(tmp_path, environment="a: 1\nb: 2", host="enabled: 7"))

    assert [problem.rpartition("/")[2].split(" ")[0] for problem in refused.value.problems] == [
        "environment.yaml:1:", "environment.yaml:2:", "host.yaml:1:",
    ]  # fmt: skip


def test_bytes_that_are_no_text_are_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "host.yaml").write_bytes(b"enabled: \xff\xfe")

    with pytest.raises(ConfigError, match="UTF-8"):
        enablement.read(tmp_path)


def test_the_port_is_14499_until_it_is_set(tmp_path: Path) -> None:
    folder = tmp_path / "endpoint.d"

    assert port_setting.get_port(folder) == 14499
    assert port_setting.set_port(folder, 14500) == folder / "port.yaml"
    assert port_setting.get_port(folder) == 14500
    port_setting.set_port(folder, 14501)
    assert port_setting.get_port(folder) == 14501
    assert [path.name for path in folder.iterdir()] == ["port.yaml"]


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "''", "1e3", "99999999999999999999", "１４"])
def test_a_wrong_port_file_is_named_with_its_line(tmp_path: Path, port: str) -> None:
    with pytest.raises(ConfigError, match=r"port\.yaml:2: port:"):
        port_setting.get_port(write(tmp_path, port=f"# by hand\nport: {port}\n"))


def test_a_folder_that_cannot_be_written_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "endpoint.d").write_text("a file where the folder should be")

    with pytest.raises(StateError, match=r"port\.yaml"):
        port_setting.set_port(tmp_path / "endpoint.d", 14500)
