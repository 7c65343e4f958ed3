"""Log files to measure with: the same kinds as the peers were measured on, made anew and always alike.

Stamps begin an hour before *now*, so that no event is past the endpoint's age
limit, and run at about 250 events a second. About 1 % of the lines hold text
beyond ASCII, 2 % quotes or backslashes, 6 % are errors.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

LEVELS = ["INFO"] * 80 + ["DEBUG"] * 8 + ["WARN"] * 6 + ["ERROR"] * 6
W3C_HEADER = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
    " sc-status time-taken"
)
CLASSES = ["Service", "OrderRepository", "PaymentClient", "SessionStore", "Scheduler"]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    "curl/8.5.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15",
]


def _text(rng: random.Random, number: int) -> str:
    roll = rng.random()
    if roll < 0.01:
        return f"Bestellung {number} geprüft: Käse, 12 €"
    if roll < 0.03:
        return f'request {number} said "not \\ now" in {rng.randrange(900)} ms'
    return f"request {number} handled in {rng.randrange(900)} ms user=user{rng.randrange(100_000)}"


def _clock(now: datetime) -> Iterator[datetime]:
    at = now - timedelta(hours=1)
    while True:
        yield at
        at += timedelta(milliseconds=4)
        if at > now:
            at = now - timedelta(hours=1)


def app(rng: random.Random, at: datetime, number: int) -> str:
    """ISO stamp, level, thread, logger: about 110 bytes."""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return (
        f"{stamp} {rng.choice(LEVELS)} [worker-{number % 16}] com.example.{rng.choice(CLASSES)} - {_text(rng, number)}"
    )


def access(rng: random.Random, at: datetime, number: int) -> str:
    """The combined access format: about 170 bytes."""
    stamp = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    status = rng.choice((200, 200, 200, 200, 304, 404, 500))
    return (
        f"10.{number % 256}.{rng.randrange(256)}.{rng.randrange(256)} - user{number % 97} [{stamp}] "
        f'"GET /shop/item/{rng.randrange(100_000)}?page={number % 9} HTTP/1.1" {status} {rng.randrange(90_000)} '
        f'"https://shop.example/list" "{rng.choice(AGENTS)}"'
    )


def zap(rng: random.Random, at: datetime, number: int) -> str:
    """One JSON object a line, as zap writes it: about 250 bytes."""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return json.dumps(
        {
            "level": rng.choice(LEVELS).lower(), "ts": stamp, "logger": f"shop.{rng.choice(CLASSES)}",
            "caller": f"shop/handler.go:{number % 400}", "msg": _text(rng, number), "request_id": f"{number:016x}",
            "duration_ms": rng.randrange(900), "tenant": f"t{number % 50}", "ok": number % 17 != 0,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )  # fmt: skip


def java(rng: random.Random, at: datetime, number: int) -> str:
    """Log4j text; one record in twenty carries a stack trace."""
    stamp = at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}"
    level = rng.choice(LEVELS)
    head = f"{stamp} {level:<5} [exec-{number % 8}] c.e.{rng.choice(CLASSES)} - {_text(rng, number)}"
    if number % 20:
        return head
    frames = "\n".join(f"\tat com.example.Frame{i}.call(Frame{i}.java:{i * 7})" for i in range(12))
    return f"{head}\njava.lang.IllegalStateException: no session {number}\n{frames}"


def cri(rng: random.Random, at: datetime, number: int) -> str:
    """A line that containerd writes of the program's text: about 140 bytes."""
    stamp, _, text = app(rng, at, number).partition(" ")
    return f"{stamp[:-1]}{number % 10**6:06d}Z std{'out' if number % 20 else 'err'} F {text}"


def docker(rng: random.Random, at: datetime, number: int) -> str:
    """The same from Docker's json-file driver: about 170 bytes."""
    stamp, _, text = app(rng, at, number).partition(" ")
    return json.dumps(
        {
            "log": text + "\n", "stream": "stdout" if number % 20 else "stderr",
            "time": f"{stamp[:-1]}{number % 10**6:06d}Z",
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )  # fmt: skip


def logfmt(rng: random.Random, at: datetime, number: int) -> str:
    """Pairs, as Go's slog writes them: about 130 bytes."""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    message = json.dumps(_text(rng, number), ensure_ascii=False)
    return (
        f"time={stamp} level={rng.choice(LEVELS)} msg={message} thread=worker-{number % 16} "
        f"logger=shop.{rng.choice(CLASSES)} attempt={number % 7}"
    )


def w3c(rng: random.Random, at: datetime, number: int) -> str:
    """What IIS writes: about 130 bytes."""
    line = (
        f"{at:%Y-%m-%d %H:%M:%S} 10.0.0.5 GET /shop/item/{rng.randrange(100_000)} page={number % 9} 443 - "
        f"10.1.{number % 256}.{rng.randrange(256)} Mozilla/5.0+(X11;+Linux+x86_64) {rng.choice((200, 304, 404))} "
        f"{rng.randrange(900)}"
    )
    return line if number else f"{W3C_HEADER}\n{line}"


KINDS: dict[str, Callable[[random.Random, datetime, int], str]] = {
    "app": app, "access": access, "zap": zap, "java": java, "cri": cri, "docker": docker, "logfmt": logfmt, "w3c": w3c,
}  # fmt: skip


def write(kind: str, lines: int, path: Path, *, now: datetime | None = None) -> tuple[int, int]:
    """Write at least *lines* physical lines of *kind* to *path*.

    Returns:
        (physical lines, records) that were written.
    """
    rng = random.Random(kind)
    clock = _clock(now or datetime.now(UTC))
    make = KINDS[kind]
    written = records = 0
    with path.open("w", encoding="utf-8") as file:
        while written < lines:
            record = make(rng, next(clock), records)
            file.write(record + "\n")
            records += 1
            written += record.count("\n") + 1
    return written, records
