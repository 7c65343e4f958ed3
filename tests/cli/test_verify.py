"""`shipper verify` as operators run it: a table that names the span, JSON, and an exit code for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.adapters.offsets import Life, OffsetStore
from shipper.cli import shipper
from shipper.core.identity import head_of
from shipper.core.ledger import Entry, digest_of, fingerprint_of
from shipper.core.rule import RecordFormat, Rule

RAW = fingerprint_of(Rule("app", "raw", RecordFormat.RAW))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A state with one file of two lines, delivered, and the configuration that read it."""
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\n")
    status = log.stat()
    head = head_of(b"one\ntwo\n")
    store = OffsetStore.open(tmp_path / "state", now_ms=0)
    life = Life(
        file_id=1, generation=0, source="app", path=str(log), device=status.st_dev, inode=status.st_ino, offset=8,
        head_length=head.length, head_digest=head.digest,
    )  # fmt: skip
    entry = Entry(
        0, 8, 0, digest_of(b"one\ntwo\n", 0), read=2, acked=2, batch=1, batch_last=1, status=204, layout="raw",
        fingerprint=RAW,
    )  # fmt: skip
    store.commit([life], spans=[(life.key, entry)])
    store.close()
    path = tmp_path / "agent.yaml"
    path.write_text(
        json.dumps({
            "state_dir": str(tmp_path / "state"),
            "sources": [{"name": "app", "paths": [str(tmp_path / "*.log")], "format": "raw"}],
        }),
        encoding="utf-8",
    )  # fmt: skip
    return path


def verify(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(shipper, ["verify", "-c", str(config), *arguments], standalone_mode=False)


def test_where_all_agrees_it_says_so_and_ends_with_0(config: Path) -> None:
    result = verify(config)

    assert result.return_value == 0
    assert "no disagreement in 1 files; 8 bytes compared, 2 records counted again" in result.output


def test_a_changed_byte_is_named_with_its_span_and_ends_with_1(config: Path) -> None:
    config.with_name("app.log").write_bytes(b"one\ntwO\n")

    result = verify(config)

    assert result.return_value == 1
    assert f"bytes_changed 1.0 {config.with_name('app.log')} bytes 0 to 8" in result.output


def test_json_has_the_same_for_programs(config: Path) -> None:
    config.with_name("app.log").write_bytes(b"one\ntwO\n")

    found = json.loads(verify(config, "--json").output)

    assert found["agrees"] is False
    (file,) = found["files"]
    assert [(wrong["fault"], wrong["start"], wrong["end"]) for wrong in file["disagreements"]] == [
        ("bytes_changed", 0, 8)
    ]


def test_without_a_configuration_the_bytes_are_compared(config: Path) -> None:
    result = CliRunner().invoke(
        shipper, ["verify", "--state-dir", str(config.with_name("state"))], standalone_mode=False
    )

    assert result.return_value == 0
    assert "8 bytes compared, 0 records counted again" in result.output


@pytest.mark.parametrize(("name", "found"), [("app", 1), ("other", 0)])
def test_one_source_can_be_asked_for(name: str, found: int, config: Path) -> None:
    document = json.loads(config.read_text())
    document["sources"].append({"name": "other", "paths": ["/nowhere/*.log"]})
    config.write_text(json.dumps(document))

    assert len(json.loads(verify(config, "--source", name, "--json").output)["files"]) == found


def test_an_unknown_source_is_refused(config: Path) -> None:
    result = verify(config, "--source", "nobody")

    assert "no source 'nobody'; there are app" in str(result.exception)
