"""Other shippers on the same file and sink, where their binaries are found: `python -m tests.benchmarks.peers [LINES]`.

So far syslog-ng with its http() destination: time and level by a regular expression, the time read and written
again, batches of 5,000 lines or 1,000 kB; no disk buffer, so its guarantee is another one than ours. CPU seconds
are the process's own, taken when the sink has seen every line.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import corpora
from tests.benchmarks.report import SinkProcess, cpu_of, wait_for_events

SYSLOG_NG = """\
@version: 3.38
options {{ keep-hostname(yes); use-dns(no); use-fqdn(no); dns-cache(no); stats-freq(0); log-fifo-size(200000);
  log-msg-size(65536); threaded(yes); flush-lines(1000); frac-digits(3); }};
source s {{ file("{log}" follow-freq(0.2) flags(no-parse) read-old-records(yes) log-fetch-limit(10000)
  log-iw-size(100000)); }};
parser p_rx {{ regexp-parser(patterns("^(?<ts>[^ ]+) (?<sev>[A-Z]+) ") template("${{MESSAGE}}") prefix(".p.")); }};
parser p_date {{ date-parser(format("%Y-%m-%dT%H:%M:%S.%f%z") template("${{.p.ts}}")); }};
destination d {{ http(url("http://127.0.0.1:{port}/v2/logs/ingest") method("POST")
  headers("Content-Type: application/json") body-prefix("[") body-suffix("]") delimiter(",")
  batch-lines(5000) batch-bytes(1000kb) batch-timeout(200) workers(1)
  body('$(format-json --scope none content="$MESSAGE" timestamp="${{S_ISODATE}}" severity="${{.p.sev}}"
  log_source="$FILE_NAME")')); }};
log {{ source(s); parser(p_rx); parser(p_date); destination(d); flags(flow-control); }};
"""


def syslog_ng(log: Path, lines: int, folder: Path) -> tuple[float, float]:
    """Return wall seconds and CPU seconds of syslog-ng for *log*."""
    with SinkProcess() as sink:
        config = folder / "syslog-ng.conf"
        config.write_text(SYSLOG_NG.format(log=log, port=sink.port), encoding="utf-8")
        began = time.monotonic()
        process = subprocess.Popen(
            ["syslog-ng", "-F", "--no-caps", "-f", str(config), "-R", str(folder / "persist"),
             "-c", str(folder / "ctl"), "-p", str(folder / "pid")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_events(sink, lines, 120.0)
            return time.monotonic() - began, cpu_of(process.pid)
        finally:
            process.kill()
            process.wait()


def main(arguments: list[str]) -> None:
    """Print a row for each peer that is here."""
    lines = int(arguments[0]) if arguments else 1_000_000
    if shutil.which("syslog-ng") is None:
        print("no peer is installed here")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "app.log"
        corpora.write("app", lines, log)
        wall, cpu = syslog_ng(log, lines, folder)
    print(f"syslog-ng, app: {lines / wall / 1e3:.0f}k lines/s, {cpu / lines * 1e6:.2f} CPU-s per million lines")


if __name__ == "__main__":
    main(sys.argv[1:])
