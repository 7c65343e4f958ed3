"""Ready-made masks: no secret leaves, and what only looks like one stays."""

from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.load import load
from shipper.config.mask_presets import MASK_PRESETS, mask_rules
from shipper.config.rules import rules
from shipper.config.source_model import MaskKeys
from shipper.core.converter import compile_rule
from shipper.core.masks import CHECKS, compile_masks, is_card, is_iban
from shipper.core.model import Carry, Chunk, FileFacts, FileKey
from shipper.core.rule import RecordFormat, Rule

GITHUB = "ghp_" + "a1B2" * 9
DYNATRACE = "dt0c01." + "ABCD1234" * 3 + "." + "EFGH5678" * 8
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P-yQ"

SECRETS = [
    ("email", "mail from jane.doe+shop@mail.example.com failed", "jane.doe+shop@mail.example.com"),
    ("email", "to=<o'brien@example.co.uk>, relay", "o'brien@example.co.uk"),
    ("email", "user jürgen@müller.de logged in", "jürgen@müller.de"),
    ("email", "GET /reset?email=jane.doe%2Bshop%40example.com&x=1", "jane.doe%2Bshop%40example.com"),
    ("ipv4", "client 203.0.113.77:52100 connected", "203.0.113.77"),
    ("ipv4", "from...198.51.100.7.", "198.51.100.7"),
    ("ipv4", "padded 010.001.000.255 here", "010.001.000.255"),
    ("ipv6", "client [2001:db8::8a2e:370:7334]:443", "2001:db8::8a2e:370:7334"),
    ("ipv6", "src=2001:0db8:0000:0000:0000:ff00:0042:8329, dst", "2001:0db8:0000:0000:0000:ff00:0042:8329"),
    ("ipv6", "on fe80::1%eth0 and", "fe80::1"),
    ("ipv6", "mapped ::ffff:203.0.113.9.", "::ffff:203.0.113.9"),
    ("ipv6", "ip:2001:db8::1 seen", "2001:db8::1"),
    ("ipv6", "route 2001:db8::/32", "2001:db8::"),
    ("card", "card 4111 1111 1111 1111 declined", "4111 1111 1111 1111"),
    ("card", "card=5555-5555-5555-4444, 123", "5555-5555-5555-4444"),
    ("card", "amex 3782 822463 10005.", "3782 822463 10005"),
    ("card", "pan:6011111111111117;", "6011111111111117"),
    ("card", "order 221 4111 1111 1111 1111 cvv 123", "4111 1111 1111 1111"),
    ("card", "two 4111111111111111 5105105105105100", "4111111111111111|5105105105105100"),
    ("card", "maestro 6304 0000 0000 0000 000 used", "6304 0000 0000 0000 000"),
    ("iban", "to DE89 3704 0044 0532 0130 00 PAID", "DE89 3704 0044 0532 0130 00"),
    ("iban", "iban=GB29NWBK60161331926819,", "GB29NWBK60161331926819"),
    ("iban", "AT611904300234573201 AND NO9386011117947 TOO", "AT611904300234573201|NO9386011117947"),
    ("iban", "de89370400440532013000", "de89370400440532013000"),
    ("jwt", f"token={JWT};", JWT),
    ("bearer", "Authorization: Bearer abc123.def-456_ghi", "abc123.def-456_ghi"),
    ("bearer", '{"authorization": "Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"),
    ("api_token", f"cloning with {GITHUB}", GITHUB),
    ("api_token", f"Authorization: Api-Token {DYNATRACE}", DYNATRACE),
    ("api_token", "key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
    ("api_token", "GET /v1?api_key=s3cr3tValue&page=2", "s3cr3tValue"),
    ("api_token", '{"access_token":"zz-9 plural","expires":3600}', "zz-9 plural"),
    ("api_token", "X-Api-Key: 0123-secret", "0123-secret"),
    ("password", "login password=hunter2 user=bob", "hunter2"),
    ("password", '{"user":"bob","password": "hun\\"ter 2","n":1}', 'hun\\"ter 2'),
    ("password", r'body="{\"password\":\"hunter2\",\"a\":1}"', "hunter2"),
    ("password", r'body="{\"password\":\"hun\\\"ter2\",\"a\":1}"', r'hun\\\"ter2'),
    ("password", r'{"a":"{\"b\":\"{\\\"password\\\":\\\"hun ter2\\\",\\\"n\\\":1}\"}"}', "hun ter2"),
    ("password", "GET /login?body=%7B%22password%22%3A%22hunter2&next=password%3Dhunter2", "hunter2"),
    ("password", '<wsse:Password Type="http://example.com/x#PasswordText">hunter2</wsse:Password>', "hunter2"),
    ("password", "<password><![CDATA[hunter2]]></password>", "<![CDATA[hunter2"),
    ("password", "{'passwd': 'hunter2'}", "hunter2"),
    ("password", ":password=>\"hunter2\", :user=>\"bob\"", "hunter2"),
    ("password", "DB_PASSWORD=hunter2", "hunter2"),
    ("password", "Server=db;Pwd=hunter2;Uid=sa", "hunter2"),
    ("password", "<ns:Password>hunter2</ns:Password>", "hunter2"),
    ("password", "cmd: mysql --password hunter2 -h db", "hunter2"),
    ("password", "postgres://app:hunter2@db:5432/shop", "hunter2"),
    ("password", 'cut short: {"password": "hunter2', "hunter2"),
    ("password", "password=a,b tail", "a,b"),
    ("phone", "call +43 660 1234567 now", "+43 660 1234567"),
]  # fmt: skip

LOOK_ALIKES = [
    ("email", "ssh root@web01 and icon@2x, npm left-pad@1.3.0"),
    ("ipv4", "version 1.2.3.4.5 of 300.1.1.1 and 10.0.0"),
    ("ipv6", "12:34:56 std::vector::iterator aa:bb:cc:dd:ee:ff key::value :: x"),
    ("card", "1795463998250 ms, 20261125012806, order 4111111111111112"),
    ("card", "2026-11-25 20261125 0128 0600 id 41111111111111111111111"),
    ("iban", "DE89 3704 0044 0532 0130 01 and AB12CDEF3456GHIJ7890"),
    ("jwt", "eyJ is how they begin, key.with.dots"),
    ("bearer", "the bearer of bad news; Authorization: none"),
    ("api_token", "tokens=3 broken token, secretary: Bob, task-runner"),
    ("password", "Failed password for root from 10.0.0.1 port 22"),
    ("password", "password_reset=true passwordless=yes compass=north http://host:8080/a@b"),
    ("phone", "took 1234 ms at 2026-11-25 01:28:06.123"),
]


def masked(preset: str, text: str) -> str:
    mask = compile_masks(tuple(mask_rules(MaskKeys(preset=preset))))
    assert mask is not None
    return mask(text)


@pytest.mark.parametrize(("preset", "text", "secret"), SECRETS)
def test_a_secret_is_replaced_and_nothing_else_is(preset: str, text: str, secret: str) -> None:
    assert masked(preset, text) == re.sub("|".join(map(re.escape, secret.split("|"))), f"<masked-{preset}>", text)


@pytest.mark.parametrize(("preset", "text"), LOOK_ALIKES)
def test_what_only_looks_like_a_secret_stays(preset: str, text: str) -> None:
    assert masked(preset, text) == text


def test_every_preset_has_a_secret_and_a_look_alike() -> None:
    assert {preset for preset, _, _ in SECRETS} == {preset for preset, _ in LOOK_ALIKES} == set(MASK_PRESETS)


def test_every_check_of_a_preset_is_one_that_core_has() -> None:
    assert {one.check for patterns in MASK_PRESETS.values() for one in patterns} - {""} == set(CHECKS)


@pytest.mark.parametrize("preset", sorted(MASK_PRESETS))
def test_masking_twice_changes_nothing_more(preset: str) -> None:
    for text in [text for _, text, _ in SECRETS]:
        assert masked(preset, masked(preset, text)) == masked(preset, text)


@given(digits=st.text("0123456789", min_size=11, max_size=18), at=st.integers(0, 18), by=st.integers(1, 9))
def test_one_wrong_digit_makes_a_card_number_none(digits: str, at: int, by: int) -> None:
    """Luhn finds every single wrong digit."""
    card = next(card for n in range(10) if passes(card := "4" + digits[:14].ljust(14, "7") + str(n)))
    at = 1 + at % 15
    wrong = card[:at] + str((int(card[at]) + by) % 10) + card[at + 1 :]

    assert is_card(card)
    assert not is_card(wrong)


def passes(card: str) -> bool:
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(card)]
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


def test_two_digits_in_the_wrong_order_make_an_iban_none() -> None:
    assert is_iban("DE89370400440532013000")
    assert not is_iban("DE89370400440523013000")


HOSTILE = [
    "eyJ-" * 20_000,
    "a" * 50_000 + "@",
    "1" * 60_000,
    "4111 " * 12_000,
    "a:" * 30_000,
    "AB12" * 15_000,
    '"password":"' + "\\" * 60_000,
    "password=" * 7_000,
    "x://" + ":" * 60_000,
    "::" * 30_000,
]


@pytest.mark.parametrize("preset", sorted(MASK_PRESETS))
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_a_preset_take_more_than_its_length(preset: str, text: str) -> None:
    """Four times the text takes about four times as long: the shortest of some runs is compared, in CPU time."""
    short, long = cpu_seconds(preset, text[: len(text) // 4]), cpu_seconds(preset, text)

    assert long < 12 * short + 0.02


def cpu_seconds(preset: str, text: str) -> float:
    best = 1e9
    for _ in range(2):
        begin = time.process_time()
        masked(preset, text)
        best = min(best, time.process_time() - begin)
    return best


AGENT = """
sources:
  - name: shop
    paths: [/x.log]
    format: {format}
    mask: [{masks}]
"""


@pytest.mark.parametrize("fmt", ["raw", "json", "logfmt"])
def test_no_secret_is_anywhere_in_the_payload(fmt: str, tmp_path: Path) -> None:
    """Content and attributes alike, where a key's name is all that tells a secret from a word."""
    secrets = ["hunter2", "4111111111111111", "s3cr3tValue", "jane@example.com", "203.0.113.77"]
    line = {
        "json": '{"msg":"hi","password":"hunter2","db":{"password":"hunter2"},"pan":4111111111111111,'
        '"api_key":"s3cr3tValue","mails":["jane@example.com"],"ip":"203.0.113.77"}',
        "logfmt": "msg=hi password=hunter2 pan=4111111111111111 api_key=s3cr3tValue mail=jane@example.com "
        "ip=203.0.113.77",
        "raw": "hi password=hunter2 pan=4111111111111111 api_key=s3cr3tValue jane@example.com 203.0.113.77",
    }[fmt]
    path = tmp_path / "agent.yaml"
    masks = ", ".join(f"{{preset: {name}}}" for name in MASK_PRESETS)
    path.write_text(AGENT.format(format=fmt, masks=masks))
    config = load(path, {})
    converter = compile_rule(rules(config, config.sources[0], {}, "host"))
    data = line.encode() + b"\n"

    facts = FileFacts(FileKey(1, 0), "/x.log", "x.log", 0)
    payload = bytes(converter.convert(Chunk(0, len(data), data), facts, Carry(), 1_795_463_998_000).json).decode()

    assert [secret for secret in secrets if secret in payload] == []
    assert msgspec.json.decode(payload)["content"].startswith(re.split(r"hunter2", line)[0])


def test_a_group_named_password_is_masked_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(
        "sources: [{name: a, paths: [/x], pattern: '^(?P<user>\\S+) (?P<password>\\S+)$',"
        " mask: [{pattern: ' (\\S+)$'}, {preset: password}]}]"
    )
    config = load(path, {})
    converter = compile_rule(rules(config, config.sources[0], {}, "host"))
    facts = FileFacts(FileKey(1, 0), "/x", "x", 0)

    event = msgspec.json.decode(
        bytes(converter.convert(Chunk(0, 12, b"bob hunter2\n"), facts, Carry(), 1_795_463_998_000).json)
    )

    assert (event["content"], event["user"], event["password"]) == ("bob ****", "bob", "<masked-password>")


_LINES = st.lists(
    st.one_of(st.sampled_from([text for _, text, _ in SECRETS]), st.sampled_from([text for _, text in LOOK_ALIKES])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(presets=st.lists(st.sampled_from(sorted(MASK_PRESETS)), min_size=1, unique=True), lines=_LINES)
def test_the_compiled_converter_masks_what_the_reference_reader_masks(presets: list[str], lines: list[str]) -> None:
    rule = Rule(
        source="a", layout="pattern", format=RecordFormat.PATTERN, patterns=(r"(?P<password>\S+) (?P<rest>.*)",),
        masks=tuple(one for preset in presets for one in mask_rules(MaskKeys(preset=preset))),
    )  # fmt: skip
    data = "".join(line + "\n" for line in lines).encode()
    chunk, facts = Chunk(0, len(data), data), FileFacts(FileKey(1, 0), "/x", "x", 0)
    converter = compile_rule(rule)

    fast = converter.convert(chunk, facts, Carry(), 1_795_463_998_000)
    slow = converter.convert_slowly(chunk, facts, Carry(), 1_795_463_998_000)

    assert msgspec.json.decode(b"[" + bytes(fast.json) + b"]") == msgspec.json.decode(b"[" + bytes(slow.json) + b"]")
