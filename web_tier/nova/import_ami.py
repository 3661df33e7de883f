"""Brings an EC2 image over to the private cloud: exported by AWS, fetched, proved, and put into Glance."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openstack.connection import Connection

from web_tier.nova import glance, import_ami_download, import_ami_export, import_ami_role
from web_tier.nova.import_ami_export import Ami, Export, Format
from web_tier.nova.import_ami_role import Place
from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

# An image's property in Glance: where it came from, by which it is found again.
AMI_PROPERTY = "novaburst_ami"


@dataclass(frozen=True)
class Aws:
    """The clients of one account and region."""

    ec2: "EC2Client"
    s3: "S3Client"
    iam: "IAMClient"


@dataclass(frozen=True)
class Watcher:
    """Whom to tell how far it is."""

    say: Callable[[str], None]
    # Of an export under way.
    exporting: Callable[[Export], None]
    # The bytes that are there, and the bytes in all.
    fetching: Callable[[int, int], None]
    sending: Callable[[int, int], None]


@dataclass(frozen=True)
class Disk:
    """An AMI as a disk image on this machine."""

    ami: Ami
    form: Format
    path: Path


def fetch(aws: Aws, ami_id: str, place: Place, form: Format, folder: Path, *, watcher: Watcher) -> Disk:
    """The AMI as a disk image below `folder`, its content proved; an export under way, or a file half there, goes on.

    Raises:
        NovaError: something that a person can mend.
        botocore.exceptions.ClientError, BotoCoreError: AWS refused something else.
        OSError: the folder cannot be written.
    """
    ami = import_ami_export.describe(aws.ec2, ami_id)
    import_ami_role.prepare(place, aws.s3, aws.iam)
    export = import_ami_export.find(aws.ec2, aws.s3, ami, place, form)
    if export is None:
        export = import_ami_export.start(aws.ec2, ami, place, form)
        watcher.say(f"export {export.task} of {ami.id} started")
    if not export.done:
        export = import_ami_export.wait(aws.ec2, export, form, watcher.exporting)
    watcher.say(f"exported: s3://{export.bucket}/{export.key}")
    remote = import_ami_download.look(aws.s3, export.bucket, export.key)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{export.task}.{form}"
    import_ami_download.download(aws.s3, remote, path, watcher.fetching)
    watcher.say(f"fetched and proved: {path}, {remote.size:,} bytes")
    return Disk(ami, form, path)


def present(cloud: Connection, ami_id: str, form: Format) -> str | None:
    """The id of the image in Glance that holds this AMI in this format, whole.

    Raises:
        openstack.exceptions.SDKException: Glance does not answer.
    """
    images = cloud.image.images(status="active", disk_format=form.value, **{AMI_PROPERTY: ami_id})
    return next((str(image.id) for image in images), None)


def store(cloud: Connection, disk: Disk, name: str, watcher: Watcher) -> str:
    """Put the disk image into Glance; its id there. A copy that does not arrive whole leaves no image behind.

    Raises:
        NovaError: the file is not of that format, or what arrived is not what was sent.
        openstack.exceptions.SDKException: Glance refused it.
    """
    begins_like = glance.disk_format(disk.path)
    if begins_like != disk.form:
        raise NovaError(
            f"{disk.path} begins like {begins_like}, not like {disk.form}", "Export the AMI again, in another format."
        )
    properties = {AMI_PROPERTY: disk.ami.id, "architecture": disk.ami.architecture}
    if disk.ami.uefi:
        properties["hw_firmware_type"] = "uefi"
    expected = glance.sha512(disk.path)
    # What an interrupted run has left: a record without data.
    for left in cloud.image.images(status="queued", **{AMI_PROPERTY: disk.ami.id}):
        cloud.image.delete_image(str(left.id), ignore_missing=True)
    image_id = glance.create(cloud, name, disk.form.value, properties)
    try:
        if disk.ami.root_gibibytes:
            # Nova then refuses a flavor whose disk is too small, before it copies anything.
            cloud.image.update_image(image_id, min_disk=disk.ami.root_gibibytes)
            watcher.say(f"a server from it needs a flavor with a disk of at least {disk.ami.root_gibibytes} GB")
        glance.upload(cloud, image_id, disk.path, expected, watcher.sending)
    except BaseException:
        cloud.image.delete_image(image_id, ignore_missing=True)
        raise
    return image_id
