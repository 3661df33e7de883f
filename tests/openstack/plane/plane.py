"""A real OpenStack control plane on loopback: Keystone, Glance, Placement, Neutron, and Nova with its fake driver.

No Docker, no KVM, no MySQL: uWSGI serves the APIs, SQLite holds the tables, RabbitMQ carries the messages.
"""

import hashlib
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import requests

from local_cloud.children import Child, wait_until_exit_or
from local_cloud.preflight import claim_state, require_free_port
from local_cloud.processes import Spawner
from tests.openstack.plane import configuration, identity, tables
from tests.openstack.plane.layout import PORTS, Layout, url

# Debian's wrapper in /usr/sbin would change to a user of its own.
_RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "glance": "glance.wsgi.api",
    "placement": "placement.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
}
# A loaded machine of two cores needs a minute for what takes ten seconds otherwise.
_PATIENCE_SECONDS = 300
_GRACE_SECONDS = 10
# Between two looks: asking costs the cores that the answer waits for.
_REST_SECONDS = 0.5
_PINS = Path(__file__).parents[1] / "constraints.txt"


class Plane:
    """All services, started and stopped together. Their state begins anew with each start."""

    def __init__(self, home: Path, say: Callable[[str], None]) -> None:
        self.layout = Layout(home.resolve())
        self._say = say
        self._began = time.monotonic()
        self._spawner = Spawner()
        self._children: list[Child] = []
        self._lock = claim_state(self.layout.home)

    def start(self) -> None:
        """Start everything, and return when a server could be launched.

        Raises:
            RuntimeError: a service ended or was not ready in time; the text holds the end of its log.
            local_cloud.preflight.PreflightError: another one runs, or a port is taken.
        """
        for port in PORTS.values():
            require_free_port(port)
        shutil.rmtree(self.layout.run, ignore_errors=True)
        configuration.write(self.layout)
        self._environment = configuration.environment(self.layout)
        epmd = shutil.which("epmd", path=self._environment["PATH"]) or "epmd"
        # In the foreground it is a child of ours; RabbitMQ would leave one behind.
        self._child("epmd", [epmd, "-address", "127.0.0.1", "-port", str(PORTS["epmd"])])
        rabbitmq = self._child("rabbitmq", [_RABBITMQ])
        seed = self.layout.home / "seed" / self._digest()
        seeded = seed.is_dir()
        if seeded:
            shutil.copytree(seed, self.layout.run, dirs_exist_ok=True)
        else:
            tables.make(self.layout, self._environment)
            self._report("tables made")
        keystone = self._api("keystone")
        self._await_api("keystone", keystone)
        if not seeded:
            identity.set_up(self.layout.clouds)
            self._keep(seed)
        self._await(rabbitmq, lambda: _listens(PORTS["amqp"]))
        apis = {name: self._api(name) for name in _APPLICATIONS if name != "keystone"}
        nova = ["--config-file", str(self.layout.etc / "nova.conf")]
        for name in ("nova-conductor", "nova-scheduler"):
            self._child(name, [name, *nova])
        for name, child in apis.items():
            self._await_api(name, child)
        compute = self._child("nova-compute", ["nova-compute", *nova])
        with identity.operator(self.layout.clouds) as cloud:
            self._await(compute, lambda: any(cloud.placement.resource_providers()))
            # What Nova's scheduler would do by itself within minutes.
            tables.run(self._environment, "nova-manage", *nova, "cell_v2", "discover_hosts")
            self._await(compute, lambda: any(cloud.compute.hypervisors()))
        self._report("ready")

    def stop(self) -> None:
        """Stop everything at once, but RabbitMQ last: the others say goodbye through it."""
        base = [child for child in self._children if child.name in {"epmd", "rabbitmq"}]
        others = [child for child in self._children if child not in base]
        for children, grace in ((others, _GRACE_SECONDS), (base, 0)):
            with ThreadPoolExecutor(max(1, len(children))) as threads:
                list(threads.map(partial(Child.stop, grace_seconds=grace), children))
        self._spawner.stop()
        self._lock.close()

    def _keep(self, seed: Path) -> None:
        """Keep the state before a first host has registered: the fake driver is another host at each start."""
        shutil.rmtree(seed.parent, ignore_errors=True)
        half = seed.with_suffix(".half")
        shutil.copytree(self.layout.databases, half / "databases")
        for keys in ("fernet-keys", "credential-keys"):
            shutil.copytree(self.layout.etc / keys, half / "etc" / keys)
        half.rename(seed)

    def _digest(self) -> str:
        """Of everything that a seed is made from; the state holds paths of this home, too."""
        here = Path(__file__).parent
        sources = [here / f"{name}.py" for name in ("configuration", "identity", "layout", "tables")]
        digest = hashlib.sha256(str(self.layout.home).encode())
        for path in [*sources, *sorted(here.glob("etc/*")), *sorted(here.glob("drivers/*.py")), _PINS]:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _api(self, name: str) -> Child:
        options = {
            "http-socket": f"127.0.0.1:{PORTS[name]}",
            "module": _APPLICATIONS[name],
            "callable": "application",
            # SQLite lets one write at a time, and nothing but Nova is asked while it asks.
            "threads": "4" if name == "nova" else "1",
            "buffer-size": "65535",
            "socket-timeout": "60",
            "add-header": "Connection: close",
        }
        switches = ["master", "enable-threads", "lazy-apps", "need-app", "die-on-term", "no-orphans", "disable-logging"]
        command = ["uwsgi", *(f"--{name}={value}" for name, value in options.items()), *(f"--{s}" for s in switches)]
        return self._child(name, command)

    def _await_api(self, name: str, child: Child) -> None:
        """uWSGI listens before the application is loaded, so it is asked."""
        self._await(child, lambda: _answers(url(name)))
        self._report(f"{name} answers")

    def _await(self, child: Child, ready: Callable[[], bool]) -> None:
        def ready_after_a_rest() -> bool:
            time.sleep(_REST_SECONDS)
            return ready()

        wait_until_exit_or(child, ready_after_a_rest, _PATIENCE_SECONDS)

    def _child(self, name: str, command: Sequence[str]) -> Child:
        child = Child(name, command, self._environment, self.layout.log / f"{name}.out", self._spawner)
        child.start()
        self._children.append(child)
        return child

    def _report(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {what}")


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=60).status_code < 500
    except requests.RequestException:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
