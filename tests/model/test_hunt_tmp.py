"""The whole pipeline against a model: whatever is done to files, agent and endpoint, what was written arrives.

Real files, a real offset store, the agent itself with all its tasks; the clock and the endpoint are the test's own.
In CI some thousand steps; MODEL_EXAMPLES=2000 (and MODEL_STEPS=60) plays for an hour.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model.endpoint import POISON, Answer
from tests.model.world import BUDGET, PACKERS, QUIET_SECONDS, SLACK, STREAMS, World

streams = st.sampled_from(STREAMS)
rotated = st.integers(1, 3)


class Pipeline(RuleBasedStateMachine):
    """Steps in any order; what must hold is looked at after each, and in full when everything has come to rest."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.world = World()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self.come_to_rest()
            finally:
                self.world.end()

    # -- writers -----------------------------------------------------------------------------------

    @rule(stream=streams, count=st.sampled_from([1, 3, 40]), padding=st.sampled_from([0, 60, 900]))
    def write(self, stream: str, count: int, padding: int) -> None:
        self.world.write(stream, count, padding)

    @rule(stream=streams)
    def write_something_that_the_endpoint_refuses(self, stream: str) -> None:
        self.world.write(stream, 6, 10, poison=True)

    @rule(stream=streams, cut=st.integers(1, 45))
    def write_the_beginning_of_a_line(self, stream: str, cut: int) -> None:
        self.world.write_in_pieces(stream, cut)

    @rule(stream=streams)
    def finish_the_line(self, stream: str) -> None:
        self.world.finish(stream)

    # -- rotation ----------------------------------------------------------------------------------

    @rule(stream=streams)
    def rotate(self, stream: str) -> None:
        self.world.rotate(stream)

    def copy_truncate(self, stream: str) -> None:
        self.world.copy_truncate(stream)

    @rule(stream=streams, number=rotated, ending=st.sampled_from(sorted(PACKERS)))
    def compress(self, stream: str, number: int, ending: str) -> None:
        self.world.compress(stream, number, ending)

    @rule(stream=streams, number=rotated)
    def move_away(self, stream: str, number: int) -> None:
        self.world.move_away(stream, number)

    @rule(stream=streams)
    def delete_and_recreate(self, stream: str) -> None:
        self.world.recreate(stream)

    # -- the agent and the endpoint ------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @precondition(lambda self: self.world.agent is not None)
    @rule()
    def stop(self) -> None:
        self.world.stop()

    @precondition(lambda self: self.world.agent is None)
    @rule()
    def start(self) -> None:
        self.world.start()

    @rule(answers=st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=4))
    def the_endpoint_will_answer(self, answers: list[Answer]) -> None:
        self.world.endpoint.script.extend(answers)

    @rule(answer=st.sampled_from([Answer.TAKE, Answer.REFUSED, Answer.TROUBLE, Answer.LATE]))
    def the_endpoint_answers_from_now_on(self, answer: Answer) -> None:
        self.world.endpoint.standing = answer

    @rule(seconds=st.sampled_from([0.05, 1.0, 6.0, 45.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    # -- what must hold ------------------------------------------------------------------------------

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "world") and self.world.agent is not None:
            assert self.world.agent.parts.tailer.held_bytes <= BUDGET + SLACK

    @invariant()
    def nothing_arrives_that_was_not_written(self) -> None:
        if hasattr(self, "world"):
            assert self.world.truth.foreign(self.world.endpoint.taken) == []

    @rule()
    def come_to_rest(self) -> None:
        """Heal everything, wait, and look at everything."""
        world = self.world
        world.endpoint.script.clear()
        world.endpoint.standing = Answer.TAKE
        if world.agent is None:
            world.start()
        for stream in STREAMS:
            world.finish(stream)
        for _ in range(int(QUIET_SECONDS / 20)):
            world.advance(20.0)
            if self._is_quiet():
                break
        self.everything_arrived()
        self.the_ledger_balances()

    def _is_quiet(self) -> bool:
        world = self.world
        assert world.agent is not None
        return not world.truth.missing([*world.endpoint.taken, *self._letters()]) and not world.agent.totals().pending

    def everything_arrived(self) -> None:
        world = self.world
        taken = world.endpoint.taken
        refused = self._letters()
        missing = [text for text in world.truth.missing([*taken, *refused]) if not self._was_refused_unnamed(text)]
        assert missing == [], f"{len(missing)} of {len(world.truth.lines)} lines"
        assert all(POISON in text for text in refused)
        assert world.truth.out_of_order(world.endpoint.sent) == []
        if not (world.may_repeat or world.endpoint.answers_lost):
            assert [text for text, count in Counter(taken).items() if count > 1] == []

    def the_ledger_balances(self) -> None:
        agent = self.world.agent
        assert agent is not None
        totals = agent.totals()
        assert (totals.balanced, totals.pending) == (True, 0)
        assert agent.parts.sender.held_bytes == 0
        assert agent.parts.committer.failing is None

    def _letters(self) -> list[str]:
        agent = self.world.agent
        assert agent is not None
        parts = agent.parts
        letters = self.world.runner.run(parts.offsets.run(lambda _store: parts.letters.list(100_000)))
        return [str(letter.event["content"]) for letter in letters if letter.event is not None]

    def _was_refused_unnamed(self, text: str) -> bool:
        return any(contents[0] == text for contents in self.world.endpoint.refused_unnamed)


Pipeline.TestCase.settings = settings(
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "60")),
    stateful_step_count=int(os.environ.get("MODEL_STEPS", "40")),
    deadline=None, derandomize="MODEL_EXAMPLES" not in os.environ, database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, *([] if "MODEL_EXAMPLES" in os.environ else [Phase.shrink])],
)  # fmt: skip
TestPipeline = Pipeline.TestCase
