"""ExportImage: AWS writes an AMI into S3 as a disk image, in minutes to an hour; an export under way is found again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from web_tier.nova.import_ami_role import Place
from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import ExportImageTaskTypeDef
    from types_boto3_s3 import S3Client

# Between two looks at an export, in seconds.
_LOOK_SECONDS = 15.0
# How long a role that was made just now may be unknown to EC2, and between two tries, in seconds.
_ROLE_SECONDS = 90.0
_RETRY_SECONDS = 5.0
# What AWS says of an AMI that it does not export, and of a role that it does not know yet.
_NOT_EXPORTED = frozenset({"NotExportable", "UnsupportedOperation", "InvalidParameterCombination"})
_UNKNOWN_AMI = frozenset({"InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"})


class Format(StrEnum):
    """Of the exported image; also its name's ending, and Glance's name for it."""

    VMDK = "vmdk"
    RAW = "raw"


@dataclass(frozen=True)
class Ami:
    """An image in EC2, as far as the private cloud needs to know it."""

    id: str
    # Glance's words: x86_64, aarch64.
    architecture: str
    uefi: bool
    # Of its root volume: no smaller disk can hold it.
    root_gibibytes: int


@dataclass(frozen=True)
class Export:
    """One run of ExportImage."""

    task: str
    bucket: str
    key: str
    status: str
    # Percent, as far as AWS says.
    progress: str = ""
    message: str = ""

    @property
    def done(self) -> bool:
        """The object is there."""
        return self.status == "completed"


def describe(ec2: "EC2Client", image_id: str) -> Ami:
    """Look at the AMI.

    Raises:
        NovaError: there is none in this account and region.
        botocore.exceptions.ClientError, BotoCoreError: AWS refused something else.
    """
    absent = NovaError(
        f"there is no AMI {image_id} in {ec2.meta.region_name}",
        "AMIs are a region's own: set AWS_DEFAULT_REGION to that of the AMI, and use credentials of its account.",
    )
    try:
        images = ec2.describe_images(ImageIds=[image_id])["Images"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _UNKNOWN_AMI:
            raise absent from error
        raise
    if not images:
        raise absent
    [image] = images
    root = image.get("RootDeviceName")
    sizes = [
        device.get("Ebs", {}).get("VolumeSize", 0)
        for device in image.get("BlockDeviceMappings", [])
        if device.get("DeviceName") == root
    ]
    return Ami(
        id=image_id,
        architecture={"arm64": "aarch64"}.get(image["Architecture"], image["Architecture"]),
        uefi=image.get("BootMode") == "uefi",
        root_gibibytes=max(sizes, default=0),
    )


def find(ec2: "EC2Client", s3: "S3Client", ami: Ami, place: Place, form: Format) -> Export | None:
    """The export of this AMI in this format that is done, or else one under way.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: AWS does not answer.
    """
    found = [export for export in _exports(ec2, form) if _folder(ami, form) == export.key.rsplit("/", 1)[0] + "/"]
    found = [export for export in found if export.bucket == place.bucket]
    for export in found:
        if export.done and _stored(s3, export):
            return export
    return next((export for export in found if export.status == "active"), None)


def start(
    ec2: "EC2Client",
    ami: Ami,
    place: Place,
    form: Format,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Export:
    """Start an export; a role that AWS does not know yet is waited for.

    Raises:
        NovaError: AWS does not export this AMI; the text says why.
        botocore.exceptions.ClientError, BotoCoreError: AWS refused something else.
    """
    deadline = clock() + _ROLE_SECONDS
    while True:
        try:
            task = ec2.export_image(
                ImageId=ami.id,
                DiskImageFormat="VMDK" if form is Format.VMDK else "RAW",
                S3ExportLocation={"S3Bucket": place.bucket, "S3Prefix": _folder(ami, form)},
                RoleName=place.role,
                Description=f"novaburst {place.prefix}",
                TagSpecifications=[
                    {
                        "ResourceType": "export-image-task",
                        "Tags": [{"Key": "novaburst:fleet", "Value": place.prefix}],
                    }
                ],
            )
        except ClientError as error:
            code, words = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code == "InvalidParameter" and "role" in words.lower() and clock() < deadline:
                sleep(_RETRY_SECONDS)
                continue
            if code in _NOT_EXPORTED:
                raise _refused(ami, words) from error
            raise
        return _export(task, form)  # type: ignore[arg-type] # the same members, of which a task has one less


def wait(
    ec2: "EC2Client",
    export: Export,
    form: Format,
    tell: Callable[[Export], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Export:
    """Look until the export is done, telling each look.

    Raises:
        NovaError: AWS gave it up; the text says why.
        botocore.exceptions.ClientError, BotoCoreError: AWS does not answer.
    """
    while True:
        [task] = ec2.describe_export_image_tasks(ExportImageTaskIds=[export.task])["ExportImageTasks"]
        seen = _export(task, form)
        tell(seen)
        if seen.done:
            return seen
        if seen.status != "active":
            raise NovaError(
                f"AWS gave up the export {seen.task}: {seen.message or seen.status}",
                "Run the same command again for another export, and look at the AMI if that is given up too.",
            )
        sleep(_LOOK_SECONDS)


def _refused(ami: Ami, words: str) -> NovaError:
    return NovaError(
        f"AWS does not export {ami.id}: {words}",
        "An AMI of your own from free software can be exported; one with software that AWS or others sell, and one "
        "with encrypted snapshots, cannot. Bake one from Debian or Ubuntu, or use their cloud images directly.",
    )


def _folder(ami: Ami, form: Format) -> str:
    # The format stands in the name because AWS does not say it when it lists exports.
    return f"{form}/{ami.id}/"


def _exports(ec2: "EC2Client", form: Format) -> Iterator[Export]:
    for page in ec2.get_paginator("describe_export_image_tasks").paginate():
        for task in page["ExportImageTasks"]:
            yield _export(task, form)


def _export(task: "ExportImageTaskTypeDef", form: Format) -> Export:
    place = task.get("S3ExportLocation", {})
    return Export(
        task=task["ExportImageTaskId"],
        bucket=place.get("S3Bucket", ""),
        key=f"{place.get('S3Prefix', '')}{task['ExportImageTaskId']}.{form}",
        status=task.get("Status", ""),
        progress=task.get("Progress", ""),
        message=task.get("StatusMessage", ""),
    )


def _stored(s3: "S3Client", export: Export) -> bool:
    try:
        s3.head_object(Bucket=export.bucket, Key=export.key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True
