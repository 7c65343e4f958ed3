"""Every answer of the reference page's section 3, and those of gateways and strangers on the port, has one verdict."""

from __future__ import annotations

import json

import pytest

from shipper.core.delivery import LONGEST_RETRY_AFTER_SECONDS, Action, Response, classify, message_of, retry_after

NOW_S = 1_795_464_000.0  # 2026-11-23T20:00:00Z
PAGE = b"<!DOCTYPE html>\n<html><body><h1>400</h1> Bad   Request</body></html>"


def envelope(key: str, message: str, **more: object) -> bytes:
    return json.dumps({key: {"code": 0, "message": message, **more}}).encode()


def verdict_of(status: int, body: bytes = b"", **headers: str) -> Action:
    return classify(Response(status, headers, body), NOW_S).action


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(204, b"", Action.ACCEPTED, id="204"),
        pytest.param(200, b"", Action.ACCEPTED, id="200_of_old_servers"),
        pytest.param(202, b"", Action.ACCEPTED, id="202"),
        pytest.param(200, PAGE, Action.HOLD, id="200_web_page_of_a_stranger"),
        pytest.param(202, b"\n <HTML><p>hello", Action.HOLD, id="202_web_page"),
        pytest.param(400, b"", Action.BISECT, id="400_without_body"),
        pytest.param(400, envelope("error", "invalid JSON"), Action.BISECT, id="400_envelope"),
        pytest.param(400, PAGE, Action.BISECT, id="400_web_page"),
        pytest.param(
            400, envelope("error", "All logs are out of correct time range."), Action.EXPIRED, id="400_all_too_old"
        ),
        pytest.param(
            400,
            envelope("error", "One or all logs are out of correct time range."),
            Action.EXPIRED,
            id="400_of_the_eec",
        ),
        pytest.param(401, envelope("error", "Missing authorization parameter"), Action.HOLD, id="401"),
        pytest.param(402, b"", Action.HOLD, id="402"),
        pytest.param(403, PAGE, Action.HOLD, id="403"),
        pytest.param(404, b"", Action.HOLD, id="404"),
        pytest.param(405, b"", Action.HOLD, id="405"),
        pytest.param(407, b"", Action.HOLD, id="407_proxy_wants_a_password"),
        pytest.param(408, b"", Action.RETRY, id="408"),
        pytest.param(413, b"", Action.SPLIT, id="413"),
        pytest.param(
            413, envelope("error", "Message size limit exceeded after preprocessing"), Action.SPLIT, id="413_after"
        ),
        pytest.param(415, envelope("error", "Unsupported Content-Type"), Action.HOLD, id="415"),
        pytest.param(418, b"", Action.HOLD, id="4xx_unknown"),
        pytest.param(425, b"", Action.RETRY, id="425"),
        pytest.param(429, b"", Action.RETRY, id="429"),
        pytest.param(500, PAGE, Action.RETRY, id="500_web_page"),
        pytest.param(501, b"", Action.HOLD, id="501"),
        pytest.param(502, b"", Action.RETRY, id="502"),
        pytest.param(503, envelope("error", "Usable space limit reached"), Action.RETRY, id="503_full"),
        pytest.param(504, b"", Action.RETRY, id="504"),
        pytest.param(599, b"", Action.RETRY, id="5xx_unknown"),
        pytest.param(301, b"", Action.HOLD, id="301"),
        pytest.param(302, PAGE, Action.HOLD, id="302"),
        pytest.param(101, b"", Action.HOLD, id="101_nobody_asked_to_switch"),
        pytest.param(999, b"", Action.RETRY, id="999"),
    ],
)
def test_every_answer_has_a_verdict(status: int, body: bytes, expected: Action) -> None:
    assert verdict_of(status, body) is expected


