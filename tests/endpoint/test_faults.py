"""What the endpoint does when a part of it fails, or when all clients together want too much."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
from pathlib import Path

from shipper.endpoint import listening
from shipper.endpoint.options import Settings
from shipper.endpoint.server import EndpointServer
from shipper.endpoint.serving import now_ms, record_of
from shipper.endpoint.store import Store
from tests.endpoint.conftest import Start
from tests.endpoint.endpoint_process import JSON, EndpointProcess, eventually

MIB = 1024 * 1024


class Disk:
    """An fsync that works until the disk goes bad."""

    def __init__(self) -> None:
        self.is_bad = False

    def sync(self, descriptor: int) -> None:
        if self.is_bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(descriptor)


async def post_to_a_failing_disk(folder: Path) -> tuple[bytes, BaseException | None]:
    """Return what a client is told when fsync fails, and the server's fault."""
    disk = Disk()
    async with contextlib.AsyncExitStack() as stack:
        store = Store.open(folder / "store", mapper=record_of, now_ms=now_ms, sync=disk.sync)
        stack.push_async_callback(store.close)
        stack.callback(setattr, disk, "is_bad", False)
        server = EndpointServer(store, Settings(), now_ms)
        sockets = listening.listen("localhost", 0)
        await server.start(sockets)
        stack.push_async_callback(server.stop)
        disk.is_bad = True
        port = sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        body = b'{"content":"lost disk"}'
        head = f"POST /v2/logs/ingest HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = await reader.read()
    return received, server.fault.exception() if server.fault.done() else None


def test_a_disk_that_fails_is_a_fault_of_the_endpoint_not_an_acknowledgement(tmp_path: Path) -> None:
    received, fault = asyncio.run(post_to_a_failing_disk(tmp_path))

    assert received.startswith(b"HTTP/1.1 500 ")
    assert isinstance(fault, OSError)
    assert fault.errno == errno.EIO


def test_all_bodies_together_are_bounded_and_those_cut_off_give_their_room_back(start: Start) -> None:
    endpoint = start()
    piece = b" " * (9 * MIB)
    head = (
        f"POST /v2/logs/ingest HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {10 * MIB}\r\n\r\n"
    ).encode()
    with contextlib.ExitStack() as stack:
        for hoarder in [stack.enter_context(endpoint.connect()) for _ in range(20)]:
            with contextlib.suppress(ConnectionError):  # refused while it still sends
                hoarder.sendall(head + piece)

        eventually(lambda: "overloaded" in rejected(endpoint))
        assert memory_bytes(endpoint) < 300 * MIB
    eventually(lambda: endpoint.ingest({"content": "room again"}).status == 204)
    body = json.dumps([{"content": "x" * MIB}] * 9)
    assert endpoint.request("POST", "/v2/logs/ingest", body, JSON).status == 204


def rejected(endpoint: EndpointProcess) -> dict[str, int]:
    counts = endpoint.stats()["rejected"]
    assert isinstance(counts, dict)
    return counts


def memory_bytes(endpoint: EndpointProcess) -> int:
    pages = int(Path(f"/proc/{endpoint.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_large_events_come_in_pages_of_bounded_size(start: Start) -> None:
    endpoint = start()
    for first in range(0, 60, 20):
        events = [{"content": f"{number} " + "large " * 85_000} for number in range(first, first + 20)]
        assert endpoint.ingest(*events).status == 204

    page = endpoint.request("GET", "/v1/events", query={"limit": 1_000})
    assert 4 * MIB < len(page.body) < 24 * MIB
    assert json.loads(page.body)["next"] is not None
    assert [int(str(event["content"]).split()[0]) for event in endpoint.events()] == list(range(60))


def test_events_forwarded_to_another_endpoint_arrive_once_in_order(start: Start, tmp_path: Path) -> None:
    tenant = start(store=tmp_path / "tenant")
    token_file = tmp_path / "token"
    token_file.write_text("dt0c01.TOKEN")
    options = ("--forward", f"http://127.0.0.1:{tenant.port}", "--token-file", str(token_file))
    endpoint = start(*options, store=tmp_path / "near")
    for number in range(3):
        endpoint.ingest({"content": f"event {number}", "a": {"b": number}}, {"content": f"event {number} too"})

    eventually(lambda: endpoint.stats()["forwarded"] == 6)
    assert endpoint.stop() == 0
    again = start(*options, store=tmp_path / "near")
    again.ingest({"content": "event 3"})
    eventually(lambda: again.stats()["forwarded"] == 1)

    contents = [event["content"] for event in tenant.events()]
    assert contents == [f"event {n}{end}" for n in range(3) for end in ("", " too")] + ["event 3"]
    assert again.stats()["waiting"] == 0
