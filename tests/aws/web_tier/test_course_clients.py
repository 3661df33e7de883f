from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient
from urllib3.filepost import encode_multipart_formdata

from novaburst.settings import Settings
from tests.aws.web_tier.conftest import Fleet
from web_tier.tier import tier_of


def post(client: FlaskClient, address: str, field: str, name: str, data: bytes) -> tuple[int, str, str]:
    body, kind = encode_multipart_formdata([(field, (name, data))])
    reply = client.post(address, data=body, content_type=kind)
    return reply.status_code, reply.mimetype, reply.text


@pytest.mark.parametrize("address", ["/", "/upload", "/any/path.php", "/healthz", "/a%0Aline%20break", "/имя"])
def test_the_clients_of_2021_get_the_bare_label_at_any_path(
    client: FlaskClient, working_fleet: Fleet, address: str
) -> None:
    reply = post(client, address, "myfile", "test_0.JPEG", b"label:bathtub")
    assert reply == (200, "text/plain", "bathtub")


def test_the_clients_since_2024_get_the_name_up_to_its_first_dot_and_the_label(
    client: FlaskClient, working_fleet: Fleet
) -> None:
    reply = post(client, "/", "inputFile", "test_0.x.JPEG", b"label:bathtub")
    assert reply == (200, "text/plain", "test_0:bathtub")


def test_an_image_that_has_no_label_is_a_422_that_says_why(client: FlaskClient, working_fleet: Fleet) -> None:
    assert post(client, "/", "myfile", "a.txt", b"x") == (422, "text/plain", "not_an_image: no known format")
    assert post(client, "/", "inputFile", "a.txt", b"")[:2] == (422, "text/plain")


def test_a_form_without_a_file_is_a_400_in_words(client: FlaskClient) -> None:
    body, kind = encode_multipart_formdata([("comment", "hello")])
    reply = client.post("/", data=body, content_type=kind)
    assert (reply.status_code, reply.mimetype) == (400, "text/plain")


@pytest.mark.parametrize(
    ("query", "kind", "status"),
    [("?wait=soon", "image/png", 400), ("", "application/json", 415), ("", "application/x-www-form-urlencoded", 400)],
)
def test_whatever_goes_wrong_is_said_in_plain_text(client: FlaskClient, query: str, kind: str, status: int) -> None:
    reply = client.post(f"/any/path{query}", data=b"x", content_type=kind)
    assert (reply.status_code, reply.mimetype) == (status, "text/plain")


def test_a_storage_that_is_away_is_said_in_plain_text_too(client: FlaskClient, aws: Settings) -> None:
    s3 = boto3.client("s3")
    s3.delete_bucket(Bucket=aws.in_bucket)
    status, kind, text = post(client, "/", "myfile", "a.jpg", b"label:x")
    assert (status, kind) == (422, "text/plain")
    assert text.startswith("not_stored")


def test_a_wait_without_a_result_ends_as_a_504_in_words(client: FlaskClient) -> None:
    body, kind = encode_multipart_formdata([("myfile", ("a.jpg", b"label:x"))])
    reply = client.post("/?wait=0.2", data=body, content_type=kind)
    assert (reply.status_code, reply.mimetype) == (504, "text/plain")
    assert "no result within" in reply.text


def test_a_hundred_clients_at_once_each_get_their_own_answer(app: Flask, working_fleet: Fleet) -> None:
    def one(number: int) -> tuple[int, str, str]:
        return post(app.test_client(), "/", "inputFile", f"test_{number}.jpg", b"label:thing %d" % number)

    with ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(one, range(100)))
    assert replies == [(200, "text/plain", f"test_{number}:thing {number}") for number in range(100)]


