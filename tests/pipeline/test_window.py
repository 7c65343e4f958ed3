"""After an outage: live lines first, backlogs by deadline, and the forecast of what will be lost; in virtual time."""

from __future__ import annotations

from collections import Counter

from shipper.adapters.offsets import Life, LifeState
from shipper.core.batch import BatchLimits
from shipper.core.converter import Converter, compile_rule
from shipper.core.model import Carry
from shipper.core.rule import TooOld
from shipper.core.timestamps import utc_text
from shipper.pipeline.followed import Followed
from shipper.pipeline.forecast import Forecasts
from shipper.pipeline.journal import Journal
from shipper.pipeline.reading import SourceReading
from shipper.pipeline.turns import Turns
from tests.pipeline.delivery_scene import EPOCH_MS, Scene, play, stamped_rule

HOUR_MS = 3_600_000
MB = 1_000_000
LINES_A_TURN = 20
LINE_BYTES = 10_000  # as the scheduler sees it: a turn of 200 kB
RULE = stamped_rule(TooOld.DROP)
READING = SourceReading(RULE)


def followed(file_id: int, **changes: object) -> Followed:
    life = Life(
        file_id=file_id, generation=0, source="app", path=f"/log/{file_id}.log", device=1, inode=file_id,
        state=LifeState.FOLLOWING, **changes,  # type: ignore[arg-type]  # spelt out at the call
    )  # fmt: skip
    return Followed(life, READING, {}, lineage=file_id)


class Log:
    """Lines of one lineage that wait to be read: their stamps, oldest first."""

    def __init__(self, lineage: int, stamps_ms: list[int]) -> None:
        self.stamps_ms = stamps_ms
        self.read = 0
        self.file = followed(lineage, size=len(stamps_ms) * LINE_BYTES, mtime_ns=stamps_ms[-1] * 1_000_000)
        self.stand_at(0)

    def stand_at(self, read: int) -> None:
        self.read = read
        self.file.read_offset = read * LINE_BYTES
        if read < len(self.stamps_ms):
            self.file.carry = Carry(stamp_ms=self.stamps_ms[read])


def spread(from_hours: float, until_hours: float, count: int) -> list[int]:
    """Return *count* stamps from so many hours ago until so many hours ago."""
    step = (from_hours - until_hours) * HOUR_MS / count
    return [EPOCH_MS - int(from_hours * HOUR_MS - number * step) for number in range(count)]


async def drain(logs: list[Log], *, in_order_of_arrival: bool) -> tuple[Counter[int], Counter[int], dict[int, float]]:
    """Read turn after turn while one request of 20 lines takes 36 s: 2,000 lines an hour.

    Returns what expired and what arrived, by lineage, and when a lineage was through, in hours.
    """
    scene = Scene(latency=36.0, limits=BatchLimits(target_bytes=1, flush_seconds=0.0, concurrency=1))
    converter: Converter = compile_rule(RULE)
    turns = Turns(256 * 1024, scene.now_ms)
    by_key = {log.file.key: log for log in logs}
    through: dict[int, float] = {}
    waiting = [log.file for log in logs]
    for one in waiting:
        turns.ask(one)
    while any(log.read < len(log.stamps_ms) for log in logs):
        if in_order_of_arrival:
            one = waiting.pop(0)
        else:
            found = turns.take()
            assert found is not None
            one = found
        log = by_key[one.key]
        stamps = log.stamps_ms[log.read : log.read + LINES_A_TURN]
        log.stand_at(log.read + len(stamps))
        if log.read < len(log.stamps_ms):
            waiting.append(one)
            if not in_order_of_arrival:
                turns.ask(one)
        else:
            through[one.lineage] = (scene.now_ms() - EPOCH_MS) / HOUR_MS
        if not in_order_of_arrival:
            turns.spent(len(stamps) * LINE_BYTES)
        scene.offer(*(f"{utc_text(stamp)} line" for stamp in stamps), lineage=one.lineage, converter=converter)
        await scene.sender.drain(None)
    expired = Counter[int]()
    arrived = Counter[int]()
    for portion, settlement in scene.settled:
        dropped = sum(settlement.filtered.values()) + sum(portion.encoded.filtered.values())
        expired[portion.lineage] += dropped
        arrived[portion.lineage] += portion.encoded.records - sum(settlement.filtered.values())
    await scene.close()
    return expired, arrived, through


def after_an_outage() -> list[Log]:
    """Four lineages with a day's outage behind them, 9 hours of work; the first to expire has 4 hours left."""
    return [
        Log(1, spread(5, 1, 7000)),
        Log(2, spread(2, 0.5, 6000)),
        Log(3, spread(20, 19, 5000)),
        Log(4, spread(0.01, 0, 60)),
    ]


