"""What is known of an image file before it is sent, and that it arrives whole or not at all."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from web_tier.nova import glance
from web_tier.nova.problem import NovaError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"QFI\xfb\x00\x00\x00\x03", "qcow2"),
        (b"KDMV\x01\x00\x00\x00", "vmdk"),
        (b"# Disk DescriptorFile\n", "vmdk"),
        (b"conectix", "vhd"),
        (b"vhdxfile", "vhdx"),
        (b"\xeb\x63\x90", "raw"),
    ],
)
def test_the_format_of_a_file_is_how_it_begins(tmp_path: Path, head: bytes, kind: str) -> None:
    file = tmp_path / "image"
    file.write_bytes(head + bytes(100))
    assert glance.disk_format(file) == kind


def test_the_hash_is_the_one_that_glance_computes(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(b"x" * 3_000_000)
    assert glance.sha512(file) == hashlib.sha512(b"x" * 3_000_000).hexdigest()


def test_a_file_that_cannot_be_read_is_a_problem_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(NovaError, match="No such file"):
        glance.sha512(tmp_path / "none")


class Glance:
    """An image service that stores what is sent; `loses` is how many bytes get lost on the way."""

    def __init__(self, loses: int = 0) -> None:
        self.image = self
        self.loses = loses
        self.length = 0
        self.deleted: list[str] = []
        self.record = SimpleNamespace(id="i1", status="queued", hash_algo=None, hash_value=None, upload=self._upload)

    def get_image(self, _image_id: str) -> SimpleNamespace:
        return self.record

    def delete_image(self, image_id: str) -> None:
        self.deleted.append(image_id)

    def _upload(self, _proxy: object, *, data: Any, size: int) -> requests.Response:
        # The length that `requests` would send.
        assert requests.utils.super_len(data) == size
        content = b"".join(data)
        self.length = len(content)
        digest = hashlib.sha512(content[self.loses :]).hexdigest()
        self.record = SimpleNamespace(id="i1", status="active", hash_algo="sha512", hash_value=digest)
        response = requests.Response()
        response.status_code = 204
        return response


def send(service: Any, path: Path) -> list[tuple[int, int]]:
    """Upload the file; what was told of the progress."""
    told: list[tuple[int, int]] = []
    glance.upload(service, "i1", path, glance.sha512(path), lambda sent, size: told.append((sent, size)))
    return told


def test_a_file_is_sent_whole_in_pieces_and_each_is_told(tmp_path: Path) -> None:
    file, service = tmp_path / "image", Glance()
    file.write_bytes(b"x" * 2_500_000)
    assert [sent for sent, size in send(service, file) if size == 2_500_000] == [1_048_576, 2_097_152, 2_500_000]
    assert service.length == 2_500_000
    assert service.deleted == []


def test_what_arrives_changed_is_deleted_and_said(tmp_path: Path) -> None:
    file, service = tmp_path / "image", Glance(loses=1)
    file.write_bytes(b"x" * 1000)
    with pytest.raises(NovaError, match="its SHA-512"):
        send(service, file)
    assert service.deleted == ["i1"]
