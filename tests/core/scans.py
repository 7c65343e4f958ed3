"""Files as a scan finds them, what was known of them before, and what the scan then decides."""

from __future__ import annotations

from typing import NamedTuple

from shipper.core.evidence import Answer, Decision, Known, Question, Seen
from shipper.core.follow import decide, missing_name, questions
from shipper.core.identity import HEAD_BYTES, Trail, guard_of, head_of
from shipper.core.model import FileKey

BANNER = b"=== program 1.2.3 starts ===\n" * 50
OLD = b"".join(b"line %03d of the old life\n" % n for n in range(40))
NEW = b"".join(b"a fresh line %03d\n" % n for n in range(40))


class OnDisk(NamedTuple):
    """A file as the scan finds it."""

    path: str
    inode: int
    text: bytes
    mtime: int = 100
    live: bool = True
    packed: str = ""


def known(file: OnDisk, offset: int, *, file_id: int = 1, **changes: object) -> Known:
    """Return what is known of *file* when *offset* bytes of it were read."""
    trail = Trail()
    for point in range(100, offset, 100):
        trail.pass_by(point, file.text[max(point - 256, 0) : point])
    fields: dict[str, object] = {
        "key": FileKey(file_id, 0), "source": "app", "path": file.path, "device": 1, "inode": file.inode,
        "head": head_of(file.text[: min(HEAD_BYTES, max(offset, 1))] if offset else b""),
        "guard": guard_of(file.text[max(offset - 256, 0) : offset]), "offset": offset, "size": len(file.text),
        "mtime_ns": file.mtime, "live": file.live, "trail": trail.points, **changes,
    }  # fmt: skip
    return Known(**fields)  # type: ignore[arg-type]  # the fields are spelt out above


def scan(
    followed: list[Known], disk: list[OnDisk], waited: dict[str, int] | None = None, *, unreadable: bool = False
) -> list[Decision]:
    seen = [
        Seen(f.path, 1, f.inode, len(f.text) // (10 if f.packed else 1), f.mtime, 0 if f.live else None, "", f.packed)
        for f in disk
    ]
    by_path = {file.path: file.text for file in disk}

    def answer(question: Question) -> Answer | None:
        text = by_path[question.path]
        if question.packed and not unreadable:
            reached = [point for point in question.points if point[0] <= len(text)]
            at, length = reached[-1] if reached else (0, 0)
            return Answer(text[:HEAD_BYTES], text[at - length : at], at)
        begin = max(question.offset - question.guard_length, 0)
        return None if unreadable else Answer(text[:HEAD_BYTES], text[begin : question.offset])

    missing = {missing_name(one.key): 1 for one in followed}  # not met for the second time
    waited = {**missing, **(waited or {})}
    return decide(followed, seen, {q: answer(q) for q in questions(followed, seen)}, waited)


def verdicts(decisions: list[Decision]) -> list[tuple[str, int | None, str | None]]:
    """Return (what, whose file id, which path) of each."""
    return [(d.do.value, d.known.key.file_id if d.known else None, d.seen.path if d.seen else None) for d in decisions]


LOG = OnDisk("/log/app.log", 10, OLD, 100)
READ = len(OLD) - 200

ROTATED = LOG._replace(path="/log/app.log.1", live=False)

GZIPPED = OnDisk("/log/app.log.1.gz", 12, OLD, 100, live=False, packed="gzip")
