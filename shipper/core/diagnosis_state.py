"""What the facts say of the state folder, of other agents on the same files, and of how well files are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from shipper.core.diagnosis import Finding, size_text

NEARLY_FULL: Final = 0.8
OLD_COPY_SECONDS: Final = 3_600.0  # a running agent makes one every ten minutes
WELL_READ: Final = 0.8
ENOUGH_LINES: Final = 5
_SHOWN: Final = 3


class StateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The state folder, as it was found without taking its lock.

    Attributes:
        path: Of the folder.
        exists: Whether an agent has ever run there.
        user: Who the agent runs as.
        owner: Whose the folder is.
        holder: Process that holds the lock, `process 812 (shipper run)`; empty for none.
        damage: Why the offset store cannot be used; empty where it is sound.
        newer: Whether that is because a newer version wrote it.
        files: Rows in it.
        copy_age_seconds: Of the good copy; None where there is none.
        set_aside: Names of databases that were damaged or replaced.
        letters_bytes, letters_most: Dead letters and their room.
        letters_stop: Whether the agent stops when that is full.
    """

    path: str
    exists: bool
    user: str
    owner: str = ""
    holder: str = ""
    damage: str = ""
    newer: bool = False
    files: int = 0
    copy_age_seconds: float | None = None
    set_aside: tuple[str, ...] = ()
    letters_bytes: int = 0
    letters_most: int = 1
    letters_stop: bool = True


class Peer(msgspec.Struct, frozen=True):
    """Another program that reads files which the sources match.

    Attributes:
        name: Of the program.
        pid: Of its process.
        files: The shared ones.
        by: How that is known: it has them open, or its configuration names them.
    """

    name: str
    pid: int
    files: tuple[str, ...]
    by: str


class FileFit(msgspec.Struct, frozen=True):
    """How well a file's beginning is explained by what it is read by.

    Attributes:
        source: Its source.
        path: Of the file.
        layout: Name of the format or layout.
        explained: Share of *lines* that it explains.
        lines: How many were looked at.
        chosen: Whether the layout was chosen (`format: auto`), not configured.
    """

    source: str
    path: str
    layout: str
    explained: float
    lines: int
    chosen: bool


def state(facts: StateFacts) -> Iterator[Finding]:
    """Judge the state folder."""
    if not facts.exists:
        yield Finding("state", "ok", f"state_dir {facts.path}: nothing there yet; the first start makes it")
        return
    if facts.owner and facts.user not in (facts.owner, "root"):  # what root writes there it gives to the owner
        yield Finding(
            "state", "fail", f"state_dir {facts.path} belongs to {facts.owner}, and the agent runs as {facts.user}",
            "the agent cannot save how far it has read, and does not start",
            f"chown -R {facts.user} {facts.path}",
        )  # fmt: skip
    if facts.holder:
        yield Finding("state", "ok", f"an agent runs: {facts.holder} holds {facts.path}")
    if facts.damage:
        yield _damaged(facts)
    else:
        noun = "file" if facts.files == 1 else "files"
        yield Finding("state", "ok", f"offset store sound, {facts.files} {noun}{_copy_text(facts)}")
    if facts.holder and facts.copy_age_seconds is not None and facts.copy_age_seconds > OLD_COPY_SECONDS:
        text = f"the good copy of the offsets is {_age(facts.copy_age_seconds)} old, though an agent runs"
        yield Finding("state", "warn", text, "should the store be damaged, all since then is sent twice",
                      f"look for space and for state_not_saved in the agent's log: df -h {facts.path}")  # fmt: skip
    if facts.set_aside:
        text = f"{facts.path} still holds {', '.join(facts.set_aside[:_SHOWN])} from an earlier repair"
        why = "the store was damaged or replaced once: look at the disk"
        yield Finding("state", "warn", text, why, f"rm {facts.path}/{facts.set_aside[0]}*, once it is not needed")
    yield from _letters(facts)


