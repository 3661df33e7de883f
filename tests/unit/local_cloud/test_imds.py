"""The metadata service: what it tells, and to whom."""

import json
from datetime import UTC, datetime

import botocore.session
import pytest
import requests
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from local_cloud.imds import MetadataService, Tokens, document, look_up
from local_cloud.instance import InstanceView

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VIEW = InstanceView(
    id="i-0123456789abcdef0",
    launch_index=3,
    state="running",
    type="t3.small",
    image_id="ami-1",
    region="us-east-1",
    zone="us-east-1a",
    account="123456789012",
    private_address="10.0.0.7",
    role="worker-role",
    metadata_tags={"Name": "app-tier-instance", "novaburst:fleet": "burst"},
    user_data="#cloud-config\n",
)
TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest/meta-data/instance-id", VIEW.id),
        ("/latest/meta-data/ami-launch-index", "3"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/placement/", "availability-zone\nregion"),
        ("/latest/meta-data/tags/instance/novaburst:fleet", "burst"),
        ("/latest/meta-data/iam/security-credentials/", "worker-role"),
        ("/latest/user-data", "#cloud-config\n"),
        ("/latest/meta-data/spot/instance-action", None),
        ("/latest/meta-data/instance-id/more", None),
    ],
)
def test_a_path_gives_its_text_or_its_names_or_nothing(path: str, text: str | None) -> None:
    assert look_up(document(VIEW, NOW), path) == text


def test_the_identity_document_names_the_instance() -> None:
    text = look_up(document(VIEW, NOW), "/latest/dynamic/instance-identity/document")
    assert text is not None
    assert json.loads(text)["instanceId"] == VIEW.id


def test_a_token_ends_when_its_time_is_over() -> None:
    moments = iter([0.0, 59.0, 61.0])
    tokens = Tokens(clock=lambda: next(moments))
    token = tokens.issue(60)
    assert tokens.valid(token)
    assert not tokens.valid(token)


@pytest.fixture
def service() -> "MetadataService":
    service = MetadataService(lambda: VIEW)
    yield service  # type: ignore[misc] # a generator fixture
    service.stop()


def test_without_a_token_nothing_is_told(service: MetadataService) -> None:
    address = service.address + "/latest/meta-data/instance-id"
    assert requests.get(address, timeout=5).status_code == 401
    forged = requests.get(address, headers={"X-aws-ec2-metadata-token": "forged"}, timeout=5)
    assert forged.status_code == 401


def test_with_a_token_the_metadata_is_told(service: MetadataService) -> None:
    token = requests.put(service.address + "/latest/api/token", headers=TTL, timeout=5).text
    headers = {"X-aws-ec2-metadata-token": token}
    answer = requests.get(service.address + "/latest/meta-data/instance-id", headers=headers, timeout=5)
    assert (answer.status_code, answer.text) == (200, VIEW.id)
    absent = requests.get(service.address + "/latest/meta-data/spot/instance-action", headers=headers, timeout=5)
    assert absent.status_code == 404


@pytest.mark.parametrize("ttl", [{}, {"X-aws-ec2-metadata-token-ttl-seconds": "0"}])
def test_a_token_without_a_valid_life_is_refused(service: MetadataService, ttl: dict[str, str]) -> None:
    assert requests.put(service.address + "/latest/api/token", headers=ttl, timeout=5).status_code == 400


def test_botocore_takes_its_credentials_and_region_from_it(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.address)
    credentials = botocore.session.Session().get_credentials()
    assert credentials.method == "iam-role"
    assert credentials.get_frozen_credentials().access_key
    assert InstanceMetadataFetcher(base_url=service.address).retrieve_iam_role_credentials()["role_name"] == VIEW.role
    assert InstanceMetadataRegionFetcher(base_url=service.address).retrieve_region() == "us-east-1"
