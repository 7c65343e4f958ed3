"""docs/faq.md answers each complaint, and says where shipper is no better."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\*\*(\d+)\. [^*]+[.?]\*\* (.+?)(?=\n\n|\Z)", TEXT, re.MULTILINE | re.DOTALL)


def test_all_forty_nine_complaints_are_answered_in_order() -> None:
    assert [int(number) for number, _ in ANSWERS] == list(range(1, 50))


def test_an_answer_is_short() -> None:
    long = [number for number, answer in ANSWERS if len(re.findall(r"[.!?](?=\s|$)", answer)) > 4]

    assert long == []


def test_the_page_says_where_shipper_is_no_better() -> None:
    assert len([answer for _, answer in ANSWERS if "**" in answer]) >= 5
    assert "## And what it does not do" in TEXT
