"""An instance's tags keep its idle worker alive, and nothing else does."""

import pytest

from tests.unit.worker_ami.metadata import MetadataService
from worker_ami.worker.imds import InstanceMetadata
from worker_ami.worker.tags import asked_to_stay


@pytest.mark.parametrize(
    ("tags", "stays"),
    [
        ("Name\nnovaburst:fleet", False),
        ("Name\nnovaburst:fleet\nnovaburst:warm", True),
        ("novaburst:keep", True),
        ("novaburst:keepsake", False),
        ("", False),
    ],
)
def test_the_warm_and_the_keep_tag_ask_a_worker_to_stay(service: MetadataService, tags: str, stays: bool) -> None:
    service.notices = {"tags/instance": tags}
    assert asked_to_stay(InstanceMetadata(service.environment)) is stays


def test_an_instance_without_tags_or_without_a_service_runs_up_no_bill(service: MetadataService) -> None:
    assert not asked_to_stay(InstanceMetadata(service.environment))
    service.failures = 10
    assert not asked_to_stay(InstanceMetadata(service.environment))