def test_nothing_expires_behind_fresher_lines_and_live_ones_do_not_wait_for_backlogs() -> None:
    async def story() -> None:
        expired, arrived, through = await drain(after_an_outage(), in_order_of_arrival=False)

        assert not +expired
        assert arrived == Counter({1: 7000, 2: 6000, 3: 5000, 4: 60})
        assert through[4] < 0.2
        assert through[3] < 4.5

    play(story)


def test_in_order_of_arrival_the_same_backlog_would_have_expired() -> None:
    """What the scheduler is for: taken in turn, lineage 3 is not through before its lines are too old."""

    async def story() -> None:
        expired, _, _ = await drain(after_an_outage(), in_order_of_arrival=True)

        assert expired[3] > 500

    play(story)


def test_one_lineage_is_read_in_order_whatever_expires() -> None:
    """Its oldest lines go first even where they are lost already: a gap would be worse than a restamped line."""

    async def story() -> None:
        expired, arrived, _ = await drain([Log(1, spread(26, 20, 2000))], in_order_of_arrival=False)

        assert expired[1] > 0
        assert expired[1] + arrived[1] == 2000

    play(story)


class Watching:
    """Forecasts on a clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.said: list[str] = []
        self.forecasts = Forecasts(Journal(self.said.append), self.now_ms, lambda: self.seconds)
        self.bytes_read = 0

    def now_ms(self) -> int:
        return EPOCH_MS + int(self.seconds * 1000)

    def look(self, files: list[Followed], *, named: list[Followed] | None = None, after: float = 30.0) -> list[str]:
        """Look once more, *after* seconds; return the texts of what is foretold."""
        self.seconds += after
        there = [(one.device, one.inode) for one in (files if named is None else named)]
        self.forecasts.look(files, there, self.bytes_read)
        return [one.text for one in self.forecasts.current]


def rotated(file_id: int, name: str, minutes_ago: float, unread: int, now_ms: int) -> Followed:
    one = followed(file_id, size=unread, mtime_ns=(now_ms - int(minutes_ago * 60_000)) * 1_000_000)
    one.lineage = 1
    one.path = f"/log/{name}"
    one.state = LifeState.DRAINING if name != "app.log" else LifeState.FOLLOWING
    return one


def test_a_rotated_file_that_goes_unread_is_named_in_time_said_once_and_over_when_it_is_read() -> None:
    watching = Watching()
    names = ["app.log.3", "app.log.2", "app.log.1", "app.log"]
    files = [rotated(n, name, 30 - 10 * n, 0, EPOCH_MS) for n, name in enumerate(names)]
    assert watching.look(files) == []  # nobody knows how many it keeps
    later = [*files[1:], rotated(9, "app.log", -10, 0, EPOCH_MS)]
    later[0].size = 180 * MB  # what was app.log.3 is gone: three are kept
    watching.look(later, after=30)

    texts = watching.look(later, after=120)

    assert texts == ["app.log.2 is deleted in about 7 min with 180 MB unread"]
    assert [text.split()[0] for text in watching.said] == ["event=loss_forecast"]
    watching.look(later)
    assert len(watching.said) == 1

    later[0].read_offset = later[0].size
    for _ in range(3):
        watching.look(later)
    assert watching.forecasts.current == ()
    assert [text.split()[0] for text in watching.said] == ["event=loss_forecast", "event=loss_forecast_over"]


def test_a_backlog_that_will_pass_the_window_is_foretold_with_what_will_be_lost() -> None:
    watching = Watching()
    behind = Log(1, spread(20, 19, 10)).file
    behind.size = 1200 * MB

    texts = watching.look([behind])

    assert texts == ["1.2 GB will pass the endpoint's window at this rate, the first of them in about 4 h"]
    assert watching.forecasts.current[0].kind == "window"


def test_a_backlog_that_is_read_fast_enough_is_not() -> None:
    watching = Watching()
    behind = Log(1, spread(20, 19, 10)).file
    behind.size = 1200 * MB
    watching.look([behind])
    for _ in range(8):
        behind.read_offset += 5 * MB
        watching.bytes_read += 5 * MB
        texts = watching.look([behind])

    assert texts == []


def test_at_the_beginning_of_an_outage_nothing_is_foretold() -> None:
    watching = Watching()
    behind = Log(1, spread(0.5, 0, 10)).file
    behind.size = 1200 * MB

    assert watching.look([behind]) == []


def test_lines_without_stamps_never_expire() -> None:
    watching = Watching()
    behind = followed(1, size=1200 * MB, mtime_ns=EPOCH_MS * 1_000_000)

    assert watching.look([behind]) == []
