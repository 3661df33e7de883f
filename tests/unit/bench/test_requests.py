"""How the stand-in for AWS names what it is asked."""

import asyncio
import json

import pytest

from bench.requests_aws import PATH, Accountant, call


def sqs(action: str, **asked: str) -> tuple[str, str, dict[str, str], bytes]:
    return "POST", "/", {"x-amz-target": f"AmazonSQS.{action}"}, json.dumps(asked).encode()


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (("PUT", "/novaburst-in-bucket/0199", {}, b"photo"), "s3 PutObject in-bucket"),
        (("GET", "/novaburst-in-bucket/0199", {}, b""), "s3 GetObject in-bucket"),
        (("HEAD", "/novaburst-in-bucket/a/b", {}, b""), "s3 HeadObject in-bucket"),
        (("GET", "/novaburst-out-bucket", {}, b""), "s3 ListObjects out-bucket"),
        (("GET", "/novaburst-out-bucket/", {}, b""), "s3 ListObjects out-bucket"),
        (("POST", "/novaburst-out-bucket", {}, b"<Delete/>"), "s3 DeleteObjects out-bucket"),
        (sqs("ReceiveMessage", QueueUrl="http://127.0.0.1:1/novaburst-req-queue"), "sqs ReceiveMessage req-queue"),
        (sqs("GetQueueUrl", QueueName="novaburst-req-dlq"), "sqs GetQueueUrl req-dlq"),
        (("POST", "/", {}, b"Action=DescribeInstances&Version=2016-11-15"), "ec2 DescribeInstances -"),
    ],
)
def test_a_call_has_a_service_an_action_and_a_resource(
    asked: tuple[str, str, dict[str, str], bytes], name: str
) -> None:
    assert call(*asked) == name


def test_the_account_tells_calls_and_bytes_once() -> None:
    async def told() -> list[dict[str, dict[str, int]]]:
        aws = Accountant()
        for key in "ab":
            await aws.answer("PUT", f"/novaburst-in-bucket/{key}", {}, b"photo")
        return [json.loads((await aws.answer("GET", PATH, {}, b""))[1]) for _ in range(2)]

    first, second = asyncio.run(told())
    assert first == {"calls": {"s3 PutObject in-bucket": 2}, "stored": {"in-bucket": 10}}
    assert second == {"calls": {}, "stored": {}}
