"""Where in which file a value stands: what a check needs to say that it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from shipper.config.problems import KeyPath, Problems, path_text
from shipper.config.yaml_tree import Node, Position, Scalar, value_at


@dataclass(frozen=True, slots=True)
class Place:
    """A value of a file, or the place where it would stand."""

    problems: Problems
    root: Node
    path: KeyPath = ()

    def at(self, *steps: str | int) -> Place:
        """Return the place that *steps* lead to from here."""
        return Place(self.problems, self.root, (*self.path, *steps))

    def wrong(self, text: str, *, at: int | None = None) -> None:
        """Note that the value here is wrong; *at* is the character of a text where it goes wrong."""
        line, column = self._position(at)
        self.problems.add(self.path, text, line=line, column=column)

    @property
    def line(self) -> int:
        """Line of the value, or of the nearest thing round it that is written."""
        return value_at(self.root, self.path)[1].line

    def _position(self, at: int | None) -> Position:
        node, position = value_at(self.root, self.path)
        if at is None or not isinstance(node, Scalar):
            return position
        begin = position.column - 1 + (not node.is_plain)
        # An escape, a reference or a second line of the text: the character stands elsewhere.
        stands_there = self.problems.source_line(position.line)[begin:].startswith(node.text[: at + 1])
        return Position(position.line, begin + at + 1) if stands_there else position

    @property
    def has_problem(self) -> bool:
        """Whether the value here, or one in it, is known to be wrong."""
        return self.problems.any_under(self.path)

    def __str__(self) -> str:
        """Return the place as messages name it: `agent.yaml:14: sources[2].pattern`."""
        return f"{self.problems.file}:{self.line}: {path_text(self.path)}"
