"""A real OpenStack for the tests of this folder. `make test-openstack` installs it and runs them."""

from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from openstack.connection import Connection

from tests.openstack.plane import identity
from tests.openstack.plane.plane import Plane
from tests.openstack.tenant import Tenant, equipped, tenant

# openstacksdk 4.22 warns of what it does itself in nearly every call.
_ITS_OWN = tuple(f"ignore::openstack.warnings.RemovedInSDK{version}Warning" for version in (50, 60))


def pytest_configure(config: pytest.Config) -> None:
    for line in _ITS_OWN:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def plane(pytestconfig: pytest.Config) -> Iterator[Plane]:
    """All services, for all tests; stopped at the end, whatever happens."""
    plane = Plane(pytestconfig.rootpath / ".openstack", print)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def operator(plane: Plane) -> Iterator[Connection]:
    """The cloud as its operator sees it."""
    with identity.operator(plane.layout.clouds) as cloud:
        yield cloud


@pytest.fixture
def lab(operator: Connection, tmp_path: Path) -> Iterator[Tenant]:
    """A project with an external network and a flavor as the seed's."""
    with tenant(operator, equipped(tmp_path)) as made:
        made.external_network()
        made.flavor("seed", 512, 5)
        yield made


@pytest.fixture(scope="session")
def web_tier() -> Iterator[str]:
    """The `/readyz` that stands for the one on the machine, which the fake driver does not run."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Ready))
        thread = Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}/readyz"
