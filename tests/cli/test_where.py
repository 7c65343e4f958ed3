"""`shipper where` as operators run it: a story of few lines, JSON, and an exit code for scripts."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipper.adapters.backfill_store import BackfillStore
from shipper.adapters.offsets import Life, OffsetStore
from shipper.cli import shipper
from shipper.core.identity import head_of
from shipper.core.ledger import Entry
from shipper.core.shipped import Settled, Shipped
from shipper.errors import UsageError
from tests.cli.test_check import ordinary_user

CONTENT = b"first line\nsecond [line]\n"
READ_MS = 1_795_464_000_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A state with one delivered file, a file that was never met, and their configuration."""
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "app.log"
    log.write_bytes(CONTENT)
    status = log.stat()
    head = head_of(CONTENT)
    store = OffsetStore.open(tmp_path / "state", now_ms=0)
    life = Life(
        file_id=1, generation=0, source="app", path=str(log), device=status.st_dev, inode=status.st_ino,
        offset=len(CONTENT), head_length=head.length, head_digest=head.digest,
    )  # fmt: skip
    entry = Entry(
        0, len(CONTENT), 0, 0, READ_MS, READ_MS + 500, 7, 9, 204, layout="log4j{x}", fingerprint="", read=2, acked=2
    )  # fmt: skip
    store.commit([life], spans=[(life.key, entry)])
    store.close()
    (logs / "new.log").write_text("third line\n")
    path = tmp_path / "agent.yaml"
    path.write_text(
        json.dumps({
            "state_dir": str(tmp_path / "state"),
            "sources": [{"name": "app", "paths": [str(logs / "*.log")], "format": "raw"}],
        }),
        encoding="utf-8",
    )  # fmt: skip
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter: pytest's own are the owner's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def where(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(shipper, ["where", "-c", str(config), *arguments], standalone_mode=False)


def test_a_delivered_line_is_told_in_few_lines(config: Path) -> None:
    log = config.with_name("logs") / "app.log"

    result = where(config, "second [line]")

    title, text, acked, read = result.output.splitlines()
    assert title == f"delivered  {log}:2  (byte 11)"
    assert text.strip() == "second [line]"
    between = "between 2026-11-23T20:00:00.000Z and 2026-11-23T20:00:00.500Z"
    assert acked.strip().startswith(f"acknowledged {between} (")
    assert acked.endswith("with status 204, in one of the batches 7 to 9")
    assert read.strip().startswith(f"read {between} (")
    assert read.endswith("by source app, layout log4j")
    assert result.return_value == 0


FIRST, LAST = "2026-11-23T20:00:00.000Z", "2026-11-23T20:00:00.500Z"


@pytest.mark.parametrize(
    ("line", "batches", "read", "acked"),
    [
        pytest.param(1, (7, 9), (FIRST, FIRST), (FIRST, LAST), id="first_of_its_row"),
        pytest.param(2, (7, 9), (FIRST, LAST), (FIRST, LAST), id="within_its_row"),
        pytest.param(2, (7, 7), (FIRST, LAST), (LAST, LAST), id="one_answer_for_all_of_it"),
    ],
)
def test_times_are_said_as_exactly_as_the_ledger_knows_them(
    line: int, batches: tuple[int, int], read: tuple[str, str], acked: tuple[str, str], config: Path
) -> None:
    """A row of the ledger grows for ten seconds: of a line in it one knows between which instants it was read."""
    store = OffsetStore.open(config.with_name("state"), now_ms=0)
    (life,) = store.load()
    entry = Entry(0, len(CONTENT), 0, 0, READ_MS, READ_MS + 500, *batches, 204, layout="raw", read=2, acked=2)
    store.commit([life], spans=[(life.key, entry)])
    store.close()

    (match,) = json.loads(where(config, f"{config.with_name('logs')}/app.log:{line}", "--json").output)["matches"]

    assert (match["read_at"], match["read_until"]) == read
    assert (match["acked_since"], match["acked_at"]) == acked


def test_a_text_is_looked_for_in_what_only_a_backfill_has_read(config: Path) -> None:
    old = config.with_name("archive") / "old.log"
    old.parent.mkdir()
    old.write_text("before\nsent by hand\nand not this\n")
    status = old.stat()
    row = Shipped(
        file_id=1 << 40, source="app", place=str(old), device=status.st_dev, inode=status.st_ino,
        size=status.st_size, mtime_ns=status.st_mtime_ns, settled=[Settled(0, 20)],
    )  # fmt: skip
    member = Shipped(file_id=(1 << 40) + 1, source="app", place="a.tar: x.log", settled=[Settled(0, 20)])
    store = BackfillStore.open(config.with_name("state"))
    store.save([row, member])
    store.close()

    sent, other = where(config, "by hand"), where(config, "not this")

    assert sent.output.splitlines()[0] == f"backfilled  {old}:2  (byte 7)"
    assert "a backfill has read it: it was sent, or left out by the rules" in sent.output
    assert "source app" in sent.output
    assert "1 text that only a backfill has read is not searched: in an archive, or packed" in sent.output
    assert other.output.splitlines()[0] == f"not followed  {old}:3  (byte 20)"


@pytest.mark.parametrize("line", [1, 2])
def test_file_and_number_name_a_line(line: int, config: Path) -> None:
    log = config.with_name("logs") / "app.log"

    (match,) = json.loads(where(config, f"{log}:{line}", "--json").output)["matches"]

    assert (match["line"], match["fate"], match["batch"], match["status"]) == (line, "delivered", 7, 204)


def test_what_no_agent_has_met_says_so(config: Path) -> None:
    result = where(config, "third")

    assert result.output.startswith("not read yet")
    assert "source app matches this file, the agent has not met it; and no agent runs here" in result.output


def test_the_rest_of_many_is_counted(config: Path) -> None:
    result = where(config, "line", "--limit", "1")

    assert "and 2 more lines; see --limit" in result.output


def test_a_text_that_stands_nowhere_ends_with_1(config: Path) -> None:
    result = where(config, "nowhere to be found")

    assert result.return_value == 1
    assert "stands in none of the 2 files that were searched" in result.output


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nowhere to be found", "why another one is not read: shipper where FILE:LINE"),
        ("app.log:4711", "it was looked for as a text: there is no file app.log here"),
        ("{log}:4711", "no line: {log} has no line 4711"),
    ],
)
def test_where_nothing_is_found_what_was_asked_is_said_and_what_to_ask_next(
    what: str, said: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    log = config.with_name("logs") / "app.log"

    result = where(config, what.format(log=log))

    assert result.return_value == 1
    assert said.format(log=log) in result.output


def test_a_file_that_may_not_be_read_comes_with_the_command_that_mends_it(open_folder: Path) -> None:
    shut = open_folder / "shut.log"
    shut.write_text("hello\n")
    shut.chmod(0)
    config = open_folder / "agent.yaml"
    sources = [{"name": "app", "paths": [f"{open_folder}/*.log"]}]
    config.write_text(json.dumps({"state_dir": f"{open_folder}/state", "sources": sources}))
    config.chmod(0o644)

    with ordinary_user() as user:
        named, sought = where(config, f"{shut}:1"), where(config, "hello")

    mend = f"mend it with: setfacl -m u:{user}:r {shut}"
    assert [line.strip() for line in named.output.splitlines()][1:3] == ["Permission denied", mend]
    assert f"not searched: {shut}: Permission denied; {mend}" in sought.output


def test_no_colour_goes_into_a_pipe(config: Path) -> None:
    assert "\x1b" not in where(config, "line").output


def test_an_unknown_source_is_refused(config: Path) -> None:
    result = where(config, "line", "--source", "nobody")

    assert isinstance(result.exception, UsageError)
