"""Carries a plan out: each step a few calls, whose results the later ones use."""

import time
from collections.abc import Callable, Mapping
from functools import singledispatchmethod
from typing import Any

from openstack.connection import Connection

from web_tier.nova import glance
from web_tier.nova.mark import IMAGE_PROPERTY, SERVER_KEY, USER_DATA_KEY
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Kind
from web_tier.nova.steps import (
    AddInterface,
    Allow,
    AttachFloatingIp,
    AwaitServer,
    Create,
    CreateFloatingIp,
    CreateRouter,
    CreateServer,
    Delete,
    RemoveInterface,
    Revoke,
    SetGateway,
    SetPortGroup,
    SetTag,
    StartServer,
    Step,
    Upload,
)
from web_tier.nova.wanted import Wanted

# Between two looks at a server, in seconds, and how long it may take to run or to go.
_LOOK_SECONDS = 1.0
_SERVER_SECONDS = 600.0


class Execution:
    """Carries out steps, one after the other. Errors of the cloud come as the library raises them."""

    def __init__(
        self, cloud: Connection, known: Mapping[Kind, str], wanted: Wanted | None, progress: Callable[[int, int], None]
    ) -> None:
        self._cloud = cloud
        self._ids = dict(known)
        self._given = wanted
        self._progress = progress

    @property
    def ids(self) -> dict[Kind, str]:
        """What there is by now, by kind."""
        return dict(self._ids)

    @property
    def _wanted(self) -> Wanted:
        assert self._given is not None, "only a plan that deletes goes without what is wanted"  # noqa: S101
        return self._given

    @property
    def _carried(self) -> dict[str, str]:
        return {"name": self._wanted.mark.name, "description": self._wanted.mark.tag}

    @singledispatchmethod
    def run(self, step: Step) -> None:
        """Do one step.

        Raises:
            NovaError: it failed for a reason that is known.
            openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException: the cloud refused it.
        """
        raise NotImplementedError(type(step))

    @run.register
    def _(self, step: Create) -> None:
        creators: dict[Kind, Callable[[], Any]] = {
            Kind.NETWORK: lambda: self._cloud.network.create_network(**self._carried),
            Kind.SUBNET: self._subnet,
            Kind.SECURITY_GROUP: lambda: self._cloud.network.create_security_group(**self._carried),
            Kind.PORT: lambda: self._cloud.network.create_port(
                network_id=self._ids[Kind.NETWORK], security_groups=[self._ids[Kind.SECURITY_GROUP]], **self._carried
            ),
            Kind.KEY_PAIR: lambda: self._cloud.compute.create_keypair(
                name=self._wanted.mark.name, public_key=self._wanted.public_key
            ),
            Kind.FLAVOR: lambda: self._cloud.compute.create_flavor(
                ram=self._wanted.ram, disk=self._wanted.disk, vcpus=1, **self._carried
            ),
        }
        made = creators[step.kind]()
        self._ids[step.kind] = made.id
        if step.kind not in {Kind.KEY_PAIR, Kind.FLAVOR}:
            self._tag(made)

    def _subnet(self) -> Any:
        return self._cloud.network.create_subnet(
            network_id=self._ids[Kind.NETWORK],
            ip_version=4,
            cidr=self._wanted.cidr,
            dns_nameservers=list(self._wanted.name_servers),
            **self._carried,
        )

    @run.register
    def _(self, step: CreateRouter) -> None:
        gateway = {"network_id": step.external}
        router = self._cloud.network.create_router(external_gateway_info=gateway, **self._carried)
        self._ids[Kind.ROUTER] = router.id
        self._tag(router)

    @run.register
    def _(self, step: SetGateway) -> None:
        self._cloud.network.update_router(self._ids[Kind.ROUTER], external_gateway_info={"network_id": step.external})

    @run.register
    def _(self, _step: AddInterface) -> None:
        self._cloud.network.add_interface_to_router(self._ids[Kind.ROUTER], subnet=self._ids[Kind.SUBNET])

    @run.register
    def _(self, step: Allow) -> None:
        self._cloud.network.create_security_group_rule(
            security_group_id=self._ids[Kind.SECURITY_GROUP],
            direction="ingress",
            ether_type="IPv4",
            protocol="tcp",
            port_range_min=step.ingress.port,
            port_range_max=step.ingress.port,
            remote_ip_prefix=step.ingress.source,
        )

    @run.register
    def _(self, step: Revoke) -> None:
        self._cloud.network.delete_security_group_rule(step.rule_id)

    @run.register
    def _(self, _step: SetPortGroup) -> None:
        groups = [self._ids[Kind.SECURITY_GROUP]]
        self._cloud.network.update_port(self._ids[Kind.PORT], security_group_ids=groups)

    @run.register
    def _(self, step: CreateFloatingIp) -> None:
        ip = self._cloud.network.create_ip(
            floating_network_id=step.external, port_id=self._ids[Kind.PORT], description=self._wanted.mark.tag
        )
        self._ids[Kind.FLOATING_IP] = ip.id
        self._tag(ip)

    @run.register
    def _(self, _step: AttachFloatingIp) -> None:
        self._cloud.network.update_ip(self._ids[Kind.FLOATING_IP], port_id=self._ids[Kind.PORT])

    @run.register
    def _(self, step: Upload) -> None:
        name = self._wanted.mark.name
        properties = {IMAGE_PROPERTY: self._wanted.mark.prefix}
        image_id = glance.create(self._cloud, name, step.file.disk_format, properties)
        self._ids[Kind.IMAGE] = image_id
        glance.upload(self._cloud, image_id, step.file.path, step.file.sha512, self._progress)

    @run.register
    def _(self, step: CreateServer) -> None:
        server = self._cloud.compute.create_server(
            name=self._wanted.mark.name,
            flavor_id=step.flavor or self._ids[Kind.FLAVOR],
            image_id=step.image or self._ids[Kind.IMAGE],
            networks=[{"port": self._ids[Kind.PORT]}],
            key_name=step.key_name,
            user_data=self._wanted.encoded_user_data,
            metadata={SERVER_KEY: self._wanted.mark.prefix, USER_DATA_KEY: self._wanted.user_data_hash},
            # Not every cloud has a metadata service that the network reaches.
            config_drive=True,
        )
        self._ids[Kind.SERVER] = server.id

    @run.register
    def _(self, _step: StartServer) -> None:
        self._cloud.compute.start_server(self._ids[Kind.SERVER])

    @run.register
    def _(self, _step: AwaitServer) -> None:
        deadline = time.monotonic() + _SERVER_SECONDS
        while (server := self._cloud.compute.get_server(self._ids[Kind.SERVER])).status != "ACTIVE":
            if server.status == "ERROR":
                fault = (server.fault or {}).get("message", "it says no reason")
                raise NovaError(f"the server is in ERROR: {fault}", _fault_remedy(fault))
            if time.monotonic() > deadline:
                raise NovaError(
                    f"the server {server.id} is still {server.status} after {_SERVER_SECONDS:.0f} s",
                    "Run `novaburst nova up` again to go on waiting, or ask an operator what holds it up.",
                )
            time.sleep(_LOOK_SECONDS)

    @run.register
    def _(self, step: SetTag) -> None:
        network = self._cloud.network
        readers: dict[Kind, Callable[[str], Any]] = {
            Kind.NETWORK: network.get_network,
            Kind.SUBNET: network.get_subnet,
            Kind.ROUTER: network.get_router,
            Kind.SECURITY_GROUP: network.get_security_group,
            Kind.PORT: network.get_port,
            Kind.FLOATING_IP: network.get_ip,
        }
        self._tag(readers[step.kind](self._ids[step.kind]))

    @run.register
    def _(self, step: RemoveInterface) -> None:
        self._cloud.network.remove_interface_from_router(step.router_id, subnet=step.subnet_id)

    @run.register
    def _(self, step: Delete) -> None:
        network, compute = self._cloud.network, self._cloud.compute
        deleters: dict[Kind, Callable[[str], Any]] = {
            Kind.NETWORK: network.delete_network,
            Kind.SUBNET: network.delete_subnet,
            Kind.ROUTER: network.delete_router,
            Kind.SECURITY_GROUP: network.delete_security_group,
            Kind.PORT: network.delete_port,
            Kind.KEY_PAIR: compute.delete_keypair,
            Kind.IMAGE: self._cloud.image.delete_image,
            Kind.FLAVOR: compute.delete_flavor,
            Kind.SERVER: self._delete_server,
            Kind.FLOATING_IP: network.delete_ip,
        }
        deleters[step.kind](step.id)

    def _delete_server(self, server_id: str) -> None:
        self._cloud.compute.delete_server(server_id)
        deadline = time.monotonic() + _SERVER_SECONDS
        while self._cloud.compute.find_server(server_id) is not None:
            if time.monotonic() > deadline:
                raise NovaError(
                    f"the server {server_id} is still there {_SERVER_SECONDS:.0f} s after it was deleted",
                    "Run the command again, or ask an operator what holds it up.",
                )
            time.sleep(_LOOK_SECONDS)

    def _tag(self, resource: Any) -> None:
        self._cloud.network.add_tag(resource, self._wanted.mark.tag)


def _fault_remedy(fault: str) -> str:
    if "No valid host" in fault:
        return (
            "No compute host has room for this flavor, or none is up. Choose a smaller one with --flavor, or ask an "
            "operator; then run `novaburst nova up` again, which replaces the server."
        )
    return "Ask an operator about it; then run `novaburst nova up` again, which replaces the server."
