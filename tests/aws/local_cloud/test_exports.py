"""An EC2 image comes over as a disk image: exported, found again when interrupted, fetched and proved."""

import json
from pathlib import Path

import pytest

from tests.aws.local_cloud.conftest import Cloud
from web_tier.nova import import_ami_export
from web_tier.nova.import_ami import Aws, Disk, Watcher, fetch
from web_tier.nova.import_ami_export import Format, describe, find, start
from web_tier.nova.import_ami_role import Place, prepare
from web_tier.nova.problem import NovaError


@pytest.fixture(autouse=True)
def _no_pause_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_ami_export, "_LOOK_SECONDS", 0.01)


@pytest.fixture
def aws(cloud: Cloud) -> Aws:
    return Aws(cloud.client("ec2"), cloud.client("s3"), cloud.client("iam"))


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return Place(cloud.new_name("lab"), "us-east-1")


def run(aws: Aws, place: Place, folder: Path, form: Format = Format.VMDK) -> tuple[Disk, list[str]]:
    """Fetch the image; what was told on the way."""
    told: list[str] = []
    watcher = Watcher(
        say=told.append,
        exporting=lambda export: told.append(f"{export.status} {export.progress}"),
        fetching=lambda done, total: told.append(f"{done} of {total}"),
        sending=lambda _done, _total: None,
    )
    return fetch(aws, Cloud.image_id, place, form, folder, watcher=watcher), told


def exports(aws: Aws, place: Place) -> list[str]:
    tasks = aws.ec2.describe_export_image_tasks()["ExportImageTasks"]
    return [task["ExportImageTaskId"] for task in tasks if task["S3ExportLocation"]["S3Bucket"] == place.bucket]


def test_an_ami_arrives_as_a_vmdk_with_progress_on_the_way(aws: Aws, place: Place, tmp_path: Path) -> None:
    disk, told = run(aws, place, tmp_path / "images")
    assert disk.path.read_bytes().startswith(b"KDMV")
    assert disk.ami.architecture == "x86_64"
    size = disk.path.stat().st_size
    assert {"active 0", "active 42", "completed ", f"{size} of {size}"} <= set(told)
    assert [entry.name for entry in (tmp_path / "images").iterdir()] == [disk.path.name]


def test_a_raw_disk_is_an_export_of_its_own(aws: Aws, place: Place, tmp_path: Path) -> None:
    run(aws, place, tmp_path)
    disk, _ = run(aws, place, tmp_path, Format.RAW)
    assert disk.path.suffix == ".raw"
    assert len(exports(aws, place)) == 2


def test_run_again_it_neither_exports_nor_fetches_anew(aws: Aws, place: Place, tmp_path: Path) -> None:
    first, _ = run(aws, place, tmp_path)
    written = first.path.stat().st_mtime_ns
    second, _ = run(aws, place, tmp_path)
    assert second == first
    assert second.path.stat().st_mtime_ns == written
    assert len(exports(aws, place)) == 1


def test_an_export_under_way_is_waited_for_rather_than_started_twice(aws: Aws, place: Place, tmp_path: Path) -> None:
    prepare(place, aws.s3, aws.iam)
    under_way = start(aws.ec2, describe(aws.ec2, Cloud.image_id), place, Format.VMDK)
    disk, _ = run(aws, place, tmp_path)
    assert disk.path.stem == under_way.task
    assert exports(aws, place) == [under_way.task]


def test_an_export_whose_object_has_expired_is_made_anew(aws: Aws, place: Place, tmp_path: Path) -> None:
    disk, _ = run(aws, place, tmp_path)
    aws.s3.delete_object(Bucket=place.bucket, Key=f"vmdk/{disk.ami.id}/{disk.path.name}")
    assert find(aws.ec2, aws.s3, disk.ami, place, Format.VMDK) is None
    again, _ = run(aws, place, tmp_path)
    assert again.path != disk.path


def test_an_ami_of_elsewhere_is_told_with_the_remedy(aws: Aws, place: Place, tmp_path: Path) -> None:
    with pytest.raises(NovaError, match="AWS_DEFAULT_REGION"):
        fetch(
            aws,
            "ami-0000000000000000f",
            place,
            Format.VMDK,
            tmp_path,
            watcher=Watcher(print, print, print, print),
        )


def test_a_role_that_ec2_does_not_know_yet_is_waited_for(aws: Aws, place: Place) -> None:
    aws.s3.create_bucket(Bucket=place.bucket)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        prepare(place, aws.s3, aws.iam)

    ami = describe(aws.ec2, Cloud.image_id)
    assert start(aws.ec2, ami, place, Format.VMDK, clock=lambda: sum(slept), sleep=sleep).status == "active"
    assert len(slept) == 1


def test_a_role_that_never_comes_ends_the_waiting(aws: Aws, place: Place) -> None:
    aws.s3.create_bucket(Bucket=place.bucket)
    slept: list[float] = []
    ami = describe(aws.ec2, Cloud.image_id)
    with pytest.raises(aws.ec2.exceptions.ClientError, match="role"):
        start(aws.ec2, ami, place, Format.VMDK, clock=lambda: sum(slept), sleep=slept.append)
    assert sum(slept) >= 90


def test_the_role_is_the_services_alone_and_the_bucket_nobody_elses_and_both_stay_so_when_prepared_again(
    aws: Aws, place: Place
) -> None:
    for _ in range(2):
        prepare(place, aws.s3, aws.iam)
        role = aws.iam.get_role(RoleName=place.role)["Role"]
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]  # type: ignore[index] # boto3 decodes it
        assert trust["Principal"] == {"Service": "vmie.amazonaws.com"}
        policy = json.dumps(aws.iam.get_role_policy(RoleName=place.role, PolicyName=place.role)["PolicyDocument"])
        assert f"arn:aws:s3:::{place.bucket}/*" in policy
        access = aws.s3.get_public_access_block(Bucket=place.bucket)["PublicAccessBlockConfiguration"]
        assert all(access.values())
        [rule] = aws.s3.get_bucket_lifecycle_configuration(Bucket=place.bucket)["Rules"]
        assert rule["Expiration"]["Days"] == 7


def test_in_another_region_the_bucket_is_made_there(cloud: Cloud, aws: Aws) -> None:
    place = Place(cloud.new_name("lab"), "eu-central-1")
    prepare(place, aws.s3, aws.iam)
    assert aws.s3.get_bucket_location(Bucket=place.bucket)["LocationConstraint"] == "eu-central-1"
