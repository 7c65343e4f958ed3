"""Ships real logs to a real `shipper endpoint` with `run --once`, twice, and counts what stands there then.

    python -m tests.end_to_end.corpus_run [FOLDER...]

Without folders: every source of the corpus beside the checkout (`../shared/corpus`), and this host's /var/log.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.agent_process import run_once, write_config
from tests.endpoint.endpoint_process import EndpointProcess

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
HOST_LOGS = Path("/var/log")


class Row(NamedTuple):
    """One source: the records that it has, and those that arrived."""

    source: str
    wanted: int
    arrived: int


class Run(NamedTuple):
    """What two runs over the same files gave."""

    rows: list[Row]
    first: dict[str, object]
    second: dict[str, object]
    events: int


def corpus_sources() -> dict[str, int]:
    """Return the corpus's sources and how many records the truth has of each."""
    truths = sorted(CORPUS.glob("**/truth.ndjson"))
    return {path.parent.relative_to(CORPUS).as_posix(): len(path.read_bytes().splitlines()) for path in truths}


def ship(folder: Path, sources: list[dict[str, object]], wanted: dict[str, int]) -> Run:
    """Ship *sources* twice to an endpoint of their own in *folder*; *wanted* are records by source."""
    endpoint = EndpointProcess(folder / "store")
    try:
        config = write_config(folder, f"http://127.0.0.1:{endpoint.port}/v2/logs/ingest", sources)
        first, second = run_once(config), run_once(config)
        arrived: Counter[str] = Counter()
        events = endpoint.events(limit=1000)
        for event in events:
            attributes = event["attributes"]
            assert isinstance(attributes, dict)
            # A record that was split counts once: by its first part.
            if str(attributes.get("log.part", "1")).partition("/")[0] == "1":
                arrived[str(attributes["log.source"])] += 1
    finally:
        endpoint.kill()
    assert (first[0], second[0]) == (0, 0)
    rows = [Row(name, wanted.get(name, arrived[name]), arrived[name]) for name in (wanted or arrived)]
    return Run(rows, first[1], second[1], len(events))


def ship_corpus(folder: Path) -> Run:
    """Ship every source of the corpus, by no rule but the encoding that nothing in the file tells."""
    wanted = corpus_sources()
    sources: list[dict[str, object]] = []
    for name in wanted:
        source: dict[str, object] = {"name": name, "paths": [str(CORPUS / name / "sample.log")]}
        sources.append(source | ({"encoding": "latin-1"} if name == "nasty/latin1" else {}))
    return ship(folder, sources, wanted)


def ship_host_logs(folder: Path) -> Run:
    """Ship what /var/log of this machine holds."""
    return ship(folder, [{"name": "var-log", "paths": [f"{HOST_LOGS}/**"]}], {})


def main() -> None:
    """Print the tables."""
    for title, shipped in (("corpus", ship_corpus), (str(HOST_LOGS), ship_host_logs)):
        if shipped is ship_corpus and not CORPUS.is_dir():
            print(f"no corpus at {CORPUS}: not shipped")
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = shipped(Path(folder))
        print(f"\n{title}: {run.events} events at the endpoint\n\n| source | records | arrived |\n|---|---|---|")
        for row in run.rows:
            print(f"| {row.source} | {row.wanted} | {row.arrived} |")
        print(f"\nfirst run:  {json.dumps(run.first)}\nsecond run: {json.dumps(run.second)}")


if __name__ == "__main__":
    main()
