"""`novaburst nova` against real services: what it makes, that it makes it once, and that it removes it all."""

import base64
from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.openstack.arguments import DOWN, up
from tests.openstack.tenant import PUBLIC_KEY, Tenant, equipped, tenant

# A plan has fewer steps.
_MANY = 40
_ONE_WEB_TIER = {
    "networks": 1,
    "subnets": 1,
    "routers": 1,
    # The server's and the router's in the subnet; the router's gateway is not the project's.
    "ports": 2,
    "ips": 1,
    "groups": 1,
    "rules": 3,
    "key pairs": 1,
    "servers": 1,
    "images": 1,
}


@pytest.fixture(scope="module")
def standing(operator: Connection, tmp_path_factory: pytest.TempPathFactory, web_tier: str) -> Iterator[Tenant]:
    """A deployment that is up, for all tests that leave it as it is."""
    with tenant(operator, equipped(tmp_path_factory.mktemp("standing"))) as made:
        made.external_network()
        made.flavor("seed", 512, 5)
        ended = made.nova(*up(web_tier))
        assert ended.status == 0, ended.errors
        made.said = ended.output
        yield made


def test_up_prints_the_address_last_and_status_shows_what_stands(standing: Tenant) -> None:
    status = standing.status("lab-7")
    address = status["floating IP"].split(",")[0]
    assert standing.said.splitlines()[-1] == f"http://{address}/"
    assert (status["server"], status["image"]) == ("ACTIVE", "active")
    assert {kind: len(ids) for kind, ids in standing.has().items()} == _ONE_WEB_TIER


def test_up_again_changes_nothing_and_neither_does_a_dry_run(standing: Tenant, web_tier: str) -> None:
    before = standing.has()
    again = standing.nova(*up(web_tier))
    assert again.status == 0, again.errors
    assert "nothing to do" in again.output
    assert "nothing to do" in standing.nova(*up(web_tier), "--dry-run").output
    changed = standing.nova(*up(web_tier, set="NOVABURST_WEB_WORKERS=1"))
    assert "other user data: --replace-server replaces it" in changed.errors
    assert standing.has() == before


def test_all_of_it_carries_the_mark_and_only_what_is_wanted_comes_in(standing: Tenant) -> None:
    with standing.member() as cloud:
        network, own = cloud.network, {"project_id": standing.project_id}
        port = next(p for p in network.ports(**own) if p.name == "lab-7-web-tier")
        tagged = [*network.networks(**own), *network.subnets(**own), *network.routers(**own), *network.ips(**own), port]
        group = next(g for g in network.security_groups(**own) if g.name == "lab-7-web-tier")
        assert all(resource.tags == ["novaburst:lab-7"] for resource in [*tagged, group])
        assert port.security_group_ids == [group.id]
        rules = network.security_group_rules(security_group_id=group.id, direction="ingress")
        assert sorted((r.port_range_min, r.port_range_max, r.protocol, r.remote_ip_prefix) for r in rules) == [
            (22, 22, "tcp", "192.0.2.0/24"),
            (80, 80, "tcp", "0.0.0.0/0"),
            (443, 443, "tcp", "0.0.0.0/0"),
        ]


def test_the_server_has_the_seeds_size_the_key_and_the_user_data_of_its_site(standing: Tenant) -> None:
    (server,) = standing.operator.compute.servers(all_projects=True, project_id=standing.project_id)
    assert server.metadata["novaburst:deployment"] == "lab-7"
    assert (server.flavor["ram"], server.flavor["disk"], server.key_name) == (512, 5, "lab-7-web-tier")
    text = base64.b64decode(standing.operator.compute.get_server(server).user_data).decode()
    assert text.startswith("#cloud-config")
    assert 'NOVABURST_PREFIX="lab-7"' in text
    with standing.member() as cloud:
        assert cloud.compute.get_keypair("lab-7-web-tier").public_key.split()[1] == PUBLIC_KEY.split()[1]


