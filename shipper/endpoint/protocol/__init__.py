"""The ingest protocol as pure functions: a request to its answer, an event to its record.

No I/O, no clock, no logging. Source of every rule: the reference page,
sections 1 to 7 and 10; docs/endpoint.md maps each rule to its test.
"""

from shipper.endpoint.protocol.answers import NO_SPACE, Answer, Violation, refuse
from shipper.endpoint.protocol.common import common_attributes
from shipper.endpoint.protocol.forwarding import forward_form, rfc_3339
from shipper.endpoint.protocol.inflate import Inflater, inflate
from shipper.endpoint.protocol.limits import Limits, limits_for
from shipper.endpoint.protocol.mapping import event_instant, map_event
from shipper.endpoint.protocol.plain import plain_record
from shipper.endpoint.protocol.receive import receive
from shipper.endpoint.protocol.request import INGEST_PATHS, Request, check_head, is_compressed
from shipper.endpoint.protocol.severity import LEVELS, level_of, status_of
from shipper.endpoint.protocol.stamps import instant_of

__all__ = [
    "INGEST_PATHS",
    "LEVELS",
    "NO_SPACE",
    "Answer",
    "Inflater",
    "Limits",
    "Request",
    "Violation",
    "check_head",
    "common_attributes",
    "event_instant",
    "forward_form",
    "inflate",
    "instant_of",
    "is_compressed",
    "level_of",
    "limits_for",
    "map_event",
    "plain_record",
    "receive",
    "refuse",
    "rfc_3339",
    "status_of",
]
