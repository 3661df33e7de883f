"""A project of its own on the test cloud: a user with a member's rights, and what an operator gives the project."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from openstack.connection import Connection

from tests.openstack.plane import configuration, identity
from tests.openstack.plane.layout import PASSWORD

NOVABURST = Path(sys.executable).with_name("novaburst")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu2ORZbWvbNGkPpLJkmzP2rHvTt3Hr1XyKBaVnV2hJ4 tests"
# One `novaburst nova` command, in seconds, on a loaded machine.
_COMMAND_SECONDS = 240
_numbers = count(1)


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    status: int
    output: str
    errors: str


@dataclass
class Tenant:
    """One project, seen by its member and by the operator."""

    folder: Path
    operator: Connection
    name: str
    project_id: str
    networks: list[str] = field(default_factory=list)
    flavors: list[str] = field(default_factory=list)
    # What the `up` said that made its deployment.
    said: str = ""

    @property
    def clouds(self) -> Path:
        """The member's clouds.yaml, in which the cloud is called `lab`."""
        return self.folder / "clouds.yaml"

    def member(self) -> Connection:
        """A connection as the project's member."""
        return identity.connect(self.clouds, "lab")

    def write_clouds(self, **auth: str) -> None:
        """The member's clouds.yaml, with this `auth` section instead of name and password where it is given."""
        self.clouds.write_text(configuration.clouds(lab=auth or configuration.access(self.name, self.name)))

    def external_network(self, name: str = "public", *, addresses: int = 8) -> str:
        """An external network that this project alone sees, with a pool of so many addresses; its id."""
        number = next(_numbers)
        network = self.operator.network.create_network(name=name, is_router_external=True)
        self.networks.append(network.id)
        # Neutron shares an external network with everybody unless told otherwise.
        for policy in list(self.operator.network.rbac_policies(object_id=network.id)):
            self.operator.network.delete_rbac_policy(policy)
        self.operator.network.create_rbac_policy(
            object_type="network", object_id=network.id, action="access_as_external", target_project_id=self.project_id
        )
        first = f"198.18.{number}"
        self.operator.network.create_subnet(
            network_id=network.id,
            ip_version=4,
            cidr=f"{first}.0/24",
            gateway_ip=f"{first}.1",
            is_dhcp_enabled=False,
            allocation_pools=[{"start": f"{first}.10", "end": f"{first}.{9 + addresses}"}],
        )
        return str(network.id)

    def widen(self, network_id: str) -> None:
        """Give the pool of an external network ten addresses more."""
        (subnet,) = self.operator.network.subnets(network_id=network_id)
        (pool,) = subnet.allocation_pools
        first, last = pool["end"].rsplit(".", 1)
        self.operator.network.update_subnet(subnet, allocation_pools=[pool | {"end": f"{first}.{int(last) + 10}"}])

    def flavor(self, name: str, ram: int, disk: int) -> str:
        """A flavor that this project alone sees, in MB and GB; its id."""
        flavor = self.operator.compute.create_flavor(
            name=f"{name}-{self.name}", ram=ram, disk=disk, vcpus=1, is_public=False
        )
        self.operator.compute.flavor_add_tenant_access(flavor, self.project_id)
        self.flavors.append(flavor.id)
        return str(flavor.name)

    def environment(self) -> dict[str, str]:
        """What `novaburst nova` finds in its environment."""
        ours = ("AWS_", "NOVABURST_", "OS_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return inherited | {
            "AWS_DEFAULT_REGION": "us-east-1",
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "OS_CLOUD": "lab",
            "HOME": str(self.folder),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "200",
        }

    def nova(self, *arguments: str) -> Ended:
        """Run `novaburst nova ...` to its end."""
        ended = subprocess.run(
            [NOVABURST, "nova", *arguments],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def killed_at(self, line: int, *arguments: str) -> bool:
        """Run it, and SIGKILL it as soon as it has said so many lines of its steps; whether it was still running."""
        process = subprocess.Popen(
            [NOVABURST, "nova", *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        timer = threading.Timer(_COMMAND_SECONDS, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            said = 0
            with process.stdout as lines:
                for text in lines:
                    said += text.startswith("[")
                    if said == line:
                        process.kill()
                        break
            return process.wait() == -signal.SIGKILL
        finally:
            timer.cancel()

    def has(self) -> dict[str, list[str]]:
        """The ids of everything in the project, as its member sees it, but for Neutron's default security group."""
        with self.member() as cloud:
            network, compute, own = cloud.network, cloud.compute, {"project_id": self.project_id}
            listed: dict[str, Iterator[Any]] = {
                "networks": network.networks(**own),
                "subnets": network.subnets(**own),
                "routers": network.routers(**own),
                "ports": network.ports(**own),
                "ips": network.ips(**own),
                "groups": (g for g in network.security_groups(**own) if g.name != "default"),
                "rules": (r for r in network.security_group_rules(**own) if r.direction == "ingress"),
                "key pairs": compute.keypairs(),
                "servers": compute.servers(),
                "images": cloud.image.images(owner=self.project_id),
            }
            ids = {kind: sorted(str(item.id) for item in items) for kind, items in listed.items()}
            default = {g.id for g in network.security_groups(**own) if g.name == "default"}
            rules = network.security_group_rules(direction="ingress", **own)
            ids["rules"] = sorted(r.id for r in rules if r.security_group_id not in default)
            return ids

    def status(self, prefix: str) -> dict[str, str]:
        """What `novaburst nova status` says, by kind."""
        ended = self.nova("status", "--prefix", prefix, "--json")
        assert ended.status == 0, ended.errors
        return {item["kind"]: item["state"] for item in json.loads(ended.output)}


def equipped(folder: Path) -> Path:
    """An operator's folder, with a public key and an image file."""
    (folder / "key.pub").write_text(PUBLIC_KEY + "\n")
    (folder / "image.raw").write_bytes(b"not a system, and nobody boots it\n" * 40_000)
    return folder


@contextmanager
def tenant(operator: Connection, folder: Path, roles: Sequence[str] = ("member",)) -> Iterator[Tenant]:
    """A new project and its user; what the operator gave it goes with it."""
    name = f"tenant-{secrets.token_hex(4)}"
    project = operator.identity.create_project(name=name, domain_id="default")
    user = operator.identity.create_user(
        name=name, password=PASSWORD, domain_id="default", default_project_id=project.id
    )
    for role in roles:
        operator.identity.assign_project_role_to_user(project, user, operator.identity.find_role(role))
    made = Tenant(folder, operator, name, project.id)
    made.write_clouds()
    yield made
    for flavor in made.flavors:
        operator.compute.delete_flavor(flavor)
