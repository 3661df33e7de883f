"""Puts an image file into Glance, with progress, and proves by its hash that what arrived is what was sent."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import openstack.exceptions
from openstack.connection import Connection

from web_tier.nova.problem import NovaError

# Read and sent at once, in bytes.
_CHUNK = 1024 * 1024
# How a file of each format begins, at which byte; what begins like none of them is taken for raw.
_BEGINNINGS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"conectix", "vhd"),
)
_VHDX = b"vhdxfile"


def disk_format(path: Path) -> str:
    """The format of an image file, by how it begins; `raw` when it begins like none of the others.

    Raises:
        NovaError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise _unreadable(path, error) from error
    if head.startswith(_VHDX):
        return "vhdx"
    return next((name for at, start, name in _BEGINNINGS if head[at:].startswith(start)), "raw")


def sha512(path: Path) -> str:
    """The hash of a file, in hex: the one that Glance computes.

    Raises:
        NovaError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha512").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


class _Sending:
    """An open file that tells how far it was read. `requests` takes its length for the request's."""

    def __init__(self, path: Path, progress: Callable[[int, int], None]) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._progress = progress

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
                sent += len(chunk)
                self._progress(sent, self._size)


def create(cloud: Connection, name: str, disk_format: str, properties: Mapping[str, str]) -> str:
    """A record without data; its id.

    Raises:
        openstack.exceptions.SDKException: Glance refused it.
    """
    image = cloud.image.create_image(
        name,
        disk_format=disk_format,
        container_format="bare",
        allow_duplicates=True,
        visibility="private",
        properties=dict(properties),
    )
    return str(image.id)


def upload(cloud: Connection, image_id: str, path: Path, expected: str, progress: Callable[[int, int], None]) -> None:
    """Fill the record with a file; on return the image is active and holds the file's content.

    Args:
        cloud: the cloud.
        image_id: of a record in state queued.
        path: the file.
        expected: the SHA-512 of the file, in hex.
        progress: told the bytes sent and the bytes in all.

    Raises:
        NovaError: what arrived is not what was sent; it is deleted again.
        openstack.exceptions.SDKException: Glance refused it.
    """
    image = cloud.image.get_image(image_id)
    response = image.upload(cloud.image, data=_Sending(path, progress), size=path.stat().st_size)
    openstack.exceptions.raise_from_response(response)
    arrived = cloud.image.get_image(image_id)
    if arrived.status != "active" or (arrived.hash_algo == "sha512" and arrived.hash_value != expected):
        cloud.image.delete_image(image_id)
        raise NovaError(
            f"what arrived of {path} is {arrived.status}, its SHA-512 {arrived.hash_value} instead of {expected}",
            "The copy was deleted. Try again, and if it happens twice look at the network or the file system between.",
        )


def _unreadable(path: Path, error: OSError) -> NovaError:
    return NovaError(f"{path}: {error.strerror}", "Name a file that can be read with --image-file.")
