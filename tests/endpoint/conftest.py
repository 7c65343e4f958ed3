"""Running endpoints for tests; none is left behind, however a test ends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.endpoint.endpoint_process import EndpointProcess

Start = Callable[..., EndpointProcess]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """One endpoint that a module's tests share; each looks for its own events only."""
    with EndpointProcess(tmp_path_factory.mktemp("endpoint") / "store") as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an endpoint of the test's own, by default on `tmp_path / "store"`."""
    with ExitStack() as stack:

        def start_one(*arguments: str, store: Path | None = None, port: int = 0) -> EndpointProcess:
            return stack.enter_context(EndpointProcess(store or tmp_path / "store", *arguments, port=port))

        yield start_one
