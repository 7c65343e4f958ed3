"""A small store that the reading tests share: what is in it, by name."""

from __future__ import annotations

import time

from tests.endpoint.viewer.endpoint_process import Event, stamp

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TRACE = "Payment refused for order 7\njava.io.IOException: upstream reset\n\tat shop.pay.Client.post(Client.java:88)"
NOW_MS = int(time.time() * 1000)
ORIGINAL_MS = NOW_MS - 3 * 86_400_000


def _event(seconds_ago: int, severity: str, source: str, host: str, content: str, **more: object) -> Event:
    return {
        "content": content,
        "timestamp": stamp(NOW_MS - seconds_ago * 1000),
        "severity": severity,
        "log.source": source,
        "log.file.path": f"/var/log/{source}/current.log",
        "host.name": host,
        **more,
    }


EVENTS = [
    _event(7200, "debug", "shop", "web-1", "cache warmed"),
    _event(3600, "info", "shop", "web-1", "order 1 accepted", order=1),
    _event(900, "critical", "db", "db-1", "pool exhausted"),
    _event(600, "warn", "db", "db-1", "slow query on orders"),
    _event(300, "error", "shop", "web-2", TRACE, **{"trace.id": "abc"}),
    _event(200, "info", "shop", "web-2", SCRIPT),
    _event(60, "info", "old", "web-1", "restamped late", **{"log.original_timestamp": stamp(ORIGINAL_MS + 2000)}),
    _event(30, "info", "old", "web-1", "restamped early", **{"log.original_timestamp": stamp(ORIGINAL_MS)}),
]
# As the list shows them: newest first, first lines.
SHOWN = [str(event["content"]).split("\n")[0] for event in reversed(EVENTS)]
