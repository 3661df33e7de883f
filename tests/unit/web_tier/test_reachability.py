"""What an anonymous reader is told when AWS does not answer."""

from botocore.exceptions import ClientError, NoCredentialsError

from web_tier.reachability import reason


def refusal(code: str) -> ClientError:
    message = "User: arn:aws:iam::210987654321:user/novaburst-web is not authorized"
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetQueueUrl")


def test_a_refusal_names_its_code_and_neither_account_nor_role() -> None:
    assert reason(refusal("AccessDenied")) == "AWS says AccessDenied"


def test_a_signature_that_does_not_match_points_to_the_clock() -> None:
    assert "clock" in reason(refusal("SignatureDoesNotMatch"))


def test_missing_credentials_come_with_the_remedy() -> None:
    assert "AWS_*" in reason(NoCredentialsError())
