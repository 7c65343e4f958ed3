"""A source's rules, compiled: which converter reads which file.

Compiled once, at start; under `format: auto` a candidate is compiled when the
first file is seen that it fits. Owned by the agent.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shipper.core.converter import Converter, compile_rule
from shipper.core.detect import choose
from shipper.core.rule import RecordFormat, Rule

SAMPLE_BYTES: Final = 65_536
RAW_LAYOUT: Final = "raw"


class SourceReading:
    """Gives the converter for a file of one source."""

    def __init__(self, rule: Rule, rate_limit: int = 0) -> None:
        """Compile *rule*, unless the file's text decides; *rate_limit* is in bytes a second, 0 for none."""
        self.rule = rule
        self.rate_limit = rate_limit
        self._converters: dict[str, Converter] = {}
        self._candidates = {candidate.layout: candidate for candidate in rule.candidates}
        if rule.format is not RecordFormat.AUTO:
            self._candidates[rule.layout] = rule

    @property
    def chooses(self) -> bool:
        """Whether the layout depends on the file's text."""
        return self.rule.format is RecordFormat.AUTO

    def layout_of(self, head: bytes, encoding: str) -> str:
        """Return the name of the layout that fits *head*, the first bytes of a file."""
        if not self.chooses:
            return self.rule.layout
        sample = head[:SAMPLE_BYTES].decode(encoding or "utf-8", "backslashreplace")
        return choose(self.rule.candidates, sample).layout

    def converter(self, layout: str) -> Converter:
        """Return the converter for *layout*; an unknown one (a preset since removed) is read as raw text."""
        found = self._converters.get(layout)
        if found is None:
            found = compile_rule(self._candidates.get(layout) or self._raw())
            self._converters[layout] = found
        return found

    def bypass(self) -> Converter:
        """Return a converter that runs none of the source's own patterns but its masks."""
        return self.converter("") if "" in self._converters else self._compile_bypass()

    def knows(self, layout: str) -> bool:
        """Return whether *layout* can be read by this source."""
        return layout in self._candidates

    def _compile_bypass(self) -> Converter:
        self._converters[""] = compile_rule(self._raw())
        return self._converters[""]

    def _raw(self) -> Rule:
        return msgspec.structs.replace(
            self.rule, layout=RAW_LAYOUT, format=RecordFormat.RAW, patterns=(), candidates=(), keep=(), drop=()
        )
