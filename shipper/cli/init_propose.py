"""The logs that were found as sources, by the code of `suggest`; and the agent.yaml that they make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shipper.cli.init_look import Sights
from shipper.cli.suggest import Suggestion, suggestions
from shipper.cli.suggest_source import Keys, name_for, yaml_of
from shipper.config import load
from shipper.errors import ConfigError, ShipperError, UsageError
from shipper.pipeline.guard import MatchGuard


class Proposal(msgspec.Struct):
    """A source to be asked about.

    Attributes:
        keys: Of the source, as in agent.yaml.
        files: How many files it has now.
        comments: Why, and how well it reads them.
    """

    keys: Keys
    files: int
    comments: list[str]

    @property
    def name(self) -> str:
        """Of the source."""
        return str(self.keys["name"])


def propose(sights: Sights, guard: MatchGuard) -> list[Proposal]:
    """Return a source for each kind of log that was found, containers first: they are the most specific."""
    found = [
        Proposal({"name": name, "paths": [glob], "format": layout}, count, [f"the logs of {count} containers"])
        for name, glob, layout, count in sights.containers
    ]
    suggested = list[Suggestion]()
    for path in sorted(sights.files):
        try:
            suggested += suggestions([path], guard)
        except ShipperError:  # it went away, or became binary, since it was looked at
            continue
    for one in _joined(suggested):
        name = name_for(str(_paths(one)[0]), [other.name for other in found])
        why = list(dict.fromkeys(sights.files[Path(file)] for file in one.files))
        found.append(Proposal({**one.keys, "name": name}, len(one.files), [f"{', '.join(why[:2])}; {_share(one)}"]))
    return found


def _share(one: Suggestion) -> str:
    if not one.explained:
        return "no layout is known for it: each line is a record"
    return f"{100 * one.explained / one.lines:.0f} % of {one.lines} lines explained"


def _joined(suggested: Sequence[Suggestion]) -> list[Suggestion]:
    """Join those of one folder that read alike; a glob with several layouts is left to `auto`, which keeps them."""
    by_glob = dict[str, Suggestion]()
    for one in suggested:
        glob = _paths(one)[0]
        other = by_glob.get(glob)
        if other is None:
            by_glob[glob] = one
            continue
        if _reading(other) != _reading(one):
            other.keys = {"name": other.keys["name"], "paths": [glob], "format": "auto"}
        _add(other, one)
    by_reading = dict[tuple[str, bytes], Suggestion]()
    for glob, one in by_glob.items():
        key = (glob.rpartition("/")[0], msgspec.json.encode(_reading(one)))
        other = by_reading.setdefault(key, one)
        if other is not one:
            other.keys = {**other.keys, "paths": [*_paths(other), glob]}
            _add(other, one)
    return list(by_reading.values())


def _paths(one: Suggestion) -> list[str]:
    paths = one.keys["paths"]
    return [str(path) for path in paths] if isinstance(paths, list) else [str(paths)]


def _reading(one: Suggestion) -> Keys:
    return {key: value for key, value in one.keys.items() if key not in ("name", "paths")}


def _add(one: Suggestion, other: Suggestion) -> None:
    one.files += other.files
    one.lines += other.lines
    one.explained += other.explained


def document(endpoint: dict[str, str], proposals: Sequence[Proposal]) -> str:
    """Return the text of an agent.yaml."""
    lines = [
        "# Written by `shipper init`. `shipper check` validates it, `shipper schema` describes every key,",
        "# `shipper explain FILE` shows how a file is read, `shipper doctor` what keeps it from being shipped.",
        "",
        "endpoint:",
        *(f"  {key}: {value}" for key, value in endpoint.items()),
        "",
        "sources:",
    ]
    return "\n".join(lines) + "\n" + "\n".join(yaml_of(one.keys, one.comments) for one in proposals)


def write_checked(path: Path, text: str) -> None:
    """Write *text* to *path*, once the loader has found nothing wrong with it: beside it, then in its place.

    Raises:
        ConfigError: It would be refused; the messages name *path*, and nothing is written.
        UsageError: The folder cannot be written to.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        try:
            load(new, os.environ)
            new.replace(path)
        except ConfigError as error:
            raise ConfigError([one.replace(str(new), str(path)) for one in error.problems], error.excerpts) from None
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name another file with -o FILE") from None