def test_each_upload_leaves_one_object_in_each_bucket_and_no_message(
    client: FlaskClient, working_fleet: Fleet, aws: Settings
) -> None:
    for number in range(5):
        post(client, "/", "myfile", f"{number}.jpg", b"label:x")
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for bucket in (aws.in_bucket, aws.out_bucket):
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 5
    working_fleet.stop()
    for queue in (aws.request_queue, aws.response_queue):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert counts["ApproximateNumberOfMessages"] == "0"


@pytest.mark.parametrize(
    "name", ["../../x.jpg", "C:\\a\\x.jpg", 'x".jpg', "x\ny.jpg", "x" * 4096, "имя.jpg", "a\r\nb: c"]
)
def test_any_name_is_answered_on_one_line_of_its_own(client: FlaskClient, working_fleet: Fleet, name: str) -> None:
    status, _, text = post(client, "/", "inputFile", name, b"label:cat")
    assert status == 200
    assert text.endswith(":cat")
    assert len(text.splitlines()) == 1


def test_the_good_files_beside_bad_ones_have_their_labels_line_by_line(
    client: FlaskClient, working_fleet: Fleet
) -> None:
    files = [("a.jpg", b"label:cat"), ("b.jpg", b""), ("c.jpg", b"x" * 300_000), ("d.jpg", b"label:dog")]
    body, kind = encode_multipart_formdata([("inputFile", file) for file in files])
    reply = client.post("/", data=body, content_type=kind)
    assert (reply.status_code, reply.mimetype) == (422, "text/plain")
    lines = reply.text.splitlines()
    assert (lines[0], lines[3]) == ("a:cat", "d:dog")
    assert lines[1].startswith("b:empty_file")
    assert lines[2].startswith("c:too_large")


def test_a_body_that_stops_half_way_is_said_to_and_its_whole_files_are_answered(
    client: FlaskClient, working_fleet: Fleet
) -> None:
    body, kind = encode_multipart_formdata([("myfile", ("a.jpg", b"label:cat")), ("myfile", ("b.jpg", b"x" * 1000))])
    reply = client.post("/", data=body[: body.index(b"xxx") + 50], content_type=kind)
    assert (reply.status_code, reply.mimetype) == (422, "text/plain")
    whole, half, missing = reply.text.splitlines()
    assert whole == "cat"
    assert half.startswith("upload_incomplete")
    assert missing.startswith("the form ended early")


def test_files_beyond_the_limit_are_said_to_be_missing_where_the_others_have_their_labels(
    app: Flask, working_fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tier_of(app).settings.__dict__, "max_files_per_upload", 2)
    body, kind = encode_multipart_formdata([("inputFile", (f"{name}.jpg", b"label:cat")) for name in "abc"])
    reply = app.test_client().post("/", data=body, content_type=kind)
    assert (reply.status_code, reply.mimetype) == (422, "text/plain")
    assert reply.text.splitlines()[:2] == ["a:cat", "b:cat"]
    assert "at most 2 files" in reply.text.splitlines()[2]


def test_an_answer_of_several_lines_is_told_on_one(client: FlaskClient, working_fleet: Fleet) -> None:
    assert post(client, "/", "myfile", "a.jpg", b"label:first\nsecond") == (200, "text/plain", r"first\nsecond")


def test_a_body_beyond_the_limit_is_a_413_in_plain_text(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tier_of(app).settings.__dict__, "max_upload_bytes", 1000)
    status, kind, text = post(app.test_client(), "/", "myfile", "a.jpg", b"x" * 2000)
    assert (status, kind) == (413, "text/plain")
    assert "at most 1,000" in text


@pytest.mark.parametrize("address", ["/", "/any/path"])
def test_a_head_or_another_method_uploads_nothing(client: FlaskClient, address: str) -> None:
    assert client.head(address).data == b""
    for method in ("PUT", "DELETE", "PATCH"):
        reply = client.open(address, method=method, data=b"label:cat", content_type="image/png")
        assert (reply.status_code, "POST" in reply.allow) == (405, True)
    assert client.get("/api/v1/status").json["images"]["total"] == 0
