"""Where the services of the test cloud keep their things, and where they listen."""

from dataclasses import dataclass
from pathlib import Path

# Below the range from which Linux picks ports for clients, and none of them a service's usual one.
PORTS = {
    "keystone": 25000,
    "glance": 29292,
    "placement": 28778,
    "neutron": 29696,
    "nova": 28774,
    "amqp": 28672,
    "erlang": 28673,
    "epmd": 24369,
}
# The password of every account, on a cloud that only loopback reaches and that ends with the tests.
PASSWORD = "loopback"
REGION = "RegionOne"
# How long to wait for a writer to let go of a database.
_LOCK_SECONDS = 120


def url(service: str) -> str:
    """Where a service's API answers."""
    paths = {"keystone": "/v3", "nova": "/v2.1"}
    return f"http://127.0.0.1:{PORTS[service]}{paths.get(service, '')}"


@dataclass(frozen=True)
class Layout:
    """The folders below one home, which git ignores."""

    home: Path

    @property
    def programs(self) -> Path:
        """The virtual environment's programs."""
        return self.home / "venv" / "bin"

    @property
    def shipped(self) -> Path:
        """Configuration files that come with the services."""
        return self.home / "venv" / "etc"

    @property
    def run(self) -> Path:
        """All that changes while the cloud runs; made anew at each start."""
        return self.home / "run"

    @property
    def etc(self) -> Path:
        """Configuration, and Keystone's keys."""
        return self.run / "etc"

    @property
    def log(self) -> Path:
        """What the services say."""
        return self.run / "log"

    @property
    def databases(self) -> Path:
        """One SQLite file a service."""
        return self.run / "databases"

    @property
    def clouds(self) -> Path:
        """The operator's clouds.yaml."""
        return self.run / "clouds.yaml"

    def database(self, name: str) -> str:
        """The URL of a database. On a loaded machine a writer may well hold it for more than SQLite's five seconds."""
        # Nova's are written by four processes, each of the others by one request at a time.
        plugin = "&plugin=immediate" if name.startswith("nova") else ""
        return f"sqlite:///{self.databases / name}.sqlite?timeout={_LOCK_SECONDS}{plugin}"
