"""Where in which file a value stands: what a check needs to say that it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from shipper.config.problems import KeyPath, Problems, path_text
from shipper.config.yaml_tree import Node, line_of


@dataclass(frozen=True, slots=True)
class Place:
    """A value of a file, or the place where it would stand."""

    problems: Problems
    root: Node
    path: KeyPath = ()

    def at(self, *steps: str | int) -> Place:
        """Return the place that *steps* lead to from here."""
        return Place(self.problems, self.root, (*self.path, *steps))

    def wrong(self, text: str) -> None:
        """Note that the value here is wrong."""
        self.problems.add(self.path, text, line=self.line)

    @property
    def line(self) -> int:
        """Line of the value, or of the nearest thing round it that is written."""
        return line_of(self.root, self.path)

    @property
    def has_problem(self) -> bool:
        """Whether the value here, or one in it, is known to be wrong."""
        return self.problems.any_under(self.path)

    def __str__(self) -> str:
        """Return the place as messages name it: `agent.yaml:14: sources[2].pattern`."""
        return f"{self.problems.file}:{self.line}: {path_text(self.path)}"
