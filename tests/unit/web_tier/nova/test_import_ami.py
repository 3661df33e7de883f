"""The pure parts of bringing an EC2 image over: the policies, the hash that S3 gives, and what AWS does not export."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from web_tier.nova.import_ami_download import etag
from web_tier.nova.import_ami_export import Ami, Export, Format, start, wait
from web_tier.nova.import_ami_role import Place, role_policy, trust_policy
from web_tier.nova.problem import NovaError

PLACE = Place("lab-7", "us-east-1")
AMI = Ami("ami-1", "x86_64", uefi=False, root_gibibytes=8)


def test_the_service_alone_takes_the_role_and_only_for_exports_of_ours() -> None:
    [statement] = json.loads(trust_policy())["Statement"]
    assert statement["Principal"] == {"Service": "vmie.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "vmimport"}}


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_the_role_writes_into_its_bucket_and_nowhere_else(partition: str) -> None:
    text = role_policy(PLACE, partition)
    assert "$" not in text
    for statement in json.loads(text)["Statement"]:
        actions = statement["Action"]
        if any(action.startswith("s3:") for action in actions):
            assert statement["Resource"].startswith(f"arn:{partition}:s3:::lab-7-image-exports")
        else:
            assert not any(action in {"ec2:*", "*"} for action in actions)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_the_hash_is_s3s_own_for_one_piece_and_for_parts(tmp_path: Path, parts: list[bytes]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"".join(parts))

    def md5(content: bytes) -> "hashlib._Hash":
        return hashlib.md5(content, usedforsecurity=False)

    assert etag(path, []) == md5(b"".join(parts)).hexdigest()
    if parts:
        expected = md5(b"".join(md5(part).digest() for part in parts)).hexdigest()
        assert etag(path, [len(part) for part in parts]) == f"{expected}-{len(parts)}"


class Ec2:
    """Answers ExportImage with a refusal, and its description with what was prepared."""

    def __init__(self, code: str = "", **task: str) -> None:
        self._code = code
        self._task = task

    def export_image(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "it holds software for sale"}}, "ExportImage")

    def describe_export_image_tasks(self, **_: Any) -> Any:
        return {"ExportImageTasks": [{"ExportImageTaskId": "export-ami-1", **self._task}]}


def test_an_ami_that_aws_does_not_export_is_told_with_what_can_be() -> None:
    with pytest.raises(NovaError, match="it holds software for sale") as refused:
        start(Ec2("NotExportable"), AMI, PLACE, Format.VMDK)  # type: ignore[arg-type] # a part of a client
    assert "Debian or Ubuntu" in refused.value.remedy


@pytest.mark.parametrize("status", ["deleting", "deleted"])
def test_an_export_that_aws_gives_up_is_told_in_its_words(status: str) -> None:
    ec2 = Ec2(Status=status, StatusMessage="ClientError: Unsupported kernel")
    export = Export("export-ami-1", "bucket", "key", "active")
    with pytest.raises(NovaError, match="Unsupported kernel"):
        wait(ec2, export, Format.VMDK, lambda _: None)  # type: ignore[arg-type] # a part of a client
