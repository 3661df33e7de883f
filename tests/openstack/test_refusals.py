"""What real services refuse, in words that a person can act on; and that an `up` after the remedy goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openstack.connection import Connection

from tests.openstack.arguments import DOWN, up
from tests.openstack.plane.layout import PASSWORD, url
from tests.openstack.tenant import Ended, Tenant, equipped, tenant


def refused(ended: Ended, *words: str) -> None:
    """It failed, said all these words and a remedy, and showed no traceback."""
    assert ended.status == 1, ended.output
    assert "Traceback" not in ended.errors
    assert "What helps: " in ended.errors
    for word in words:
        assert word in ended.errors


@pytest.fixture
def bare(operator: Connection, tmp_path: Path) -> Iterator[Tenant]:
    """A project to which the operator gave nothing at all."""
    with tenant(operator, equipped(tmp_path)) as made:
        yield made


def test_what_a_plan_finds_wrong_is_told_before_anything_is_made(bare: Tenant, web_tier: str) -> None:
    refused(bare.nova(*up(web_tier)), "sees no external network", "Have an operator create one")
    bare.external_network()
    bare.external_network("campus")
    refused(bare.nova(*up(web_tier)), "2 external networks: campus, public", "--external-network")
    campus = up(web_tier, external_network="campus")
    other = (bare.folder / "key.pub").read_text().replace("AAAAIJu2", "AAAAIJu3")
    with bare.member() as cloud:
        cloud.compute.create_keypair(name="lab-7-web-tier", public_key=other)
        refused(bare.nova(*campus), "of another public key", "openstack keypair delete")
        cloud.compute.delete_keypair("lab-7-web-tier")
        ids = [
            cloud.image.create_image(
                "debian",
                data=b"x" * 9_000,
                disk_format="raw",
                container_format="bare",
                allow_duplicates=True,
                wait=True,
            ).id
            for _ in range(2)
        ]
    of_name = up(web_tier, external_network="campus", image_file="", image="debian")
    refused(bare.nova(*of_name), "taken by 2 images", *ids)
    assert not any(found for kind, found in bare.has().items() if kind != "images")


def test_each_quota_names_its_step_and_up_goes_on_once_it_is_raised(lab: Tenant, web_tier: str) -> None:
    network, compute = lab.operator.network, lab.operator.compute
    network.update_quota(lab.project_id, networks=0, floating_ips=0, security_group_rules=2)
    refused(lab.nova(*up(web_tier)), "create network", "Quota exceeded", "raise the quota")
    network.update_quota(lab.project_id, networks=5)
    refused(lab.nova(*up(web_tier)), "allow TCP", "Quota exceeded", "raise the quota")
    network.update_quota(lab.project_id, security_group_rules=50)
    refused(lab.nova(*up(web_tier)), "create floating IP", "Quota exceeded", "raise the quota")
    network.update_quota(lab.project_id, floating_ips=5)
    compute.update_quota_set(lab.project_id, instances=0)
    refused(lab.nova(*up(web_tier)), "create server", "Quota exceeded", "raise the quota")
    compute.update_quota_set(lab.project_id, instances=5)
    vast = lab.flavor("vast", 50_000_000, 5)
    compute.update_quota_set(lab.project_id, ram=-1)
    refused(lab.nova(*up(web_tier, flavor=vast)), "No valid host", "Choose a smaller one with --flavor")
    assert lab.status("lab-7")["server"].startswith("ERROR: No valid host")
    ended = lab.nova(*up(web_tier))
    assert ended.status == 0, ended.errors
    assert "delete server" in ended.output
    assert lab.status("lab-7")["server"] == "ACTIVE"


def test_an_empty_pool_a_false_format_and_a_missing_flavor_are_told_in_their_turn(bare: Tenant, web_tier: str) -> None:
    # The router's gateway takes the only address.
    pool = bare.external_network(addresses=1)
    large = bare.flavor("large", 768, 40)
    refused(bare.nova(*up(web_tier)), "create floating IP in public", "No more IP addresses", "Release one")
    bare.widen(pool)
    false = up(web_tier, disk_format="qcow2")
    refused(bare.nova(*false), "upload image image.raw (qcow2)", "--disk-format")
    refused(bare.nova(*up(web_tier)), "none of 512 MB and 5 GB", f"{large} (768 MB, 40 GB)", "may not make flavors")
    with bare.member() as cloud:
        heavy = {"data": b"x" * 9_000, "disk_format": "raw", "container_format": "bare", "min_ram": 1024}
        cloud.image.create_image("heavy", wait=True, **heavy)
    refused(bare.nova(*up(web_tier, flavor=large, image_file="", image="heavy")), "too small", "--flavor")
    ended = bare.nova(*up(web_tier, flavor=large))
    assert ended.status == 0, ended.errors


def test_who_may_makes_the_flavor_and_down_removes_it(operator: Connection, tmp_path: Path, web_tier: str) -> None:
    with tenant(operator, equipped(tmp_path), roles=("member", "admin")) as lord:
        # Who may do all sees the external networks of all.
        ended = lord.nova(*up(web_tier, external_network=lord.external_network()))
        assert ended.status == 0, ended.errors
        made = operator.compute.find_flavor("lab-7-web-tier", ignore_missing=False)
        assert (made.ram, made.disk, made.description) == (512, 5, "novaburst:lab-7")
        assert lord.nova(*DOWN).status == 0
        assert operator.compute.find_flavor("lab-7-web-tier") is None


def test_two_networks_with_the_mark_are_a_problem_and_down_removes_both_and_no_namesake(
    lab: Tenant, web_tier: str
) -> None:
    with lab.member() as cloud:
        namesake = cloud.network.create_network(name="lab-7-web-tier").id
        for _ in range(2):
            cloud.network.create_network(name="lab-7-web-tier", description="novaburst:lab-7")
    refused(lab.nova(*up(web_tier)), "2 networks carry novaburst:lab-7", "nova down")
    assert lab.nova(*DOWN).status == 0
    assert lab.has()["networks"] == [namesake]


def test_a_token_that_was_revoked_is_called_expired(lab: Tenant) -> None:
    with lab.member() as cloud:
        token = cloud.session.get_token()
        lab.write_clouds(auth_url=url("keystone"), token=token, project_id=lab.project_id)
        lab.clouds.write_text(lab.clouds.read_text() + "    auth_type: v3token\n")
        assert lab.nova("status").status == 0
        cloud.identity.delete("/auth/tokens", headers={"X-Subject-Token": token})
    refused(lab.nova("status"), "token has expired", "openstack token issue")


def test_a_wrong_password_a_wrong_cloud_and_no_answer_are_told_apart(lab: Tenant) -> None:
    refused(lab.nova("status", "--os-cloud", "nowhere"), "Cloud nowhere was not found", "clouds.yaml")
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    who = {"username": lab.name, "project_name": lab.name, **domains}
    lab.write_clouds(auth_url=url("keystone"), password=PASSWORD[::-1], **who)
    refused(lab.nova("status"), "refuses the user name, password or project")
    lab.write_clouds(auth_url="http://127.0.0.1:9/v3", password=PASSWORD, **who)
    refused(lab.nova("status"), "cannot be reached", "auth_url")
