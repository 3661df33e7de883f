"""What the web tier knows and must not tell: the AWS key, the token, and what AWS says of accounts and users."""

import hashlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from flask import Flask

from novaburst.settings import Settings
from web_tier.app import create_app
from web_tier.settings import WebSettings
from web_tier.tier import tier_of

KEY, SECRET, SESSION = "AKIAIOSFODNN7EXAMPLE", "the-secret-of-the-aws-key", "the-session-token"
TOKEN = "the-token-of-the-operator"
WRONG = "the-token-of-somebody-else"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
UNTOLD = (KEY, SECRET, SESSION, TOKEN, WRONG, HASH)


@pytest.fixture
def app(aws: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    session = boto3.Session(KEY, SECRET, SESSION, region_name="us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    app = create_app(WebSettings(prefix=aws.prefix, state_dir=tmp_path, scale_token_sha256=HASH, max_wait_seconds=1))
    yield app
    tier_of(app).close()


def test_no_answer_and_no_line_of_the_log_tells_a_secret(
    app: Flask, aws: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.test_client()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    # To whoever holds the token, and to everybody.
    told: dict[bool, list[str]] = {True: [], False: []}

    def ask(method: str, path: str, **options: object) -> None:
        answer = client.open(path, method=method, **options)  # type: ignore[arg-type]
        told[options.get("headers") is bearer] += (str(answer.headers), answer.get_data(as_text=True))
        answer.close()

    def ask_everything() -> None:
        for path in ("/", "/healthz", "/readyz", "/api/v1/status", "/api/v1/fleet", "/api/v1/openapi.json", "/none"):
            ask("GET", path)
        ask("GET", "/api/v1/batches", headers=bearer)
        ask("GET", "/api/v1/batches", headers={"Authorization": f"Bearer {WRONG}"})
        ask("GET", f"/api/v1/batches?token={TOKEN}")
        for headers in ({}, bearer, {"Authorization": f"Bearer {WRONG}"}, {"Authorization": f"Basic {TOKEN}"}):
            ask("POST", "/api/v1/scale", json={"dry_run": True}, headers=headers)
        ask("POST", "/api/v1/scale", data=TOKEN, headers=bearer)
        for path, field in (("/api/v1/upload", "file"), ("/", "inputFile")):
            ask("POST", path, data={field: (io.BytesIO(b"label:x"), "x.jpg")})
        ask("POST", "/api/v1/batches", json={"prefix": ""})
        ask("GET", "/api/v1/results/none")

    with caplog.at_level(logging.INFO):
        ask_everything()
        # And now with everything of AWS gone, so that each call fails.
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        for bucket in (aws.in_bucket, aws.out_bucket):
            for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=one["Key"])
            s3.delete_bucket(Bucket=bucket)
        for queue in (aws.request_queue, aws.response_queue, aws.dead_letter_queue, aws.wake_queue):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        ask_everything()
    logged = [*(record.getMessage() for record in caplog.records), caplog.text]
    assert caplog.records, "what went wrong is in the log"
    for text in told[True] + told[False] + logged:
        assert [secret for secret in UNTOLD if secret in text] == []
    # AWS names accounts and users in its errors: for the log, and for the operator who must mend it.
    assert any("123456789012" in text for text in logged)
    assert not [text for text in told[False] if "arn:aws" in text or "123456789012" in text]
    # What lies on the disk can be copied with the disk.
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert [secret for secret in UNTOLD if secret.encode() in content] == [], path
