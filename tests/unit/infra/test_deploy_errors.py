"""What a deployment says of an AWS that does not answer as AWS does."""

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

from infra.deploy import DeployError, deploy
from infra.upgrade import UpgradeError, replace_outdated


@pytest.fixture(params=[200, 500])
def _a_page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is one, with either status."""

    class Page:
        def stream(self) -> list[bytes]:
            return [b"<!doctype html>\n<title>Trouble</title>"]

    def send(_: Any, asked: AWSRequest) -> AWSResponse:
        return AWSResponse(asked.url, request.param, {}, Page())  # type: ignore[arg-type]

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.mark.usefixtures("_a_page")
def test_a_page_instead_of_an_answer_is_told_in_words() -> None:
    with pytest.raises(DeployError, match=r"stack burst-a: (Internal Server Error|AWS's answer cannot be read)"):
        deploy("burst-a", {})
    with pytest.raises(UpgradeError, match=r"Internal Server Error|AWS's answer cannot be read"):
        replace_outdated("burst-a")
