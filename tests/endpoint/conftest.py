"""Running endpoints for tests; none is left behind, however a test ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endpoint.endpoint_process import EndpointProcess

Start = Callable[..., EndpointProcess]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """One endpoint that a module's tests share; each looks for its own events only."""
    running = EndpointProcess(tmp_path_factory.mktemp("endpoint") / "store")
    yield running
    assert running.stop() == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an endpoint of the test's own, by default on `tmp_path / "store"`."""
    started: list[EndpointProcess] = []

    def start_one(*arguments: str, store: Path | None = None, port: int = 0) -> EndpointProcess:
        started.append(EndpointProcess(store or tmp_path / "store", *arguments, port=port))
        return started[-1]

    yield start_one
    for one in started:
        one.kill()
