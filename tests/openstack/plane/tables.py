"""Every service's tables, and Keystone's first account."""

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.openstack.plane.layout import PASSWORD, REGION, Layout, url

_NEUTRON_TABLES = Path(__file__).with_name("drivers") / "neutron_tables.py"
# One command, in seconds: on a loaded machine of two cores, Nova's migrations take minutes.
_PATIENCE_SECONDS = 600


def make(layout: Layout, environment: Mapping[str, str]) -> None:
    """Make them all. What does not depend on one another runs side by side.

    Raises:
        RuntimeError: a command failed; the text holds what it said.
    """
    keystone, glance, placement, nova = (
        ["--config-file", str(layout.etc / name)]
        for name in ("keystone.conf", "glance-api.conf", "placement.conf", "nova.conf")
    )
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    bootstrap = ["--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION]
    for interface in ("admin", "internal", "public"):
        bootstrap += [f"--bootstrap-{interface}-url", url("keystone")]
    cell0 = ["--database_connection", layout.database("nova_cell0")]
    work = [
        [
            ["keystone-manage", *keystone, "db_sync"],
            ["keystone-manage", *keystone, "fernet_setup", *owner],
            ["keystone-manage", *keystone, "credential_setup", *owner],
            ["keystone-manage", *keystone, "bootstrap", *bootstrap],
            ["glance-manage", *glance, "db_sync"],
            ["placement-manage", *placement, "db", "sync"],
        ],
        [
            [str(layout.programs / "python"), str(_NEUTRON_TABLES), layout.database("neutron")],
            ["nova-manage", *nova, "api_db", "sync"],
            ["nova-manage", *nova, "cell_v2", "map_cell0", *cell0],
            ["nova-manage", *nova, "cell_v2", "create_cell", "--name", "cell1"],
            ["nova-manage", *nova, "db", "sync"],
        ],
    ]

    def one_after_the_other(commands: Sequence[Sequence[str]]) -> None:
        for command in commands:
            run(environment, *command)

    with ThreadPoolExecutor(len(work)) as threads:
        list(threads.map(one_after_the_other, work))


def run(environment: Mapping[str, str], *command: str) -> None:
    """Run a command of a service to its end.

    Raises:
        RuntimeError: it failed; the text holds what it said.
    """
    ended = subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_SECONDS,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {ended.returncode}\n{ended.stdout}{ended.stderr}")