def test_the_image_in_glance_is_the_file_byte_for_byte(standing: Tenant) -> None:
    with standing.member() as cloud:
        (image,) = cloud.image.images(owner=standing.project_id)
        assert image.properties["novaburst_deployment"] == "lab-7"
        assert (image.disk_format, image.visibility) == ("raw", "private")
        stored = b"".join(image.download(cloud.image, stream=True).iter_content(1024 * 1024))
    assert stored == (standing.folder / "image.raw").read_bytes()


def test_a_machine_that_stays_silent_is_shown_by_its_console(standing: Tenant) -> None:
    ended = standing.nova(*up("http://127.0.0.1:9/readyz", ready_seconds="1"))
    assert ended.status == 1
    for words in ("nothing answers at http://127.0.0.1:9/readyz", "FAKE CONSOLE OUTPUT", "cloud-init status"):
        assert words in ended.errors


def test_a_second_deployment_of_an_image_and_a_key_that_are_there_comes_and_goes_beside_it(
    standing: Tenant, web_tier: str
) -> None:
    with standing.member() as cloud:
        cloud.compute.create_keypair(name="mine", public_key=PUBLIC_KEY)
        cloud.image.create_image("debian", data=b"x" * 100_000, disk_format="raw", container_format="bare", wait=True)
    before = standing.has()
    green = up(web_tier, "green", image_file="", public_key="", image="debian", key_pair="mine")
    dry = standing.nova(*green, "--dry-run")
    assert standing.has() == before
    ended = standing.nova(*green)
    assert ended.status == 0, ended.errors
    steps = [line.split("] ", 1)[1].split(": ")[0] for line in ended.output.splitlines() if line.startswith("[")]
    assert len(steps) > 2
    assert all(step == "done" or step in dry.output for step in steps)
    assert standing.status("green")["server"] == standing.status("lab-7")["server"] == "ACTIVE"
    assert standing.nova("down", "--prefix", "green").status == 0
    assert standing.has() == before


def test_what_changed_replaces_the_server_on_demand_and_keeps_its_address(standing: Tenant, web_tier: str) -> None:
    before, address = standing.has(), standing.status("lab-7")["floating IP"]
    ended = standing.nova(*up(web_tier, set="NOVABURST_WEB_WORKERS=1"), "--replace-server")
    assert ended.status == 0, ended.errors
    after = standing.has()
    assert {kind for kind, ids in after.items() if ids != before[kind]} == {"servers"}
    assert standing.status("lab-7")["floating IP"] == address


def test_down_stops_at_what_others_have_put_there_and_then_leaves_nothing(standing: Tenant) -> None:
    with standing.member() as cloud:
        visitor = cloud.network.create_port(network_id=standing.has()["networks"][0], name="a visitor")
        ended = standing.nova(*DOWN)
        assert ended.status == 1
        assert "delete subnet" in ended.errors
        assert "Remove that first" in ended.errors
        cloud.network.delete_port(visitor)
        cloud.compute.delete_keypair("mine")
        cloud.image.delete_image(cloud.image.find_image("debian"))
    assert standing.nova(*DOWN).status == 0
    assert not any(standing.has().values())
    assert standing.nova(*DOWN).output.strip() == "nothing to do"
    assert standing.nova("status", "--prefix", "lab-7").output.strip() == "nothing carries novaburst:lab-7"
    assert standing.status("lab-7") == {}


def test_killed_in_the_middle_of_each_step_up_completes_and_so_does_down(lab: Tenant, web_tier: str) -> None:
    # The third line is the second step's beginning, so each run completes the step that the one before it died in.
    runs = _until_done(lab, *up(web_tier))
    assert runs > 10
    assert {kind: len(ids) for kind, ids in lab.has().items()} == _ONE_WEB_TIER
    assert lab.status("lab-7")["server"] == "ACTIVE"
    assert "nothing to do" in lab.nova(*up(web_tier)).output
    assert _until_done(lab, *DOWN) > 5
    assert not any(lab.has().values())


def _until_done(lab: Tenant, *arguments: str) -> int:
    """Run it again and again, each time killed in its second step, until one goes through; how many were killed."""
    for run in range(_MANY):
        if not lab.killed_at(3, *arguments):
            return run
    raise AssertionError(f"{_MANY} runs did not complete it")
