"""What Prometheus gets: every family documented, every rule and panel on a figure that is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shipper.pipeline.forecast import Forecast
from shipper.pipeline.health import Colour, HealthView, Reason
from shipper.pipeline.metrics import Metrics
from shipper.pipeline.status import Answers, Backlog, DeadLetterStatus, EndpointStatus, SourceStatus, Status
from shipper.pipeline.timings import Timings
from shipper.pipeline.totals import Totals
from tests.patience import PATIENCE_SECONDS

ROOT: Final = Path(__file__).parents[2]
MONITORING: Final = ROOT / "packaging" / "monitoring"
NAME: Final = re.compile(r"\b(?:shipper|process)_[a-z_]+\b")
STATUS: Final = Status(
    at_ms=1_795_464_000_000,
    version="0.1.0",
    started_ms=1_795_460_000_500,
    ready=True,
    health=HealthView(
        Colour.RED,
        (
            Reason("file_stalled", "/l/a.log grew and was not read", 1, source="shop", file="/l/a.log"),
            Reason("file_stalled", "/l/b.log grew and was not read", 2, source="shop", file="/l/b.log"),
            Reason("late", "the endpoint is slow", 3, colour=Colour.YELLOW),
        ),
    ),
    endpoint=EndpointStatus(
        url="http://127.0.0.1/", state="refusing", since_ms=1_795_463_000_000, answers=[Answers("503", 7, 1)]
    ),
    backlog=Backlog(held_bytes=5, budget_bytes=10, pending_records=3),
    totals=Totals(),
    dead_letters=DeadLetterStatus(2, 300, 1000),
    saving_problem="disk full",
    forecasts=[
        Forecast(kind="deletion", source="shop", path="/l/a.log.5", unread_bytes=180, in_seconds=420.0, text="soon"),
        Forecast(kind="deletion", source="shop", path="/l/a.log.6", unread_bytes=20, in_seconds=480.0, text="soon"),
    ],
    spill_bytes=77,
    spill_limit_bytes=1 << 30,
    sources=[
        SourceStatus(
            name='sh"op\\', files={"following": 2}, unread_bytes=100, lag_bytes=150, lag_seconds=2.5,
            newest_ms=1_795_464_000_123, problems=1,
            counts={"read": 30, "acked": 20, "filtered_drop": 4, "dead_rejected": 1, "dead_odd": 2, "lost_bytes": 9},
        ),
        SourceStatus(name="web"),
    ],
    skipped={"binary": 2, "compressed": 1},
)  # fmt: skip


def page(status: Status = STATUS) -> str:
    append_to_ack = Timings([0.1, 1.0])
    append_to_ack.observe(0.05, 30)
    return Metrics(append_to_ack, Timings()).page(status)[0].decode()


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page())
        for sample in family.samples
    }


SHOP: Final = ("source", 'sh"op\\')


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("shipper_health", [("colour", "red")], 1),
        ("shipper_health", [("colour", "green")], 0),
        ("shipper_health_reason", [("code", "file_stalled"), ("colour", "red"), ("source", "shop")], 1),
        ("shipper_health_reason", [("code", "late"), ("colour", "yellow"), ("source", "")], 1),
        ("shipper_read_records_total", [SHOP], 30),
        ("shipper_read_records_total", [("source", "web")], 0),
        ("shipper_filtered_records_total", [("reason", "drop"), SHOP], 4),
        ("shipper_filtered_records_total", [("reason", "keep"), SHOP], 0),
        ("shipper_dead_lettered_records_total", [("reason", "odd"), SHOP], 2),
        ("shipper_lost_bytes_total", [SHOP], 9),
        ("shipper_files", [SHOP, ("state", "following")], 2),
        ("shipper_lag_seconds", [SHOP], 2.5),
        ("shipper_newest_record_timestamp_seconds", [SHOP], 1_795_464_000.123),
        ("shipper_endpoint_state", [("state", "refusing")], 1),
        ("shipper_endpoint_state_timestamp_seconds", [], 1_795_463_000),
        ("shipper_requests_total", [("status", "503")], 7),
        ("shipper_append_to_ack_seconds_bucket", [("le", "0.1")], 30),
        ("shipper_append_to_ack_seconds_bucket", [("le", "+Inf")], 30),
        ("shipper_append_to_ack_seconds_sum", [], 1.5),
        ("shipper_offset_saving_failed", [], 1),
        ("shipper_skipped_files", [], 3),
        ("shipper_dead_letter_limit_bytes", [], 1000),
        ("shipper_forecast_warnings", [("kind", "deletion")], 2),
        ("shipper_forecast_bytes", [("kind", "deletion")], 200),
        ("shipper_forecast_bytes", [("kind", "window")], 0),
        ("shipper_spill_bytes", [], 77),
        ("shipper_start_time_seconds", [], 1_795_460_000.5),
    ],
    ids=str,
)
def test_a_figure_arrives_under_its_name(name: str, labels: list[tuple[str, str]], value: float) -> None:
    assert samples()[name, tuple(sorted(labels))] == pytest.approx(value)


def test_what_is_not_known_is_left_out_and_not_said_to_be_nothing() -> None:
    assert ("shipper_lag_seconds", (("source", "web"),)) not in samples()


def test_names_follow_the_conventions() -> None:
    for family in text_string_to_metric_families(page()):
        names = {sample.name for sample in family.samples}
        assert family.type != "counter" or all(name.endswith("_total") for name in names), family.name
        assert not (family.type == "gauge" and family.name.endswith("_total")), family.name
        assert family.documentation.endswith("."), family.name
        assert "milli" not in family.name
        assert "path" not in {label for sample in family.samples for label in sample.labels}


def families() -> set[str]:
    """Return the names as one asks for them: with `_total`, without `_bucket`."""
    found = set()
    for family in text_string_to_metric_families(page()):
        if family.name.startswith("shipper_"):
            found.add(family.name + ("_total" if family.type == "counter" else ""))
    return found


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(shipper_[a-z_]+)` \|", text, re.MULTILINE))

    assert documented == families()


def expressions() -> list[tuple[str, str]]:
    """Return every question that the rules and the dashboard ask, with where it stands."""
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    found = [(rule["alert"], str(rule["expr"])) for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    found += [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    found += [(v["name"], str(v["definition"])) for v in dashboard["templating"]["list"] if "definition" in v]
    found += [(a["name"], a["expr"]) for a in dashboard["annotations"]["list"] if "expr" in a]
    return found


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=str)
def test_what_rules_and_panels_ask_for_is_there(where: str, expression: str) -> None:
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(expression)} - {"process"}
    known = families() | {
        "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
    }  # fmt: skip

    assert asked or "up{" in expression, where
    assert asked <= known


def test_the_dashboard_is_what_grafana_can_import() -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}

    assert dashboard["uid"] == "shipper-agents"
    assert dashboard["schemaVersion"] >= 36
    assert "id" not in dashboard  # it is the importing Grafana's to give
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        used = {name for target in panel["targets"] for name in re.findall(r"\$(\w+)", target["expr"])}
        assert used <= variables | {"__rate_interval", "__range", "__interval"}


# -- promtool, where it is installed ---------------------------------------------------------------------

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing")


def promtool(*arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_page() -> None:
    promtool("check", "metrics", text=page())


@needs_promtool
def test_promtool_takes_the_rules_and_they_fire_as_their_tests_say() -> None:
    promtool("check", "config", str(MONITORING / "prometheus.yml"))
    promtool("test", "rules", str(MONITORING / "alerts_test.yml"))


@needs_promtool
def test_promtool_reads_every_question_of_the_dashboard(tmp_path: Path) -> None:
    questions = [
        re.sub(r"\$__\w+", "5m", expression).replace("$instance", ".*").replace("$source", ".*")
        for _, expression in expressions()
        if not expression.startswith("label_values")
    ]
    rules = [{"record": f"asked:{number}", "expr": question} for number, question in enumerate(questions)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")

    assert f"{len(rules)} rules found" in promtool("check", "rules", str(path))
