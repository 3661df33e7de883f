"""How a plan is carried out. That real services take these calls is tried in tests/openstack."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from keystoneauth1 import exceptions as auth

from tests.unit.web_tier.nova.model import EMPTY, done, wanted
from web_tier.nova import apply, glance
from web_tier.nova.launch import carry_out
from web_tier.nova.plan import Plan, plan_down, plan_up
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Kind
from web_tier.nova.steps import AwaitServer, Create, Delete, SetTag

WANTED = wanted()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """A cloud that takes every call; what it makes has the name of the call for an id."""
    monkeypatch.setattr(apply, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(glance, "create", lambda *_: "image-1")
    monkeypatch.setattr(glance, "upload", lambda *_: None)
    made = MagicMock()
    for service in (made.network, made.compute):
        for name in ("network", "subnet", "router", "port", "security_group", "ip", "keypair", "flavor", "server"):
            getattr(service, f"create_{name}").return_value = SimpleNamespace(id=f"{name}-1")
    made.compute.get_server.return_value = SimpleNamespace(id="server-1", status="ACTIVE", fault=None)
    made.compute.find_server.return_value = None
    made.config.config = {"auth_type": "password"}
    return made


def carried(cloud: MagicMock, plan: Plan, *, of: Any = WANTED) -> tuple[dict[Kind, str], list[str]]:
    """The ids that a plan comes to, and the lines that were said on the way."""
    said: list[str] = []
    return carry_out(cloud, plan, of, said.append, lambda _sent, _size: None), said


def test_each_step_is_said_before_it_is_done_and_after(cloud: MagicMock) -> None:
    plan = plan_up(WANTED, EMPTY)
    ids, said = carried(cloud, plan)
    assert said[::2] == [f"[{n}/{len(plan.steps)}] {step}: {step.why}" for n, step in enumerate(plan.steps, 1)]
    assert set(said[1::2]) == {f"[{n}/{len(plan.steps)}] done" for n in range(1, len(plan.steps) + 1)}
    assert ids[Kind.SERVER] == "server-1"
    assert ids[Kind.FLOATING_IP] == "ip-1"


def test_what_a_step_makes_the_later_ones_use(cloud: MagicMock) -> None:
    carried(cloud, plan_up(WANTED, EMPTY))
    assert cloud.network.create_subnet.call_args.kwargs["network_id"] == "network-1"
    assert cloud.network.create_port.call_args.kwargs["security_groups"] == ["security_group-1"]
    assert cloud.network.create_ip.call_args.kwargs["port_id"] == "port-1"
    cloud.network.add_interface_to_router.assert_called_once_with("router-1", subnet="subnet-1")
    server = cloud.compute.create_server.call_args.kwargs
    assert (server["image_id"], server["flavor_id"], server["networks"]) == ("image-1", "f-1", [{"port": "port-1"}])
    assert server["metadata"] == {"novaburst:deployment": "lab-7", "novaburst:user-data": WANTED.user_data_hash}


def test_what_can_be_tagged_says_whose_it_is_in_the_call_that_makes_it_and_is_tagged_next(cloud: MagicMock) -> None:
    carried(cloud, plan_up(WANTED, EMPTY))
    for name in ("network", "subnet", "router", "security_group", "port", "ip"):
        assert getattr(cloud.network, f"create_{name}").call_args.kwargs["description"] == "novaburst:lab-7"
    tagged = [call.args[0].id for call in cloud.network.add_tag.call_args_list]
    assert sorted(tagged) == ["ip-1", "network-1", "port-1", "router-1", "security_group-1", "subnet-1"]


def test_a_tag_that_is_missing_is_set_on_what_is_there(cloud: MagicMock) -> None:
    carried(cloud, Plan((SetTag(Kind.ROUTER, "no tag"),), {Kind.ROUTER: "r-9"}))
    cloud.network.get_router.assert_called_once_with("r-9")
    cloud.network.add_tag.assert_called_once_with(cloud.network.get_router.return_value, "novaburst:lab-7")


def test_a_server_that_comes_to_nothing_is_a_problem_that_says_why(cloud: MagicMock) -> None:
    fault = {"message": "No valid host was found. There are not enough hosts available."}
    cloud.compute.get_server.side_effect = [
        SimpleNamespace(id="s", status="BUILD", fault=None),
        SimpleNamespace(id="s", status="ERROR", fault=fault),
    ]
    with pytest.raises(NovaError, match="No valid host was found") as error:
        carried(cloud, Plan((AwaitServer("it is new"),), {Kind.SERVER: "s"}))
    assert "--flavor" in error.value.remedy


def test_a_server_that_never_runs_is_not_awaited_for_ever(cloud: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_SERVER_SECONDS", -1.0)
    cloud.compute.get_server.return_value = SimpleNamespace(id="s", status="BUILD", fault=None)
    with pytest.raises(NovaError, match="still BUILD"):
        carried(cloud, Plan((AwaitServer("it is new"),), {Kind.SERVER: "s"}))


def test_a_server_is_awaited_to_its_end_before_its_port_is_deleted(cloud: MagicMock) -> None:
    looks = iter([object(), object(), None])

    def find(_server: str) -> object | None:
        cloud.network.delete_port.assert_not_called()
        return next(looks)

    cloud.compute.find_server.side_effect = find
    plan = plan_up(WANTED, EMPTY)
    carried(cloud, plan_down(done(EMPTY, plan.steps, plan.known, WANTED)), of=None)
    cloud.network.delete_port.assert_called_once()
    assert next(looks, "no further look") == "no further look"


def test_a_server_that_does_not_go_is_a_problem(cloud: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_SERVER_SECONDS", -1.0)
    cloud.compute.find_server.return_value = object()
    with pytest.raises(NovaError, match="still there"):
        carried(cloud, Plan((Delete(Kind.SERVER, "s", "marked"),)), of=None)


def test_what_the_cloud_refuses_names_the_step_and_ends_the_plan(cloud: MagicMock) -> None:
    cloud.network.create_network.side_effect = auth.ConnectFailure("refused")
    with pytest.raises(NovaError, match="cannot be reached"):
        carried(cloud, Plan((Create(Kind.NETWORK, "none"), Create(Kind.SUBNET, "none"))))
    cloud.network.create_subnet.assert_not_called()
