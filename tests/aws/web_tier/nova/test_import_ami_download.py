"""A large object is fetched once, whatever interrupts it, and kept only if its content is what S3 has."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ResponseStreamingError

from novaburst.settings import Settings
from web_tier.nova import import_ami_download
from web_tier.nova.import_ami_download import Remote, download, look
from web_tier.nova.problem import NovaError

MIB = 1024 * 1024
KEY = "vmdk/ami-1/export-ami-1.vmdk"


class Source:
    """S3 with one object, and which ranges of it were asked for."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.s3 = boto3.client("s3")
        self.ranges: list[str] = []
        self.s3.meta.events.register("before-parameter-build.s3.GetObject", self._note)

    def _note(self, params: dict[str, Any], **_: object) -> None:
        self.ranges.append(params["Range"])

    def put(self, *parts: bytes) -> Remote:
        """Write the object in one piece, or in several parts."""
        where = {"Bucket": self.bucket, "Key": KEY}
        if len(parts) == 1:
            self.s3.put_object(**where, Body=parts[0])
        else:
            upload = {**where, "UploadId": self.s3.create_multipart_upload(**where)["UploadId"]}
            done = [
                {"PartNumber": n, "ETag": self.s3.upload_part(**upload, PartNumber=n, Body=part)["ETag"]}
                for n, part in enumerate(parts, start=1)
            ]
            self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        return look(self.s3, self.bucket, KEY)


@pytest.fixture
def source(aws: Settings) -> Source:
    return Source(aws.in_bucket)


def quiet(_done: int, _total: int) -> None:
    pass


@pytest.mark.parametrize(
    "sizes", [(0,), (10,), (5 * MIB, 100), (5 * MIB, 5 * MIB), (5 * MIB, 6 * MIB, 5 * MIB, 7)], ids=str
)
def test_whatever_the_parts_it_was_written_in_the_content_is_proved(
    sizes: tuple[int, ...], source: Source, tmp_path: Path
) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    remote = source.put(*parts)
    download(source.s3, remote, tmp_path / "disk", quiet)
    assert (tmp_path / "disk").read_bytes() == b"".join(parts)
    assert [entry.name for entry in tmp_path.iterdir()] == ["disk"]


def test_what_is_there_already_is_not_fetched_again(source: Source, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    remote = source.put(content)
    (tmp_path / f"disk.{remote.etag}.part").write_bytes(content[:10_000])
    told: list[tuple[int, int]] = []
    download(source.s3, remote, tmp_path / "disk", lambda done, total: told.append((done, total)))
    assert source.ranges == ["bytes=10000-"]
    assert told[0] == (10_000, len(content))
    assert (tmp_path / "disk").read_bytes() == content


def test_a_whole_file_is_proved_and_left_alone(source: Source, tmp_path: Path) -> None:
    remote = source.put(b"content")
    (tmp_path / "disk").write_bytes(b"content")
    download(source.s3, remote, tmp_path / "disk", quiet)
    assert source.ranges == []


def test_a_part_of_another_object_is_not_taken_for_this_ones(source: Source, tmp_path: Path) -> None:
    (tmp_path / f"disk.{source.put(b'before').etag}.part").write_bytes(b"befo")
    download(source.s3, source.put(b"after it"), tmp_path / "disk", quiet)
    assert (tmp_path / "disk").read_bytes() == b"after it"


def test_content_that_is_not_what_s3_has_is_deleted_and_told(source: Source, tmp_path: Path) -> None:
    remote = source.put(b"right and proper")
    (tmp_path / f"disk.{remote.etag}.part").write_bytes(b"wrong")
    with pytest.raises(NovaError, match="not what S3 has"):
        download(source.s3, remote, tmp_path / "disk", quiet)
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_is_replaced_meanwhile_is_not_mixed_with_its_successor(source: Source, tmp_path: Path) -> None:
    remote = source.put(b"first")
    source.put(b"other")
    with pytest.raises(source.s3.exceptions.ClientError, match="PreconditionFailed"):
        download(source.s3, remote, tmp_path / "disk", quiet)


def breaking_off(after: int, times: int, monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """Let each of the first connections bring so many bytes, and then end."""
    whole = source.s3.get_object
    left = times

    def get_object(**wanted: Any) -> Any:
        nonlocal left
        answer = whole(**wanted)
        if not left:
            return answer
        left -= 1

        def chunks(_size: int) -> Iterator[bytes]:
            yield answer["Body"].read(after)
            raise ResponseStreamingError(error="the connection was reset")

        return {"Body": SimpleNamespace(iter_chunks=chunks)}

    monkeypatch.setattr(source.s3, "get_object", get_object)


def test_a_connection_that_breaks_off_is_made_again_where_it_was(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(250))
    remote = source.put(content)
    breaking_off(20, 9, monkeypatch, source)
    download(source.s3, remote, tmp_path / "disk", quiet)
    assert (tmp_path / "disk").read_bytes() == content
    assert source.ranges == [f"bytes={start}-" for start in range(0, 200, 20)]


def test_connections_that_bring_nothing_end_in_a_clear_message_and_keep_what_is_there(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = source.put(bytes(250))
    (tmp_path / f"disk.{remote.etag}.part").write_bytes(bytes(100))

    def get_object(**_: Any) -> Any:
        raise ResponseStreamingError(error="the connection was reset")

    monkeypatch.setattr(source.s3, "get_object", get_object)
    with pytest.raises(NovaError, match="goes on where it was"):
        download(source.s3, remote, tmp_path / "disk", quiet)
    assert (tmp_path / f"disk.{remote.etag}.part").stat().st_size == 100


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = source.put(bytes(250))
    usage = SimpleNamespace(free=100)
    monkeypatch.setattr(import_ami_download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NovaError, match="--folder"):
        download(source.s3, remote, tmp_path / "disk", quiet)
    assert source.ranges == []
