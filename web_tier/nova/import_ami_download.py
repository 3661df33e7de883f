"""Fetches a large object of S3 into a file: goes on where it was interrupted, and proves the content by its ETag."""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import HTTPClientError

from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

log = logging.getLogger(__name__)

# Read and written at once, in bytes.
_CHUNK = 1024 * 1024
# Connections in a row that bring nothing, before that is told to a person.
_FRUITLESS = 5


@dataclass(frozen=True)
class Remote:
    """An object as it is now."""

    bucket: str
    key: str
    size: int
    # In hex, with `-N` behind it if it was written in N parts.
    etag: str

    @property
    def parts(self) -> int:
        """In how many parts it was written; 0 means in one piece, which S3 hashes otherwise than one part."""
        _, _, count = self.etag.partition("-")
        return int(count or 0)


def look(s3: "S3Client", bucket: str, key: str) -> Remote:
    """The object's size and ETag.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: it is not there, or AWS does not answer.
    """
    head = s3.head_object(Bucket=bucket, Key=key)
    return Remote(bucket, key, head["ContentLength"], head["ETag"].strip('"'))


def download(s3: "S3Client", remote: Remote, path: Path, progress: Callable[[int, int], None]) -> None:
    """Fetch the object into `path`, which then holds its very content.

    Until then it lies beside `path`, under a name with its ETag; what lies there already is not fetched again.

    Args:
        s3: a client.
        remote: the object, as it was looked at.
        path: the file to make.
        progress: told the bytes that are there and the bytes in all.

    Raises:
        NovaError: the disk is too small, S3 keeps breaking off, or what arrived is not what S3 has.
        botocore.exceptions.ClientError, BotoCoreError: AWS refused it.
        OSError: the file cannot be written.
    """
    if path.exists() and _matches(s3, remote, path):
        progress(remote.size, remote.size)
        return
    partial = path.with_name(f"{path.name}.{remote.etag}.part")
    partial.touch()
    have = partial.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < remote.size - have:
        raise NovaError(
            f"{path.parent} has {free / 1e9:.1f} GB free, the image needs {(remote.size - have) / 1e9:.1f} GB more",
            "Name a folder on a larger disk with --folder.",
        )
    fruitless = 0
    while (have := partial.stat().st_size) < remote.size:
        progress(have, remote.size)
        try:
            for there in _append(s3, remote, partial, have):
                fruitless = 0
                progress(there, remote.size)
        except HTTPClientError as error:
            fruitless += 1
            log.warning("%s broke off: %s", remote.key, error)
            if fruitless >= _FRUITLESS:
                raise NovaError(
                    f"S3 broke off {fruitless} times in a row: {error}",
                    "Run the same command again: it goes on where it was.",
                ) from error
    progress(remote.size, remote.size)
    if not _matches(s3, remote, partial):
        partial.unlink()
        raise NovaError(
            f"what arrived of {remote.key} is not what S3 has: its ETag is not {remote.etag}",
            "The copy was deleted. Run the same command again; if it happens twice, look at this machine's disk.",
        )
    partial.rename(path)


def _append(s3: "S3Client", remote: Remote, partial: Path, have: int) -> Iterator[int]:
    """Fetch what is missing, telling how much is there."""
    answer = s3.get_object(Bucket=remote.bucket, Key=remote.key, IfMatch=remote.etag, Range=f"bytes={have}-")
    with partial.open("ab") as file:
        for chunk in answer["Body"].iter_chunks(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            yield have


def etag(path: Path, part_sizes: list[int]) -> str:
    """The ETag that S3 gives to a file's content, written in parts of these sizes, or in one piece if there are none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if not part_sizes:
            return hashlib.file_digest(file, _md5).hexdigest()
        digests = [_digest(file.read, size) for size in part_sizes]
    return f"{_md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def _digest(read: Callable[[int], bytes], size: int) -> bytes:
    digest = _md5()
    while size and (chunk := read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.digest()


def _md5(content: bytes = b"") -> "hashlib._Hash":
    # S3's choice, against accidents alone.
    return hashlib.md5(content, usedforsecurity=False)


def _matches(s3: "S3Client", remote: Remote, path: Path) -> bool:
    if path.stat().st_size != remote.size:
        return False
    return any(etag(path, sizes) == remote.etag for sizes in _part_sizes(s3, remote))


def _part_sizes(s3: "S3Client", remote: Remote) -> Iterator[list[int]]:
    """In what parts it may have been written: all alike but the last, as is usual, or else as S3 says of each."""
    if not remote.parts:
        yield []
        return
    size = _part_size(s3, remote, 1)
    last = remote.size - (remote.parts - 1) * size
    if 0 < last <= size:
        yield [size] * (remote.parts - 1) + [last]
    yield [size, *(_part_size(s3, remote, number) for number in range(2, remote.parts + 1))]


def _part_size(s3: "S3Client", remote: Remote, number: int) -> int:
    return s3.head_object(Bucket=remote.bucket, Key=remote.key, PartNumber=number)["ContentLength"]
