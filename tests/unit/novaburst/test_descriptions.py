"""What is read of AWS's services is what botocore reads of them, but for the texts."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.loaders import JSONFileLoader, Loader

from novaburst.aws import sqs_client
from novaburst.descriptions import Descriptions, default_session


def without_texts(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: "" if name == "documentation" and isinstance(value, str) else without_texts(value)
            for name, value in part.items()
        }
    return [without_texts(one) for one in part] if isinstance(part, list) else part


@pytest.mark.parametrize("service", ["s3", "sqs", "ec2", "cloudwatch", "lambda", "iam"])
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_they_are_botocores_in_the_same_order_with_empty_texts(service: str, kind: str) -> None:
    theirs = Loader(file_loader=JSONFileLoader()).load_service_model(service, kind)
    ours = Loader(file_loader=Descriptions()).load_service_model(service, kind)
    assert json.dumps(ours) == json.dumps(without_texts(theirs))


def test_a_member_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"members": {"documentation": {"shape": "Text", "documentation": "It says."}}}')
    read = Descriptions().load_file(str(tmp_path / "one"))
    assert read == {"members": {"documentation": {"shape": "Text", "documentation": ""}}}
    assert type(read) is dict
    assert Descriptions().load_file(str(tmp_path / "another")) is None


def test_a_default_session_that_is_there_stays_and_else_is_one_that_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    given = boto3.Session(region_name="us-west-2")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", given)
    assert default_session() is given
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client = sqs_client()
    assert client.meta.region_name == "eu-central-1"
    assert type(client.meta.service_model.metadata) is dict
    assert default_session() is boto3.DEFAULT_SESSION
