"""What is known of an image file before it is sent."""

import hashlib
from pathlib import Path

import pytest

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
