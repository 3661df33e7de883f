"""A real VM that was told nothing but the user data of `novaburst nova up`. `make test-vm` runs these tests, alone with
their loopback.

unshare --net sh -c 'ip link set lo up && .venv/bin/pytest tests/vm --image FOLDER'
"""

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.vm.cloud import PREFIX, REGION, Cloud, answers, deployed, until
from tests.vm.image import DEPOT_PORT, HOST
from tests.vm.machine import Machine
from web_tier.nova.access_keys import AccessKeys
from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import deliver, reach
from web_tier.nova.user_data import SiteSettings, user_data

# For a first boot by software emulation on a machine that has much else to do, in seconds.
_BOOT_SECONDS = 5400
SCALE_TOKEN = "a token for scaling by hand"
TOKEN_FILE = "/var/lib/novaburst/tokens.json"
_FIGURES = pytest.StashKey[list[tuple[str, str]]]()


@dataclass(frozen=True)
class Story:
    """What has happened to the VM so far."""

    machine: Machine
    cloud: Cloud
    figures: list[tuple[str, str]]
    began: float = field(default_factory=time.monotonic)

    def note(self, what: str, value: float | str, unit: str = "") -> None:
        """A figure for the report."""
        self.figures.append((what, value if isinstance(value, str) else f"{value:,.0f} {unit}"))


@dataclass(frozen=True)
class Installed:
    """The VM before it has its key."""

    story: Story
    # What /readyz said.
    readiness: requests.Response


@dataclass(frozen=True)
class Ready:
    """The VM with its key."""

    story: Story
    key: AccessKey


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--image", type=Path, required=True, help="What `python -m tests.vm.image` has made.")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(2 * _BOOT_SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("a VM of 512 MB by software emulation")
    for what, value in config.stash[_FIGURES]:
        terminalreporter.write_line(f"{what:<60} {value}")


@pytest.fixture(scope="session")
def story(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The VM, just switched on, and the AWS outside."""
    image: Path = pytestconfig.getoption("--image").resolve()
    with deployed(tmp_path_factory.mktemp("cloud")) as cloud, _depot(image / "depot"):
        depot = f"http://{HOST}:{DEPOT_PORT}"
        site = SiteSettings(
            prefix=PREFIX,
            region=REGION,
            environment={
                "AWS_ENDPOINT_URL": f"http://{HOST}:{cloud.port}",
                "NOVABURST_SCALE_TOKEN_SHA256": hashlib.sha256(SCALE_TOKEN.encode()).hexdigest(),
                "NOVABURST_TOKEN_FILE": TOKEN_FILE,
            },
            wheels_url=f"{depot}/wheels/",
            constraints_url=f"{depot}/constraints.txt",
            ntp_servers=(HOST,),
            mtu=1400,
        )
        machine = Machine(image, tmp_path_factory.mktemp("vm"), user_data(site))
        try:
            with machine.started():
                yield Story(machine, cloud, pytestconfig.stash[_FIGURES])
        finally:
            print(machine.console[-20_000:])


@pytest.fixture(scope="session")
def installed(story: Story) -> Installed:
    """The web tier answers, and has no key yet."""

    told: list[requests.Response] = []

    def answered() -> bool:
        story.machine.require_running()
        answer = answers(f"{story.machine.url}/readyz")
        # nginx's own page, or the missing web tier behind it, are earlier stages.
        if answer is not None and answer.status_code in (200, 503) and "json" in answer.headers.get("Content-Type", ""):
            told.append(answer)
        return bool(told)

    until(answered, _BOOT_SECONDS)
    story.note("switched on to installed, all packages included", time.monotonic() - story.began, "s")
    story.note("  by the VM's own clock", story.machine.uptime(), "s")
    return Installed(story, told[0])


@pytest.fixture(scope="session")
def ready(installed: Installed) -> Ready:
    """The key was brought, and the web tier is ready."""
    story = installed.story
    reach(story.machine.destination)
    with AccessKeys(story.cloud.iam, PREFIX, print).fresh([]) as key:
        began = time.monotonic()
        deliver(key, story.machine.destination)
        story.machine.set_clock()
        until(lambda: is_ready(story.machine), 600)
    story.note("the key's delivery to ready", time.monotonic() - began, "s")
    story.note("switched on to ready", time.monotonic() - story.began, "s")
    story.note("  by the VM's own clock", story.machine.uptime(), "s")
    return Ready(story, key)


@pytest.fixture(scope="session")
def token(installed: Installed) -> str:
    """A token for uploads and results, as docs/openstack.md says how to make one."""
    command = f"NOVABURST_TOKEN_FILE={TOKEN_FILE} /opt/novaburst/venv/bin/novaburst token new lab"
    return installed.story.machine.run(command).strip()


def is_ready(machine: Machine) -> bool:
    """Whether /readyz says so."""
    machine.require_running()
    answer = answers(f"{machine.url}/readyz")
    return answer is not None and answer.status_code == 200


@contextmanager
def _depot(folder: Path) -> Iterator[None]:
    """Debian's packages, wheels and constraints, served as a site's own mirror would."""
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", DEPOT_PORT), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A request is no news."""
