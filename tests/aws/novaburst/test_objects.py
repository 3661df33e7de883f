"""The S3 module against moto."""

import io

import pytest

from novaburst.aws import s3_client
from novaburst.objects import Bucket, ObjectMissingError, ObjectTooLargeError
from novaburst.settings import Settings


def test_what_was_put_is_got_back_with_bytes_or_from_a_file(aws: Settings) -> None:
    bucket = Bucket(s3_client(), aws.in_bucket)
    bucket.put("a", b"bytes", metadata={"name": "x"})
    bucket.put("b", io.BytesIO(b"file"))
    assert bucket.get("a") == b"bytes"
    assert bucket.get("b") == b"file"


def test_a_missing_object_is_told_apart_from_a_failure(aws: Settings) -> None:
    bucket = Bucket(s3_client(), aws.in_bucket)
    assert not bucket.exists("gone")
    with pytest.raises(ObjectMissingError, match="gone"):
        bucket.get("gone")


def test_an_object_over_the_limit_is_not_read(aws: Settings) -> None:
    bucket = Bucket(s3_client(), aws.in_bucket)
    bucket.put("big", b"x" * 11)
    assert bucket.exists("big")
    with pytest.raises(ObjectTooLargeError, match="11 bytes"):
        bucket.get("big", max_bytes=10)


def test_keys_are_listed_past_the_first_page_and_after_a_given_one(aws: Settings) -> None:
    bucket = Bucket(s3_client(), aws.out_bucket)
    for number in range(1005):
        bucket.put(f"{number:05}", b"")
    assert len(list(bucket.keys())) == 1005
    assert list(bucket.keys(after="01002")) == ["01003", "01004"]
