"""What /readyz makes of what the calls to AWS have met."""

import sqlite3
from collections.abc import Callable
from typing import NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from web_tier.reachability import Failure
from web_tier.readiness import Check, State, clock, credentials, readiness, told
from web_tier.skew import BOUND_SECONDS


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "User: arn:aws:iam::210987654321:user/x"}}, "ListQueues")


AWAY = EndpointConnectionError(endpoint_url="https://sqs.us-east-1.amazonaws.com")


@pytest.mark.parametrize(
    ("met", "state"),
    [
        ([None, None], State.OK),
        ([None, AWAY], State.OK),
        ([refusal("AccessDenied"), AWAY], State.OK),
        ([refusal("403"), AWAY], State.UNKNOWN),
        ([refusal("InvalidSignatureException")], State.FAILED),
        ([NoCredentialsError(), NoCredentialsError()], State.FAILED),
        ([refusal("InvalidClientTokenId"), refusal("403")], State.FAILED),
        ([refusal("ExpiredToken")], State.FAILED),
        ([AWAY, AWAY], State.UNKNOWN),
        ([refusal("ServiceUnavailable")], State.UNKNOWN),
    ],
)
def test_the_key_is_judged_by_what_the_calls_have_met(met: list[Failure | None], state: State) -> None:
    check = credentials(met)
    assert check.state is state
    assert (check.remedy is None) == (state is State.OK)


@pytest.mark.parametrize(
    ("seconds", "state", "words"),
    [
        (0.4, State.OK, "0 s ahead"),
        (-59, State.OK, "59 s behind"),
        (60, State.WARNING, "will refuse"),
        (-299, State.WARNING, "299 s behind"),
        (300, State.FAILED, "300 s ahead"),
        (-86_400, State.FAILED, "86400 s behind"),
    ],
)
def test_the_clock_is_warned_about_before_aws_refuses_it(seconds: float, state: State, words: str) -> None:
    check = clock(seconds, [None])
    assert check.state is state
    assert words in check.detail
    assert (check.remedy is None) == (state is State.OK)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_beyond_the_bound_of_the_signature_no_clock_is_right(seconds: float) -> None:
    assert (clock(seconds, [None]).state is State.FAILED) == (abs(seconds) >= BOUND_SECONDS)


def test_a_clock_that_no_answer_has_told_is_wrong_when_aws_says_so_and_else_unknown() -> None:
    assert clock(None, [refusal("RequestTimeTooSkewed")]).state is State.FAILED
    assert clock(None, [AWAY]).state is State.UNKNOWN


def raising(error: Exception) -> Callable[[], NoReturn]:
    def probe() -> NoReturn:
        raise error

    return probe


def judged(local: Exception | None = None, aws: Exception | None = None) -> dict[str, Check]:
    local_probe = (lambda: None) if local is None else raising(local)
    aws_probe = (lambda: None) if aws is None else raising(aws)
    checks = readiness({"store": local_probe}, {"request-queue": aws_probe}, lambda: 0.0)
    return {check.name: check for check in checks}


def test_each_thing_that_the_work_needs_is_judged() -> None:
    assert {name: check.state for name, check in judged().items()} == dict.fromkeys(
        ("credentials", "clock", "store", "request-queue"), State.OK
    )


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (refusal("AWS.SimpleQueueService.NonExistentQueue"), "novaburst deploy"),
        (refusal("AccessDenied"), "policy"),
        (refusal("SignatureDoesNotMatch"), "clock"),
        (refusal("RequestTimeTooSkewed"), "set-ntp"),
        (refusal("InternalError"), "log"),
        (NoCredentialsError(), "AWS_"),
        (AWAY, "network"),
    ],
)
def test_what_cannot_be_reached_says_what_to_do_and_names_no_account(error: Exception, remedy: str) -> None:
    check = judged(aws=error)["request-queue"]
    assert check.state is State.FAILED
    assert remedy in (check.remedy or "")
    assert "210987654321" not in check.detail


def test_one_fault_that_everything_meets_is_told_once() -> None:
    checks = readiness(
        {}, {name: raising(NoCredentialsError()) for name in ("in-bucket", "request-queue")}, lambda: None
    )
    failed = [check for check in checks if check.state is State.FAILED]
    words = told(failed)
    assert words.startswith("credentials, in-bucket, request-queue: there are no AWS credentials: set the AWS_*")
    assert words.count("set the AWS_*") == 1


def test_a_wrong_clock_is_the_one_cause_of_all_that_aws_refuses() -> None:
    probes = {"in-bucket": raising(refusal("403")), "request-queue": raising(refusal("InvalidSignatureException"))}
    checks = readiness({}, probes, lambda: 400.0)
    assert [check.state for check in checks if check.name == "credentials"] == [State.UNKNOWN]
    words = told([check for check in checks if check.state is State.FAILED])
    assert words.startswith("clock, in-bucket, request-queue: this machine's clock is 400 s ahead of AWS's")
    assert words.count(";") == 0


def test_a_store_that_fails_says_nothing_of_aws() -> None:
    checks = judged(local=sqlite3.OperationalError("disk I/O error"))
    assert checks["store"].state is State.FAILED
    assert "disk" in (checks["store"].remedy or "")
    assert checks["credentials"].state is State.OK
