"""A worker knows its instance id from IMDSv2, or it does not start."""

import pytest

from tests.unit.worker_ami.metadata import INSTANCE, MetadataService
from worker_ami.worker import imds
from worker_ami.worker.imds import InstanceMetadata, InstanceMetadataError, instance_id, launch_place


def test_the_id_is_asked_for_with_a_token(service: MetadataService) -> None:
    assert instance_id(service.environment) == INSTANCE


def test_a_service_that_is_late_after_boot_is_asked_again(service: MetadataService) -> None:
    service.failures = 2
    assert instance_id(service.environment) == INSTANCE


@pytest.mark.parametrize("body", ["", "<html>401</html>", "i-", "i-XYZ", INSTANCE + "\n0"])
def test_an_empty_or_unreadable_id_is_a_reason_to_stop(service: MetadataService, body: str) -> None:
    service.body = body
    with pytest.raises(InstanceMetadataError, match="no instance id"):
        instance_id(service.environment)


def test_a_refused_token_is_a_reason_to_stop(service: MetadataService) -> None:
    service.token_status = 403
    with pytest.raises(InstanceMetadataError, match="403"):
        instance_id(service.environment)


def test_a_service_that_does_not_recover_is_a_reason_to_stop(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imds, "_RETRIES", imds._RETRIES.new(backoff_factor=0))
    service.failures = 1000
    with pytest.raises(InstanceMetadataError, match="latest/api/token"):
        instance_id(service.environment)


def test_what_is_not_there_is_none_and_not_an_error(service: MetadataService) -> None:
    assert InstanceMetadata(service.environment).get("spot/instance-action") is None


def test_a_token_that_has_ended_is_renewed(service: MetadataService) -> None:
    metadata = InstanceMetadata(service.environment)
    assert metadata.get("instance-id") == INSTANCE
    service.token = "another token"
    assert metadata.get("instance-id") == INSTANCE
    metadata.close()


@pytest.mark.parametrize(
    ("told", "place"), [({"ami-launch-index": "7"}, 7), ({"ami-launch-index": "<html>"}, 0), ({}, 0)]
)
def test_the_place_in_its_launch_is_the_first_unless_the_service_says_another(
    service: MetadataService, told: dict[str, str], place: int
) -> None:
    service.notices = told
    assert launch_place(InstanceMetadata(service.environment)) == place


def test_without_an_answer_a_worker_stays_as_long_as_the_first(service: MetadataService) -> None:
    service.token_status = 403
    assert launch_place(InstanceMetadata(service.environment)) == 0
