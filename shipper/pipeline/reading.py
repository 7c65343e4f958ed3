"""A source's rules, compiled: which converter reads which file.

Compiled once, at start; under `format: auto` a candidate is compiled when the
first file is seen that it fits. Owned by the agent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shipper.core.converter import Converter, compile_rule
from shipper.core.detect import Choice, choose, explains, rule_of
from shipper.core.encodings import configured_name, find_mark
from shipper.core.fitting import CONTAINERS
from shipper.core.rule import RecordFormat, Rule

SAMPLE_BYTES: Final = 65_536
RAW_LAYOUT: Final = "raw"
LAYOUTS_TRIED_FIRST: Final = 4
WORTH_A_CHANGE: Final = 0.1
NO_TIME_MS: Final = 4_102_444_800_000  # 2100: nothing is written later


class SourceReading:
    """Gives the converter for a file of one source."""

    def __init__(self, rule: Rule, rate_limit: int = 0) -> None:
        """Compile *rule*, unless the file's text decides; *rate_limit* is in bytes a second, 0 for none."""
        self.rule = rule
        self.rate_limit = rate_limit
        self._converters: dict[str, Converter] = {}
        self._chosen: list[str] = []

    @property
    def chooses(self) -> bool:
        """Whether the layout depends on the file's text."""
        return self.rule.format is RecordFormat.AUTO

    def choose(self, head: bytes, encoding: str, near_ms: int) -> Choice:
        """Return how a file is read that begins with *head*, or goes on with it.

        Args:
            head: Some of its bytes, from the beginning of a line on.
            encoding: Of its text; empty where a byte order mark may tell.
            near_ms: When the file was written last.
        """
        if not self.chooses:
            return Choice(self.rule.layout, self.rule, 1.0, 0, "configured")
        sample = self._sample(head, encoding)
        choice = choose(self.rule.candidates, sample, near_ms, self._chosen)
        if choice.layout not in self._converters:
            self._converters[choice.layout] = compile_rule(choice.rule)
        if choice.layout not in self._chosen and choice.explained:
            self._chosen = [choice.layout, *self._chosen][:LAYOUTS_TRIED_FIRST]
        return choice

    def choose_again(self, layout: str, data: bytes, encoding: str, near_ms: int) -> Choice | None:
        """Return a choice that explains *data*, whole records of a file, better than *layout*; None for none."""
        choice = self.choose(data, encoding, near_ms)
        if not self.chooses or choice.layout == layout:
            return None
        if choice.layout.startswith(f"{layout}+") and choice.rule.format in CONTAINERS:
            return choice  # of the messages in the container's log nothing was known
        now = explains(self.converter(layout).rule, self._sample(data, encoding), near_ms)
        return choice if choice.explained > now + WORTH_A_CHANGE else None

    def _sample(self, head: bytes, encoding: str) -> str:
        if not encoding:
            skipped, encoding = find_mark(head, configured_name(self.rule.encoding), final=True) or (0, "utf-8")
            head = head[skipped:]
        if not encoding.startswith(("utf-16", "utf-32")):
            head = head.lstrip(b"\0")  # the hole that a copy-truncate leaves
        return head[:SAMPLE_BYTES].decode(encoding, "backslashreplace")

    def layout_of(self, head: bytes, encoding: str, near_ms: int = NO_TIME_MS) -> str:
        """Return the name of the layout that fits *head*, the first bytes of a file."""
        return self.choose(head, encoding, near_ms).layout

    def converter(self, layout: str) -> Converter:
        """Return the converter for *layout*; an unknown one (a preset since removed) is read as raw text."""
        found = self._converters.get(layout)
        if found is None:
            found = compile_rule(self._rule_named(layout) or self._raw())
            self._converters[layout] = found
        return found

    def _rule_named(self, layout: str) -> Rule | None:
        if self.chooses:
            return rule_of(layout, self.rule.candidates)
        return self.rule if layout == self.rule.layout else None

    def bypass(self) -> Converter:
        """Return a converter that runs none of the source's own patterns but its masks."""
        return self.converter("") if "" in self._converters else self._compile_bypass()

    def knows(self, layout: str) -> bool:
        """Return whether *layout* can be read by this source."""
        return layout in self._converters or self._rule_named(layout) is not None

    def _compile_bypass(self) -> Converter:
        self._converters[""] = compile_rule(self._raw())
        return self._converters[""]

    def _raw(self) -> Rule:
        return msgspec.structs.replace(
            self.rule, layout=RAW_LAYOUT, format=RecordFormat.RAW, patterns=(), candidates=(), keep=(), drop=()
        )
