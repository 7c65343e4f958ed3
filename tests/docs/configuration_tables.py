"""The tables of docs/configure.md, made from the JSON Schema of agent.yaml.

`python -m tests.docs.configuration_tables` writes them into the page, between its marks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from shipper.config.schema import document_schema
from tests.docs.pages import ROOT

PAGE: Final = ROOT / "docs" / "configure.md"
MARKED: Final = re.compile(r"(<!-- table of (\S+) -->\n)(.*?)(<!-- end of the table -->)", re.DOTALL)

_STATED: Final = re.compile(r"[;.] (?:[Dd]efault ((?:[^;.]|\.\w|/\.)+)|off by default)")


def table(name: str) -> str:
    """Return the table *name*: `document` (all but sources) or `source`."""
    schema = document_schema()
    definitions: Mapping[str, Any] = schema["$defs"]  # type: ignore[assignment]
    root: Mapping[str, Any] = {"document": schema, "source": definitions["Source"]}[name]
    rows = [f"| {key} | {default} | {text} |" for key, default, text in _rows(root, definitions, "")]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows]) + "\n"


def written(page: str) -> str:
    """Return *page* with its tables as they should be."""
    return MARKED.sub(lambda found: found[1] + "\n" + table(found[2]) + "\n" + found[4], page)


def _rows(struct: Mapping[str, Any], definitions: Mapping[str, Any], above: str) -> list[tuple[str, str, str]]:
    rows = list[tuple[str, str, str]]()
    for key, one in struct["properties"].items():
        is_required = key in struct.get("required", ())
        default = "must be given" if is_required else _default(one)
        rows.append((f"`{above}{key}`", _cell(default), _cell(_STATED.sub("", one["description"]))))
        inner = _inner(one)
        if inner and inner != "Source":  # which has a table of its own
            is_list = "items" in str(one)
            rows += _rows(definitions[inner], definitions, f"{above}{key}{'[]' if is_list else ''}.")
    return rows


def _inner(schema: Mapping[str, Any]) -> str:
    """Return the name of the struct that a value, or each item of a list, is."""
    found = re.search(r"'\$ref': '#/\$defs/(\w+)'", str(schema))
    return found[1] if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _default(schema: Mapping[str, Any]) -> str:
    if "default" not in schema:
        # What depends on something else, or is put in late, is told in the description alone.
        stated = _STATED.search(schema["description"])
        return (stated[1] or "off") if stated else "" if _inner(schema) else "none"
    value = schema["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
