"""Types of single values in agent.yaml, with the mark that decode.py and schema.py know them by."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

UNIT: Final = "x-unit"


def _unit(name: str) -> Meta:
    return Meta(extra={UNIT: name}, extra_json_schema={UNIT: name})


class Secret(str):
    """A text that must not be shown: its repr and its format hide it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say that there is one, and no more."""
        return "Secret(...)"


Duration = Annotated[float, _unit("duration")]
"""Seconds, written `500ms`, `2s`, `5m`."""

Size = Annotated[int, _unit("size")]
"""Bytes, written `65536`, `64KiB`."""

SecretText = Annotated[str, _unit("secret")]
"""A `Secret` once loaded."""

Switch = Annotated[Literal["auto", "on", "off"], _unit("switch")]
"""YAML reads a bare `on` as true; here it stays a word."""

Words = Annotated[str, _unit("scalar")]
"""A text where a bare number or truth value is as good, taken as written."""
