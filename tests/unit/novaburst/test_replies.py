"""Replies that are none of AWS's, from something on the way or a server at fault."""

from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.session import Session

from novaburst.descriptions import core_session
from novaburst.replies import ReplyError

PAGE = "<!doctype html>\n<title>500 Internal Server Error</title>\n<p>The server encountered an internal error."
ASKED: dict[str, tuple[str, dict[str, str]]] = {
    "sqs": ("get_queue_url", {"QueueName": "q"}),
    "ec2": ("describe_instances", {}),
    "cloudformation": ("describe_stacks", {}),
    "lambda": ("get_function", {"FunctionName": "f"}),
}


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


class Server:
    """Answers in place of AWS, the same to everybody, and counts the requests."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.asked = 0
        self.status, self.body = 200, ""

    def ask(self, service: str) -> Any:
        client = self._session.create_client(service)  # type: ignore[call-overload]
        client.meta.events.register("before-send", self._answer)
        operation, parameters = ASKED[service]
        return getattr(client, operation)(**parameters)

    def _answer(self, request: AWSRequest, **_: Any) -> AWSResponse:
        self.asked += 1
        return AWSResponse(request.url, self.status, {}, _Raw(self.body.encode()))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def session() -> Session:
    return core_session()


@pytest.fixture
def server(session: Session, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    return Server(session)


@pytest.mark.parametrize("body", [PAGE, "<html lang=en>no</html>", "[]", "null"])
@pytest.mark.parametrize("service", ASKED)
def test_a_servers_error_in_another_form_is_tried_again_and_named_by_its_status(
    server: Server, service: str, body: str
) -> None:
    server.status, server.body = 500, body
    with pytest.raises(ClientError) as error:
        server.ask(service)
    assert error.value.response["Error"]["Code"] == "500"
    assert server.asked == 2


@pytest.mark.parametrize("body", [PAGE, "<html lang=en>no</html>"])
def test_a_refusal_in_another_form_is_named_by_its_status(server: Server, body: str) -> None:
    server.status, server.body = 403, body
    with pytest.raises(ClientError) as error:
        server.ask("ec2")
    assert error.value.response["Error"] == {"Code": "403", "Message": "Forbidden"}
    assert server.asked == 1


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("sqs", "[]"),
        ("sqs", "null"),
        ("sqs", "7"),
        ("sqs", PAGE),
        ("lambda", "[]"),
        ("ec2", PAGE),
        ("cloudformation", PAGE),
    ],
)
def test_an_answer_in_another_form_is_no_answer(server: Server, service: str, body: str) -> None:
    server.body = body
    with pytest.raises(ReplyError, match="status 200"):
        server.ask(service)


def test_aws_own_answers_and_refusals_stay(server: Server) -> None:
    server.body = '{"QueueUrl": "https://q"}'
    assert server.ask("sqs")["QueueUrl"] == "https://q"
    server.status = 400
    server.body = '{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"}'
    with pytest.raises(ClientError, match="no such queue") as error:
        server.ask("sqs")
    assert type(error.value).__name__ == "QueueDoesNotExist"
