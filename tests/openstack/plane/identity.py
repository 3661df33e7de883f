"""What an operator sets up once in Keystone: the services' own account, and where each of them answers."""

from pathlib import Path

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.openstack.plane.configuration import OPERATOR
from tests.openstack.plane.layout import PASSWORD, REGION, url

_TYPES = {"image": "glance", "placement": "placement", "network": "neutron", "compute": "nova"}


def operator(clouds: Path) -> Connection:
    """A connection as the cloud's operator."""
    return connect(clouds, OPERATOR)


def connect(clouds: Path, name: str) -> Connection:
    """A connection to a cloud of that clouds.yaml, whatever the environment says."""
    return Connection(config=OpenStackConfig(config_files=[str(clouds)], load_envvars=False).get_one(name))


def set_up(clouds: Path) -> None:
    """The services' account and endpoints, on a Keystone that has only been bootstrapped."""
    with operator(clouds) as cloud:
        identity = cloud.identity
        project = identity.create_project(name="services", domain_id="default")
        account = identity.create_user(
            name="services", password=PASSWORD, domain_id="default", default_project_id=project.id
        )
        roles = {role.name: role for role in identity.roles()}
        for name in ("admin", "service"):
            identity.assign_project_role_to_user(project, account, roles.get(name) or identity.create_role(name=name))
        for kind, name in _TYPES.items():
            service = identity.create_service(type=kind, name=name)
            for interface in ("public", "internal"):
                identity.create_endpoint(service_id=service.id, interface=interface, url=url(name), region_id=REGION)
