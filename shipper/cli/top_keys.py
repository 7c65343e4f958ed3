"""Single keys of a terminal, as they are pressed; the terminal is given back as it was."""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NAMED: Final = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[D": "left", b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOD": "left",
    b"\x1b[5~": "page_up", b"\x1b[6~": "page_down", b"\x1b[H": "home", b"\x1b[F": "end", b"\r": "enter",
    b"\n": "enter", b"\x1b": "escape", b"\x7f": "backspace", b"\x08": "backspace",
}  # fmt: skip


@contextmanager
def keys_of(descriptor: int) -> Iterator[Keys]:
    """Read the terminal at *descriptor* key by key, without showing them; Ctrl-C stays what it is."""
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Keys:
    """Reads one terminal."""

    def __init__(self, descriptor: int) -> None:
        """It is in the right mode already."""
        self._descriptor = descriptor

    def read(self, seconds: float) -> list[str]:
        """Return what is pressed within *seconds*, by the names of top_state.Key; `q` where the terminal has gone."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return []
        pressed = os.read(self._descriptor, 1024)
        return split_keys(pressed) if pressed else ["q"]


def split_keys(pressed: bytes) -> list[str]:
    """Return the keys that *pressed* is made of; sequences that are not known are left out."""
    keys = list[str]()
    while pressed:
        named = next((code for code in sorted(_NAMED, key=len, reverse=True) if pressed.startswith(code)), None)
        if named == b"\x1b" and pressed[1:2] in (b"[", b"O"):  # the beginning of a sequence that is not known
            end = next((i for i, byte in enumerate(pressed[2:], 2) if 0x40 <= byte <= 0x7E), len(pressed))
            pressed = pressed[end + 1 :]
        elif named is not None:
            keys.append(_NAMED[named])
            pressed = pressed[len(named) :]
        else:
            text = pressed.split(b"\x1b", 1)[0]
            keys += [character for character in text.decode("utf-8", "ignore") if character.isprintable()]
            pressed = pressed[len(text) :]
    return keys