def _damaged(facts: StateFacts) -> Finding:
    if facts.newer:
        return Finding("state", "fail", facts.damage, "nothing was touched",
                       "install that version again, or give this one another state_dir")  # fmt: skip
    if facts.copy_age_seconds is None:
        why, mend = "there is no good copy of it", "shipper state restore FILE, with an export"
    else:
        why = f"its copy is {_age(facts.copy_age_seconds)} old: what was acknowledged since is sent again"
        mend = "shipper state restore"
    return Finding("state", "fail", facts.damage, why, mend)


def _copy_text(facts: StateFacts) -> str:
    if facts.copy_age_seconds is None:
        return "; no good copy yet"
    return f"; good copy {_age(facts.copy_age_seconds)} old"


def _letters(facts: StateFacts) -> Iterator[Finding]:
    share = facts.letters_bytes / max(1, facts.letters_most)
    if share < NEARLY_FULL:
        return
    full = share >= 1
    text = f"dead letters take {size_text(facts.letters_bytes)} of {size_text(facts.letters_most)}"
    what = "stops reading" if facts.letters_stop else "lets the oldest go"
    mend = "shipper dlq list; then shipper dlq replay or shipper dlq drop, or raise dead_letters.max_bytes"
    why = f"the agent {what} {'now' if full else 'when they are full'}"
    yield Finding("state", "fail" if full and facts.letters_stop else "warn", text, why, mend)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def peers(found: Sequence[Peer], elsewhere: Sequence[str]) -> Iterator[Finding]:
    """Judge who else reads the same files; *elsewhere* names the other agents that run here and read none of them."""
    for peer in found:
        names = ", ".join(peer.files[:_SHOWN])
        more = f" and {len(peer.files) - _SHOWN} more" if len(peer.files) > _SHOWN else ""
        yield Finding(
            "other agents", "warn", f"{peer.name} (process {peer.pid}) reads {names}{more} too: {peer.by}",
            "both can read, but what both ship to the same place arrives there twice",
            "take those files out of one of the two: exclude in agent.yaml, or its own configuration",
        )  # fmt: skip
    if elsewhere:
        names = ", ".join(elsewhere[:_SHOWN])
        more = f" and {len(elsewhere) - _SHOWN} more" if len(elsewhere) > _SHOWN else ""
        runs = "runs" if len(elsewhere) == 1 else "run"
        yield Finding("other agents", "ok", f"other log agents: {names}{more} {runs}, on other files")
    elif not found:
        yield Finding("other agents", "ok", "other log agents: none runs")


def formats(fits: Sequence[FileFit], unread: int) -> Iterator[Finding]:
    """Judge how well files are read; *unread* is how many were not looked into."""
    looked = [fit for fit in fits if fit.lines >= ENOUGH_LINES]
    well = [fit for fit in looked if fit.explained >= WELL_READ]
    for fit in looked:
        if fit.explained >= WELL_READ:
            continue
        share = f"{100 * fit.explained:.0f} % of its first {fit.lines} lines are explained"
        read = "by the layout that was chosen" if fit.chosen else f"by {fit.layout}, which source {fit.source} names"
        none = f"nothing in its first {fit.lines} lines looks like a known layout: each line is a record"
        yield Finding(
            "formats", "warn", f"{fit.path}: {none if fit.chosen and not fit.explained else f'{share} {read}'}",
            "what is not explained is shipped too, without a time and a level of its own",
            f"shipper explain {fit.path}; shipper suggest {fit.path}",
        )  # fmt: skip
    if well:
        least = min(fit.explained for fit in well)
        noun = "file" if len(well) == 1 else "files"
        text = f"{len(well)} {noun} read well: at least {100 * least:.0f} % of the first lines explained"
        yield Finding("formats", "ok", text)
    few = len(fits) - len(looked)
    if few:
        noun, has = ("file", "has") if few == 1 else ("files", "have")
        yield Finding("formats", "ok", f"{few} {noun} {has} too few lines yet to judge")
    if unread:
        yield Finding("formats", "ok", f"{unread} more files were not looked into")
