"""What goes on to the tenant is the original, complete in itself: section 10."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.endpoint.protocol import forward_form, map_event
from tests.endpoint.protocol.asking import LIMITS, NOW, NOW_MS, context, own_attributes
from tests.endpoint.protocol.test_fuzz import EVENT


@pytest.mark.parametrize("event", [
    b'{"content":"x","timestamp":"yesterday"}', b' {"TS" : 1.0}', b'{"syslog":{"timestamp":1}}', b'{"@t":"x","a":{}}',
])  # fmt: skip
def test_an_event_with_a_timestamp_goes_on_byte_by_byte(event: bytes) -> None:
    assert forward_form(event, context(), LIMITS) == event


@pytest.mark.parametrize(("event", "sent"), [
    (b'{"content": 1.00}', b'{"timestamp":"%b","content": 1.00}'),
    (b' {"big":123456789012345678901234567890}', b'{"timestamp":"%b","big":123456789012345678901234567890}'),
    (b"{}", b'{"timestamp":"%b"}'),
    (b'{"timestamp":{"a":1}}', b'{"@timestamp":"%b","timestamp":{"a":1}}'),
    (b'{"a":1.50,"timestamp":null}', b'{"a":1.50,"timestamp":"%b"}'),
])  # fmt: skip
def test_an_event_without_one_gets_its_time_of_receipt(event: bytes, sent: bytes) -> None:
    assert forward_form(event, context(), LIMITS) == sent % NOW.encode()


def test_the_requests_attributes_are_put_in_and_win() -> None:
    said = context(query=[("team", "q")], header=[("team", "h"), ("tag", ["1", "2"])])

    sent = forward_form(b'{"team":"b","timestamp":1.50,"big":123456789012345678901234567890}', said, LIMITS)
    assert sent == (
        b'{"team":"q","tag":["1","2"],"overwritten1.team":"b","timestamp":1.50,"big":123456789012345678901234567890}'
    )


@given(event=EVENT, query=st.lists(st.tuples(st.sampled_from(["team", "aa", "content"]), st.just("q")), max_size=2))
def test_the_tenant_gets_the_record_that_we_have(event: dict[str, object], query: list[tuple[str, str]]) -> None:
    """The same rules applied at any later time give the same record."""
    said = context(query=[*dict(query).items()])
    later = context(received_ms=NOW_MS + 5000)
    ours = map_event(msgspec.json.decode(msgspec.json.encode(event)), said, LIMITS)

    theirs = map_event(msgspec.json.decode(forward_form(msgspec.json.encode(event), said, LIMITS)), later, LIMITS)

    assert (theirs.loglevel, theirs.status) == (ours.loglevel, ours.status)
    assert own_attributes(theirs) == own_attributes(ours)
