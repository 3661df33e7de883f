"""The services' configuration files, from the templates in `etc/`."""

import os
import shutil
import string
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.openstack.plane.layout import PASSWORD, PORTS, REGION, Layout, url

_TEMPLATES = Path(__file__).with_name("etc")
_DRIVERS = Path(__file__).with_name("drivers")
OPERATOR = "operator"
_DATABASES = ("keystone", "glance", "placement", "neutron", "nova_api", "nova_cell1")


def write(layout: Layout) -> None:
    """Every file that the services read, and the operator's clouds.yaml."""
    for folder in ("etc", "log", "databases", "images", "lock", "glance", "nova", "neutron", "rabbitmq"):
        (layout.run / folder).mkdir(parents=True, exist_ok=True)
    values = {
        "run": layout.run,
        "etc": layout.etc,
        "log": layout.log,
        "shipped": layout.shipped,
        **{name: layout.database(name) for name in _DATABASES},
        "messages": f"rabbit://guest:guest@127.0.0.1:{PORTS['amqp']}/",
        "amqp_port": PORTS["amqp"],
        "glance_url": url("glance"),
        "service_account": _service_account(),
        "token_check": f"www_authenticate_uri = {url('keystone')}\nservice_token_roles = service\n"
        "service_token_roles_required = true",
    }
    for template in _TEMPLATES.iterdir():
        (layout.etc / template.name).write_text(string.Template(template.read_text()).substitute(values))
    # Nova looks for it beside its own file only.
    shutil.copy(layout.shipped / "nova" / "api-paste.ini", layout.etc)
    (layout.run / "rabbitmq" / "plugins").write_text("[].\n")
    layout.clouds.write_text(clouds(**{OPERATOR: access("admin", "admin")}))


def access(user: str, project: str) -> dict[str, str]:
    """The `auth` section of clouds.yaml for a user in a project."""
    return {
        "auth_url": url("keystone"),
        "username": user,
        "password": PASSWORD,
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }


def clouds(**auths: Mapping[str, str]) -> str:
    """The text of a clouds.yaml."""
    return yaml.safe_dump(
        {"clouds": {name: {"region_name": REGION, "auth": dict(auth)} for name, auth in auths.items()}}
    )


def environment(layout: Layout) -> dict[str, str]:
    """What the services find in their environment."""
    etc, rabbitmq = str(layout.etc), layout.run / "rabbitmq"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
    return inherited | {
        "PATH": f"{layout.programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(_DRIVERS),
        "PYTHONUNBUFFERED": "1",
        # glibc would otherwise keep an arena of memory a thread.
        "MALLOC_ARENA_MAX": "2",
        "OS_KEYSTONE_CONFIG_DIR": etc,
        "OS_GLANCE_CONFIG_DIR": etc,
        "OS_PLACEMENT_CONFIG_DIR": etc,
        "OS_NEUTRON_CONFIG_DIR": etc,
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        "OS_NOVA_CONFIG_DIR": etc,
        "HOME": str(rabbitmq),
        "RABBITMQ_NODENAME": "novaburst@localhost",
        "RABBITMQ_MNESIA_BASE": str(rabbitmq / "mnesia"),
        "RABBITMQ_LOG_BASE": str(layout.log),
        "RABBITMQ_CONFIG_FILE": str(layout.etc / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(rabbitmq / "plugins"),
        # The server takes the script's place, and so ends with whoever started the script, even if that was killed.
        "RUNNING_UNDER_SYSTEMD": "1",
        "RABBITMQ_DIST_PORT": str(PORTS["erlang"]),
        # Without these Erlang listens on every interface.
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(PORTS["epmd"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
    }


def _service_account() -> str:
    settings = {"auth_type": "password", **access("services", "services"), "region_name": REGION}
    return "\n".join(f"{name} = {value}" for name, value in settings.items())
