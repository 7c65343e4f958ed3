"""docs/configure.md names every key of agent.yaml, with the default that the loader gives it."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from shipper.cli import shipper
from tests.docs.configuration_tables import MARKED, PAGE, table

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["document", "source"])
def test_the_table_is_that_of_the_schema(name: str) -> None:
    """Where this fails, run `python -m tests.docs.configuration_tables`."""
    shown = {found[1]: found[2].strip() for found in MARKED.findall(TEXT)}

    assert shown[name] == table(name).strip()


def test_every_key_that_shipper_schema_prints_is_on_the_page() -> None:
    schema = json.loads(CliRunner().invoke(shipper, ["schema"]).output)
    structs = [schema, *schema["$defs"].values()]
    keys = {key for struct in structs for key in struct["properties"]}

    named = {
        part.rstrip("[]") for key in re.findall(r"^\| `([\w.\[\]]+)` \|", TEXT, re.MULTILINE) for part in key.split(".")
    }

    assert keys - named == set()
