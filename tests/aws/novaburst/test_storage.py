"""The quick way to S3 behaves as boto3's, but for the time it takes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import boto3
import botocore.session
import obstore
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from novaburst import storage as storage_module
from novaburst.objects import ObjectMissingError, ObjectTooLargeError
from novaburst.storage import Storage, StorageError

BUCKET = "novatest-in-bucket"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def session() -> boto3.Session:
    return boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture
def storage(endpoint: str, session: boto3.Session) -> Storage:
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    return Storage(BUCKET, session, {"AWS_ENDPOINT_URL": endpoint})


def test_what_is_stored_is_what_others_read(storage: Storage, endpoint: str, session: boto3.Session) -> None:
    metadata = {"name": "=?utf-8?q?Stra=C3=9Fe?=", "batch": "b-1"}
    storage.put("one.json", b"{}", content_type="application/json", metadata=metadata)
    seen = session.client("s3", endpoint_url=endpoint).get_object(Bucket=BUCKET, Key="one.json")
    assert seen["Metadata"] == metadata
    assert (seen["ContentType"], seen["Body"].read()) == ("application/json", b"{}")
    assert storage.get("one.json") == b"{}"


def test_an_endpoint_of_its_own_for_s3_comes_first(storage: Storage, endpoint: str, session: boto3.Session) -> None:
    storage.put("two", b"2", content_type="text/plain")
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": endpoint}
    assert Storage(BUCKET, session, environment).get("two") == b"2"


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1", "cn-somewhere-9"]
)
def test_a_bucket_is_where_boto3_has_it_in_every_partition(region: str) -> None:
    session = boto3.Session("testing", "testing", region_name=region)
    virtual = Config(s3={"addressing_style": "virtual"}, signature_version="s3v4")
    address = session.client("s3", config=virtual).generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "a"}
    )
    signed = obstore.sign(Storage(BUCKET, session, {})._store, "GET", "a", timedelta(seconds=60))
    assert signed.partition("?")[0] == address.partition("?")[0]


def test_absence_is_a_kind_of_its_own_and_a_missing_bucket_is_not_absence(
    storage: Storage, endpoint: str, session: boto3.Session
) -> None:
    with pytest.raises(ObjectMissingError, match=f"s3://{BUCKET}/nothing"):
        storage.get("nothing")
    elsewhere = Storage("novatest-nowhere", session, {"AWS_ENDPOINT_URL": endpoint})
    with pytest.raises(StorageError, match="NoSuchBucket"):
        elsewhere.get("nothing")
    with pytest.raises(StorageError, match="NoSuchBucket"):
        elsewhere.put("nothing", b"", content_type="text/plain")


def test_an_object_over_the_limit_is_refused(storage: Storage) -> None:
    storage.put("large", bytes(101), content_type="image/jpeg")
    assert len(storage.get("large", max_bytes=101)) == 101
    with pytest.raises(ObjectTooLargeError, match="101 bytes; the limit is 100"):
        storage.get("large", max_bytes=100)


def test_credentials_that_cannot_be_had_now_are_a_failure_of_s3_and_not_of_the_image(endpoint: str) -> None:
    class Locked:
        def get_frozen_credentials(self) -> None:
            raise CredentialRetrievalError(provider="the instance's role", error_msg="not now")

    class Session(boto3.Session):
        def get_credentials(self) -> Locked:  # type: ignore[override]
            return Locked()

    storage = Storage(BUCKET, Session(region_name="us-east-1"), {"AWS_ENDPOINT_URL": endpoint})
    with pytest.raises(StorageError, match="not now"):
        storage.get("one.json")
    with pytest.raises(StorageError, match="not now"):
        storage.put("one.json", b"", content_type="text/plain")


def test_credentials_that_a_role_renews_are_taken_up_while_the_old_ones_are_still_good(
    storage: Storage, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("one.json", b"{}", content_type="application/json")
    given: list[str] = []

    def role() -> dict[str, str]:
        given.append(f"key {len(given)}")
        # boto3 renews them in their last fifteen minutes if it can, and in the last ten at any rate.
        end = datetime.now(UTC) + timedelta(minutes=10)
        return {"access_key": given[-1], "secret_key": "s", "token": "t", "expiry_time": end.isoformat()}

    # obstore asks anew five minutes before the time that it is given is over.
    assert timedelta(minutes=5) < storage_module._CREDENTIALS < timedelta(minutes=5 + 9)
    monkeypatch.setattr(storage_module, "_CREDENTIALS", timedelta(minutes=5, seconds=1))
    session = botocore.session.get_session()
    session._credentials = RefreshableCredentials.create_from_metadata(role(), role, "iam-role")
    renewed = Storage(
        BUCKET, boto3.Session(botocore_session=session, region_name="us-east-1"), {"AWS_ENDPOINT_URL": endpoint}
    )
    renewed.get("one.json")
    asked = len(given)
    renewed.get("one.json")
    assert len(given) == asked
    time.sleep(1.2)
    renewed.get("one.json")
    assert len(given) > asked


# Keys that S3 keeps apart from `q/a`, though a file system would not.
@pytest.mark.parametrize(
    "key", ["/q/a", "q/a/", "q//a", "//q/a", "./q/a", "q/./a", "q/../q/a", "q\x00a", "\tq/a", "q/a\x7f"]
)
def test_a_key_that_looks_like_another_is_never_taken_for_it(storage: Storage, key: str) -> None:
    storage.put("q/a", b"another", content_type="image/jpeg")
    with pytest.raises(ObjectMissingError):
        storage.get(key)
    storage.put(key, b"its own", content_type="image/jpeg", metadata={"name": "a"})
    assert (storage.get(key), storage.get("q/a")) == (b"its own", b"another")
    with pytest.raises(ObjectTooLargeError):
        storage.get(key, max_bytes=6)


def test_several_threads_that_need_boto3_at_once_make_one_client(
    storage: Storage, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, client = [], session.client

    def counted(*given: str, **more: object) -> object:
        made.append(given)
        return client(*given, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(session, "client", counted)
    storage.put("/a", b"", content_type="image/jpeg")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(storage.get, ["/a"] * 16)) == [b""] * 16
    assert made == [("s3",)]


class Wire(BaseHTTPRequestHandler):
    """An S3 that has every object, and keeps the paths that it was asked for as they came."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.paths.append(self.path)
        self.send_response(200)
        for name, value in {
            "Content-Length": "0",
            "ETag": '"e"',
            "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def wire() -> Iterator[tuple[Storage, list[str]]]:
    Wire.paths = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Wire) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        yield Storage(BUCKET, session, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}), Wire.paths
        server.shutdown()


@settings(max_examples=300)
@given(st.text(st.sampled_from("a./\\%?#+ \n\x00\x7f\x85é") | st.characters(exclude_categories=["Cs"]), min_size=1))
def test_s3_is_asked_for_the_key_that_was_given_whatever_it_is(wire: tuple[Storage, list[str]], key: str) -> None:
    storage, paths = wire
    paths.clear()
    storage.put(key, b"", content_type="image/jpeg")
    storage.get(key)
    assert [unquote(path, errors="strict") for path in paths] == [f"/{BUCKET}/{key}"] * 2
