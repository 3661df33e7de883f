"""EC2: ExportImage and its tasks, which moto lacks. There is no image to export here, so a disk without content stands
in for it: an object that is a whole image of the format that was asked for."""

import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends

_SECTOR = 512
_DISK_SECTORS = 2048
# Looks at an active task before it is completed.
_LOOKS = 2

_lock = threading.Lock()


@dataclass
class _Task:
    """An export as DescribeExportImageTasks shows it."""

    account: str
    region: str
    image_id: str
    bucket: str
    prefix: str
    form: str
    description: str
    tags: list[dict[str, str]]
    id: str = field(default_factory=lambda: f"export-ami-{mock_random.get_random_hex(17)}")
    looks: int = 0

    @property
    def done(self) -> bool:
        return self.looks >= _LOOKS

    def shown(self) -> dict[str, Any]:
        shown = {
            "Description": self.description,
            "ExportImageTaskId": self.id,
            "ImageId": self.image_id,
            "S3ExportLocation": {"S3Bucket": self.bucket, "S3Prefix": self.prefix},
            "Status": "completed" if self.done else "active",
            "Tags": self.tags,
        }
        return (
            shown if self.done else {**shown, "Progress": str(85 * self.looks // _LOOKS), "StatusMessage": "converting"}
        )


def apply() -> None:
    """Install the mends of this module."""
    tasks: list[_Task] = []

    def export_image(self: EC2Response) -> ActionResult:
        params = self._get_params()
        self.ec2_backend.describe_images(ami_ids=[params["ImageId"]])
        role = params.get("RoleName", "vmimport")
        if all(one.name != role for one in iam_backends[self.current_account]["aws"].get_roles()):
            raise EC2ClientError("InvalidParameter", f"The service role {role} provided does not exist")
        place = params["S3ExportLocation"]
        try:
            s3_backends[self.current_account]["aws"].get_bucket(place["S3Bucket"])
        except MissingBucket as error:
            raise EC2ClientError("InvalidParameter", f"The bucket {place['S3Bucket']} does not exist") from error
        specified = params.get("TagSpecification") or params.get("TagSpecifications") or []
        task = _Task(
            account=self.current_account,
            region=self.region,
            image_id=params["ImageId"],
            bucket=place["S3Bucket"],
            prefix=place.get("S3Prefix", ""),
            form=params["DiskImageFormat"],
            description=params.get("Description", ""),
            tags=[tag for one in specified for tag in one.get("Tag", one.get("Tags", []))],
        )
        with _lock:
            tasks.append(task)
        return ActionResult({**task.shown(), "DiskImageFormat": task.form, "RoleName": role})

    def describe_export_image_tasks(self: EC2Response) -> ActionResult:
        params = self._get_params()
        wanted = set(params.get("ExportImageTaskId") or params.get("ExportImageTaskIds") or [])
        shown = []
        with _lock:
            for task in tasks:
                ours = (task.account, task.region) == (self.current_account, self.region)
                if not ours or (wanted and task.id not in wanted):
                    continue
                shown.append(task.shown())
                _go_on(task)
        return ActionResult({"ExportImageTasks": shown})

    for method in (export_image, describe_export_image_tasks):
        setattr(EC2Response, method.__name__, method)


def _go_on(task: _Task) -> None:
    """Bring a task further; with its last step the object is there."""
    if task.done:
        return
    task.looks += 1
    if task.done:
        content = stand_in() if task.form == "VMDK" else bytes(_DISK_SECTORS * _SECTOR)
        key = f"{task.prefix}{task.id}.{task.form.lower()}"
        s3_backends[task.account]["aws"].put_object(task.bucket, key, content)


def stand_in() -> bytes:
    """An empty disk of 1 MiB as a stream-optimised VMDK.

    The layout: VMware Virtual Disk Format 1.1, "Stream-Optimized Compressed Sparse Extents".
    """
    grain, entries = 128, 512
    descriptor = "\n".join(
        (
            "# Disk DescriptorFile",
            "version=1",
            "CID=fffffffe",
            "parentCID=ffffffff",
            'createType="streamOptimized"',
            f'RW {_DISK_SECTORS} SPARSE "disk.vmdk"',
            'ddb.adapterType = "lsilogic"',
            'ddb.virtualHWVersion = "4"',
            "",
        )
    ).encode()

    def header(directory: int) -> bytes:
        """The first sector, and the footer, which alone knows where the grain directory lies."""
        fields = (b"KDMV", 3, 0x30001, _DISK_SECTORS, grain, 1, 2, entries, 0, directory, grain, 0, b"\n \r\n", 1)
        return struct.pack("<4sIIQQQQIQQQB4sH", *fields).ljust(_SECTOR, b"\0")

    def marker(sectors: int, kind: int) -> bytes:
        return struct.pack("<QII", sectors, 0, kind).ljust(_SECTOR, b"\0")

    end_of_stream, grain_directory, footer = 0, 2, 3
    head = header(0xFFFF_FFFF_FFFF_FFFF) + descriptor.ljust(2 * _SECTOR, b"\0")
    head = head.ljust(grain * _SECTOR, b"\0")
    # One entry of the directory, and it is 0: no grain has content.
    directory = marker(1, grain_directory) + bytes(_SECTOR)
    tail = marker(1, footer) + header(len(head) // _SECTOR + 1) + marker(0, end_of_stream)
    return head + directory + tail
