"""A record's attributes, held to the limits.

Source: the reference page, section 5 (trimmed and accepted, on a UTF-8
boundary; the first attributes of the document are kept) and 4.3 (warnings,
attributes that the server sets, the Classic store's keys and values).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from shipper.endpoint.model import AttributeValue
from shipper.endpoint.protocol.flatten import Flat
from shipper.endpoint.protocol.limits import Limits
from shipper.endpoint.protocol.values import Json, as_text, attribute_of

_V = TypeVar("_V", bound=AttributeValue)


class Attributes:
    """Collects the attributes of one record in document order."""

    def __init__(self, limits: Limits, *, classic: bool, spaced: bool) -> None:
        """Begin empty; *classic*: lower-case keys, text values; *spaced*: JSON text as the raw model prints it."""
        self._limits = limits
        self._classic = classic
        self._spaced = spaced
        # In characters: of at most four bytes each.
        self._short_key = -1 if classic else limits.key_bytes // 4
        self._short_value = limits.value_bytes // 4
        self._flat: Flat[AttributeValue] = Flat()
        self._warnings: list[str] = []

    def warn(self, warning: str) -> None:
        """Name *warning* once."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def add(self, key: str, value: Json) -> None:
        """Add an attribute, trimmed, unless there are enough."""
        values = self._flat.values
        if len(values) >= self._limits.attributes:
            self.warn("attr_count_trimmed")
        elif (
            type(value) is str and len(value) <= self._short_value and len(key) <= self._short_key and key not in values
        ):
            values[key] = value
        else:
            self._trim(key, attribute_of(value, spaced=self._spaced))

    def finish(self, common: Mapping[str, AttributeValue], warnings_key: str) -> dict[str, AttributeValue]:
        """Return all attributes, with the *common* ones in place of any others of their names, and the warnings."""
        attributes = self._flat.values
        for key, value in common.items():
            if attributes.pop(key, value) != value:
                self.warn("common_attr_corrected")
        if attributes.pop(warnings_key, None) is not None:
            self.warn("common_attr_corrected")
        attributes.update(common)
        if self._warnings:
            attributes[warnings_key] = list(self._warnings)
        return attributes

    def _trim(self, key: str, value: AttributeValue) -> None:
        if self._classic:
            value = as_text(value)
            if key != (key := key.lower()):
                self.warn("attr_key_case_mismatch")
        key, is_cut = cut(key, self._limits.key_bytes)
        if is_cut:
            self.warn("attr_key_trimmed")
        if isinstance(value, list):
            if len(value) > self._limits.values:
                value = value[: self._limits.values]
                self.warn("attr_val_count_trimmed")
            self._flat.put(key, [self._cut(item) for item in value])
        else:
            self._flat.put(key, self._cut(value))

    def _cut(self, value: _V) -> _V | str:
        if not isinstance(value, str):
            return value
        text, is_cut = cut(value, self._limits.value_bytes)
        if is_cut:
            self.warn("attr_val_size_trimmed")
        return text


def cut(text: str, most_bytes: int) -> tuple[str, bool]:
    """Return *text* in at most *most_bytes* of UTF-8, ending at a character, and whether that is less than all."""
    if len(text) * 4 <= most_bytes:
        return text, False
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text, False
    return encoded[:most_bytes].decode("utf-8", "ignore"), True
