"""What the cloud's own errors become for a person. Their words are those that the services said in tests/openstack."""

from http import HTTPStatus

import pytest
import requests
from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from web_tier.nova.explain import explain
from web_tier.nova.resources import Kind
from web_tier.nova.steps import Create, CreateFloatingIp, CreateServer, Delete

NETWORK = Create(Kind.NETWORK, "none carries it")


def refusal(status: int, words: str) -> Exception:
    """What the library raises for such an answer."""
    response = requests.Response()
    response.status_code = status
    response.reason = HTTPStatus(status).phrase
    response.headers["content-type"] = "application/json"
    response.headers["x-openstack-request-id"] = "req-1"
    response._content = f'{{"fault": {{"message": "{words}"}}}}'.encode()
    response.url = "http://cloud/v2"
    response.request = requests.Request("POST", response.url).prepare()
    try:
        sdk.raise_from_response(response)
    except sdk.SDKException as error:
        return error
    raise AssertionError("not an error")


@pytest.mark.parametrize(
    ("status", "words"),
    [(409, "Quota exceeded for resources: ['network']."), (403, "Quota exceeded for instances: Requested 1")],
)
def test_a_quota_is_a_matter_of_deleting_or_asking_whatever_its_status(status: int, words: str) -> None:
    problem = explain(refusal(status, words), NETWORK)
    assert "Quota exceeded" in problem.text
    assert "raise the quota" in problem.remedy


def test_an_empty_pool_names_the_network_and_what_to_release() -> None:
    step = CreateFloatingIp("e1", "public", "none carries it")
    problem = explain(refusal(409, "No more IP addresses available on network e1."), step)
    assert problem.text.startswith("create floating IP in public: No more IP addresses")
    assert "floating ip list" in problem.remedy


def test_a_flavor_that_may_not_be_made_is_to_be_named_or_made_by_an_operator() -> None:
    step = Create(Kind.FLAVOR, "there is none of 512 MB and 5 GB; --flavor would take m1 (1024 MB, 10 GB)")
    problem = explain(refusal(403, "Policy doesn't allow os_compute_api:os-flavor-manage:create"), step)
    assert "m1 (1024 MB, 10 GB)" in problem.text
    assert "openstack flavor create --ram 512" in problem.remedy


def test_another_thing_that_is_forbidden_is_a_matter_of_roles() -> None:
    assert "role" in explain(refusal(403, "Policy doesn't allow create_network"), NETWORK).remedy


@pytest.mark.parametrize(
    ("status", "words", "helps"),
    [
        (400, "Bad router request: Cidr 10.0.0.0/24 of subnet a overlaps with cidr 10.0.0.0/16", "--cidr"),
        (400, "Flavor's memory is too small for requested image.", "--flavor"),
        (
            409,
            "Unable to complete operation on network n. There are one or more ports still in use",
            "Remove that first",
        ),
        (415, "Unsupported Media Type", "--disk-format"),
        (404, "External network e1 is not reachable from subnet s1", "--external-network"),
    ],
)
def test_each_known_refusal_has_its_own_remedy(status: int, words: str, helps: str) -> None:
    assert helps in explain(refusal(status, words), CreateServer(None, None, None, "new")).remedy


def test_a_refusal_that_nobody_foresaw_keeps_its_words_and_the_requests_number() -> None:
    problem = explain(refusal(500, "The server has either erred or is incapable"), Delete(Kind.PORT, "p1", "marked"))
    assert problem.text == "delete port p1: The server has either erred or is incapable"
    assert "req-1" in problem.remedy


@pytest.mark.parametrize(
    "error",
    [
        auth.Unauthorized("The request you have made requires authentication."),
        auth.NotFound("Failed to validate token"),
        refusal(401, "The request you have made requires authentication."),
    ],
)
def test_a_refused_token_has_expired_and_a_refused_password_is_wrong(error: Exception) -> None:
    assert "expired" in explain(error, auth_type="v3token").text
    assert "user name, password" in explain(error, auth_type="password").text
    assert "application credential" in explain(error, auth_type="v3applicationcredential").text


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (sdk.ConfigException("Cloud lab was not found."), "--os-cloud"),
        (auth.MissingRequiredOptions([]), "clouds.yaml"),
        (auth.ConnectFailure("refused"), "auth_url"),
        (auth.DiscoveryFailure("no versions"), "auth_url"),
        (auth.SSLError("self-signed certificate"), "cacert"),
        (auth.EndpointNotFound("network endpoint not found"), "region_name"),
    ],
)
def test_what_stands_between_us_and_the_cloud_is_told_apart(error: Exception, helps: str) -> None:
    assert helps in explain(error).remedy
