"""An EC2 image arrives in a real Glance: exported by the embedded AWS, whole, and once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local_cloud.mends.exports import stand_in
from local_cloud.preflight import free_port
from tests.openstack.tenant import Ended, Tenant
from web_tier.nova.glance import sha512
from web_tier.nova.import_ami import AMI_PROPERTY

# An image that the embedded EC2 knows; its root volume has 15 GB.
AMI = "ami-12c6146b"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded AWS."""
    folder = tmp_path_factory.mktemp("aws")
    port = free_port()
    command = [sys.executable, "-m", "local_cloud.server", "--port", str(port)]
    command += ["--state", str(folder / "state"), "--model", str(folder / "model")]
    output = folder / "output"
    with output.open("wb") as out, subprocess.Popen(command, stdout=out, env={"PATH": os.environ["PATH"]}) as server:
        try:
            deadline = time.monotonic() + 120
            while "embedded aws:" not in output.read_text():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def with_aws(lab: Tenant, endpoint: str) -> Tenant:
    """The project, whose member also has an AWS account, in the usual places below their home."""
    home = lab.folder / ".aws"
    home.mkdir()
    (home / "config").write_text(f"[default]\nendpoint_url = {endpoint}\n")
    (home / "credentials").write_text("[default]\naws_access_key_id = member\naws_secret_access_key = member\n")
    return lab


@pytest.fixture
def run(lab: Tenant, endpoint: str) -> Tenant:
    """The project with its AWS."""
    return with_aws(lab, endpoint)


def import_ami(lab: Tenant, *options: str) -> Ended:
    return lab.nova("import-ami", AMI, "--prefix", lab.name, *options)


def exports(endpoint: str, lab: Tenant) -> int:
    tasks = boto3.client("ec2", endpoint_url=endpoint).describe_export_image_tasks()["ExportImageTasks"]
    return sum(task["S3ExportLocation"]["S3Bucket"].startswith(lab.name) for task in tasks)


def test_an_ami_becomes_an_image_of_glance_whole_and_once(run: Tenant, endpoint: str, tmp_path: Path) -> None:
    ended = import_ami(run, "--name", "from-ec2")
    assert ended.status == 0, ended.errors
    assert "fetched and proved" in ended.errors
    assert "at least 15 GB" in ended.errors
    image_id = ended.output.strip()
    with run.member() as cloud:
        image = cloud.image.get_image(image_id)
        assert (image.name, image.status, image.disk_format) == ("from-ec2", "active", "vmdk")
        assert image.properties[AMI_PROPERTY] == AMI
        assert (image.architecture, image.min_disk, image.size) == ("x86_64", 15, len(stand_in()))
        (tmp_path / "expected").write_bytes(stand_in())
        assert image.hash_value == sha512(tmp_path / "expected")
    assert list((tmp_path / ".novaburst" / "images").iterdir()) == []
    again = import_ami(run, "--name", "from-ec2")
    assert again.output.strip() == image_id
    assert len(run.has()["images"]) == 1
    assert exports(endpoint, run) == 1


def test_a_record_that_an_interrupted_import_left_is_cleared_away(run: Tenant) -> None:
    with run.member() as cloud:
        cloud.image.create_image(
            AMI, disk_format="vmdk", container_format="bare", allow_duplicates=True, properties={AMI_PROPERTY: AMI}
        )
    ended = import_ami(run)
    assert ended.status == 0, ended.errors
    assert run.has()["images"] == [ended.output.strip()]


def test_a_raw_image_is_one_of_its_own(run: Tenant) -> None:
    ids = {import_ami(run, "--format", form).output.strip() for form in ("raw", "vmdk")}
    assert len(ids) == 2
    with run.member() as cloud:
        assert {cloud.image.get_image(image_id).disk_format for image_id in ids} == {"raw", "vmdk"}