@pytest.mark.parametrize(
    ("body", "action", "refused", "indexes"),
    [
        pytest.param(
            envelope("details", "2 events were not ingested because of timestamp out of correct time range"),
            Action.PARTIAL, 2, (), id="count_in_details",
        ),
        pytest.param(
            envelope("success", "1531 events were not ingested because of timestamp out of correct time range."),
            Action.PARTIAL, 1531, (), id="count_in_success",
        ),
        pytest.param(envelope("details", "1 event was not ingested"), Action.PARTIAL, 1, (), id="one"),
        pytest.param(
            envelope("details", "2 events were not ingested", rejected=[3, 17]),
            Action.PARTIAL, 2, (3, 17), id="named_by_our_own_endpoint",
        ),
        pytest.param(envelope("details", "trimmed", rejected=[]), Action.ACCEPTED, 0, (), id="none_named"),
        pytest.param(
            envelope("details", "x", rejected=[True, -1, "2", 5]), Action.PARTIAL, 1, (5,), id="nonsense_among_indexes"
        ),
        pytest.param(
            envelope("details", "Event(s) have attributes that are too nested for records: 0, 4"),
            Action.ACCEPTED, 0, (), id="nesting_is_no_loss",
        ),
        pytest.param(envelope("details", "some were limited"), Action.PARTIAL, 0, (), id="says_no_number"),
        pytest.param(b"{}", Action.PARTIAL, 0, (), id="empty_object"),
        pytest.param(b'{"details": 7}', Action.PARTIAL, 0, (), id="no_envelope"),
        pytest.param(b'["not", "an", "object"]', Action.PARTIAL, 0, (), id="a_list"),
        pytest.param(b"\xff\xfe\x00", Action.PARTIAL, 0, (), id="no_text"),
    ],
)  # fmt: skip
def test_a_200_says_what_was_refused(body: bytes, action: Action, refused: int, indexes: tuple[int, ...]) -> None:
    verdict = classify(Response(200, {}, body), NOW_S)

    assert (verdict.action, verdict.refused, verdict.indexes) == (action, refused, indexes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("0.5", 0.5, id="fraction"),
        pytest.param("0", None, id="zero"),
        pytest.param("-3", None, id="negative"),
        pytest.param("nan", None, id="nan"),
        pytest.param("inf", LONGEST_RETRY_AFTER_SECONDS, id="infinite"),
        pytest.param("86400", LONGEST_RETRY_AFTER_SECONDS, id="a_day"),
        pytest.param("Mon, 23 Nov 2026 20:00:30 GMT", 30.0, id="date"),
        pytest.param("Mon, 23 Nov 2026 19:59:00 GMT", None, id="past_date"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_SECONDS, id="absurd_date"),
        pytest.param("Mon, 99 Foo 2026 25:61:61 GMT", None, id="no_date"),
        pytest.param("soon", None, id="word"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, expected: float | None) -> None:
    assert retry_after(text, NOW_S) == expected


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_retry_after_is_honoured_whatever_asks_for_a_retry(status: int) -> None:
    assert classify(Response(status, {"retry-after": "7"}, b""), NOW_S).wait_seconds == 7.0


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404, 405, 415, 418, 501])
def test_what_is_held_names_a_mend(status: int) -> None:
    assert classify(Response(status, {}, b""), NOW_S).mend


def test_a_redirect_names_the_address_to_use() -> None:
    verdict = classify(Response(308, {"location": "https://x.live.example/"}, b""), NOW_S)

    assert "https://x.live.example/" in verdict.mend


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(envelope("error", "two\n lines"), "two lines", id="one_line"),
        pytest.param(PAGE, "400 Bad Request", id="web_page_without_tags"),
        pytest.param(b"plain", "plain", id="text"),
        pytest.param(b"", "", id="empty"),
        pytest.param(envelope("error", "x" * 1000), "x" * 300, id="shortened"),
        pytest.param(b'{"error": {"message": 5}}', '{"error": {"message": 5}}', id="message_is_no_text"),
    ],
)
def test_what_the_endpoint_says_is_one_short_line(body: bytes, expected: str) -> None:
    assert message_of(body) == expected
