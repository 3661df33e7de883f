"""`NOVABURST_PRESET=cse546`: the course's clients, and what its graders look at, in a deployment by that preset."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.cloud import started, until
from tests.e2e.course_clients import generation_2021, generation_2024
from tests.photos import imagenet_photos

STUDENT = "1234567890"


def instances(ec2: Any) -> list[str]:
    """The states of the instances that graders count."""
    filters = [{"Name": "tag:Name", "Values": ["app-tier-instance*"]}]
    found = ec2.describe_instances(Filters=filters)["Reservations"]
    return [instance["State"]["Name"] for one in found for instance in one["Instances"]]


def messages(sqs: Any, url: str) -> int:
    """Those of a queue that nobody has deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def test_a_deployment_by_the_preset_answers_the_courses_clients_and_satisfies_its_graders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVABURST_PRESET", "cse546")
    monkeypatch.setenv("NOVABURST_PREFIX", STUDENT)
    files = [photo.path for photo in imagenet_photos()]
    with started(tmp_path, "--boot-seconds", "0", "--max-workers", "2") as cloud:
        endpoint = cloud.wait_for_line("embedded AWS").split()[-1]
        s3, sqs, ec2 = (boto3.client(name, endpoint_url=endpoint) for name in ("s3", "sqs", "ec2"))
        assert instances(ec2) == []
        old = generation_2021(f"{cloud.url}/upload.php", files)
        new = generation_2024(cloud.url, files)
        assert old.keys() == new.keys() == {file.name for file in files}
        assert not [text for text in (*old.values(), *new.values()) if text.startswith("lost")]
        assert all(new[file.name] == f"{file.stem}:{old[file.name]}" for file in files)
        assert instances(ec2)
        assert sum(state in {"pending", "running"} for state in instances(ec2)) <= 2
        for bucket in (f"{STUDENT}-in-bucket", f"{STUDENT}-out-bucket"):
            assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2 * len(files)
        for queue in (f"{STUDENT}-req-queue", f"{STUDENT}-resp-queue"):
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MaximumMessageSize"])["Attributes"]
            assert attributes["MaximumMessageSize"] == "1024"
            until(lambda address=url: messages(sqs, address) == 0, 60)
        until(lambda: set(instances(ec2)) <= {"terminated"}, 60, lambda: str(instances(ec2)))
