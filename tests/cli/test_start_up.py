"""What a start must not pay for: each of these takes a tenth or a twentieth of it, and most agents never need them."""

from __future__ import annotations

import json
import subprocess
import sys

NEEDLESS = {"aiohttp.web", "argparse", "prometheus_client", "rich.console", "rich.table", "http.server", "distributed"}


def test_run_loads_nothing_that_only_some_agents_need() -> None:
    code = "import json, sys, shipper.cli.run; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert "shipper.pipeline.agent" in loaded
    assert NEEDLESS.isdisjoint(loaded)
