"""What can go wrong, by who acts next.

::

    ShipperError
      ConfigError         the operator edits agent.yaml     exit 78, before anything starts
      UsageError          the operator edits the command    exit 2
      StateError          the operator repairs the state    exit 74, nothing overwritten
        StateDamaged
        StateLocked       another agent holds it            exit 75
      SourceError         nobody: retried at the next turn  logged once per change of state
        FileUnreadable
        FileVanished
      DeliveryError       the sender: as the verdict says
        EndpointUnreachable

Adapters turn foreign errors into these; core returns verdicts and raises only
on a broken precondition. Exit codes: the "Commands" table of the spec page.
"""

from typing import ClassVar, NamedTuple


class ShipperError(Exception):
    """Base of everything shipper raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigPlace(NamedTuple):
    """Where in a configuration something is wrong, and *text*, what: lines and columns from 1, column 0 not known."""

    file: str
    line: int
    column: int
    key: str
    text: str


class ConfigError(ShipperError):
    """agent.yaml is wrong; the message has one line for each problem found."""

    exit_code = 78

    def __init__(
        self, problems: list[str], excerpts: list[str] | None = None, places: list[ConfigPlace] | None = None
    ) -> None:
        """Keep every problem, so that the operator mends the file in one go.

        *excerpts* has a place for each problem: the line of the file with a caret under it, empty where there is none.
        *places* has the same in parts, for programs; None where the problem is not one of a line.
        """
        super().__init__("\n".join(problems))
        self.problems = problems
        self.excerpts = excerpts or [""] * len(problems)
        self.places: list[ConfigPlace | None] = [*places] if places else [None] * len(problems)


class UsageError(ShipperError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class StateError(ShipperError):
    """The state directory cannot be used as it is."""

    exit_code = 74


class StateDamaged(StateError):
    """A state file failed its check and was set aside under another name."""


class StateLocked(StateError):
    """Another agent holds the state directory."""

    exit_code = 75


class SourceError(ShipperError):
    """A log file cannot be read just now."""


class FileUnreadable(SourceError):
    """Permission is missing, or the device answers with an error."""


class FileVanished(SourceError):
    """The path leads to no file any more."""


class DeliveryError(ShipperError):
    """A request got no usable answer."""


class EndpointUnreachable(DeliveryError):
    """No connection, no answer in time, or an answer cut short."""
