"""The embedded endpoint, where its port is somebody else's."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from shipper.pipeline.embedded import EmbeddedEndpoint
from shipper.pipeline.journal import Journal


def test_whoever_has_its_port_is_used_instead_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        embedded = EmbeddedEndpoint(port, tmp_path / "store", "saas", Journal(said.append))

        assert asyncio.run(embedded.start()) is False

    assert said[0].startswith(f"event=endpoint_in_use port={port} program=")
    assert f"(process {os.getpid()})" in said[0]
    assert not (tmp_path / "store").exists()
