"""The import table of docs/design.md, held: a room may import only from the rooms named beside it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "shipper"

MAY_IMPORT = {
    "errors": set[str](),
    "service_notify": set[str](),
    "core": {"core", "errors"},
    "config": {"config", "core", "errors", "formats"},
    "adapters": {"core", "config", "errors"},
    "endpoint": {"endpoint", "errors", "service_notify"},
    "pipeline": {"pipeline", "adapters", "config", "core", "errors", "service_notify"},
    "cli": {"cli", "pipeline", "adapters", "config", "core", "endpoint", "errors", "service_notify"},
    "formats": set[str](),
    "__main__": {"cli"},
}
IMPURE = {
    "os", "io", "socket", "threading", "asyncio", "time", "logging", "random", "subprocess", "pathlib",
    "aiohttp", "aiofiles", "sqlite3", "watchdog", "tempfile", "shutil", "signal", "selectors", "yaml",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts != ("__init__.py",))


def imported(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which room it reaches into"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    room = parts[0].removesuffix(".py")
    names = imported(path)

    rooms = {name.split(".")[1] for name in names if name.startswith("shipper.")} - {"__version__"}
    assert rooms <= MAY_IMPORT.get(room, set()) | ({room} if room in MAY_IMPORT else set())
    if room == "adapters":
        own = path.stem
        others = {n.split(".")[2] for n in names if n.startswith("shipper.adapters.")}
        assert {o for o in others if not o.startswith(own) and not own.startswith(o)} <= FAMILIES.get(own, set())
    if room == "core":
        assert not {name.split(".")[0] for name in names} & IMPURE


# A part of an adapter that was split off for its length may be imported by its own family only.
FAMILIES = {
    "backfill_store": {"offsets_files", "offsets_schema"},
    "discovery_siblings": {"discovery_content", "discovery_directories"},
    "offsets": {"offsets_schema", "offsets_thread"},
    "offsets_look": {"offsets_files", "offsets_life", "offsets_schema"},
    "offsets_opening": {"offsets_files", "offsets_life", "offsets_schema", "offsets_spans"},
    "offsets_schema": {"offsets_spans"},
    "offsets_snapshot": {"offsets_files", "offsets_life", "offsets_schema", "offsets_spans"},
    "texts": {"compressed", "compressed_bytes"},
    "watch": {"file_systems"},
}
