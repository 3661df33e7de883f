import json

import pytest
from flask.testing import FlaskClient

from novaburst.contract import Failure, Guess, Result, result_key
from novaburst.error_codes import REMEDIES, ErrorCode
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.store import Store


@pytest.fixture
def batch(store: Store) -> str:
    store.add_batch("b", 1.0)
    for image_id, name in (("1", "cat.jpg"), ("2", "=HYPERLINK(1)"), ("3", 'late, or "not".jpg')):
        store.add_image(Image(image_id, "b", name, 5, State.QUEUED, 100.0))
    good = Result(id="1", batch="b", name="cat.jpg", label="tabby", score=0.5, top5=TOP5, worker="i-1")
    failure = Failure(code=ErrorCode.DAMAGED_IMAGE, detail="cut short")
    store.record([good, Result(id="2", batch="b", name="x", error=failure, worker="i-1")], 101.0)
    return "b"


TOP5 = (Guess(label="tabby", score=0.5), Guess(label="tiger cat", score=0.25))


def test_a_result_tells_label_confidence_and_top_five(client: FlaskClient, batch: str) -> None:
    view = client.get("/api/v1/results/1").json
    assert (view["state"], view["label"], view["score"]) == ("done", "tabby", 0.5)
    assert view["top5"] == [{"label": "tabby", "score": 0.5}, {"label": "tiger cat", "score": 0.25}]
    assert view["received"] == "1970-01-01T00:01:40.000+00:00"


def test_a_failed_result_says_what_to_do(client: FlaskClient, batch: str) -> None:
    error = client.get("/api/v1/results/2").json["error"]
    assert error == {"code": "damaged_image", "detail": "cut short", "remedy": REMEDIES[ErrorCode.DAMAGED_IMAGE]}


def test_a_pending_result_is_looked_up_in_the_bucket(client: FlaskClient, batch: str, deployment: Deployment) -> None:
    assert client.get("/api/v1/batches/b").json["counts"]["pending"] == 1
    late = Result(id="3", batch="b", name="late", label="snail", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("3"), late.to_json().encode())
    assert client.get("/api/v1/results/3").json["label"] == "snail"
    assert client.get("/api/v1/batches/b").json["counts"]["pending"] == 0


def test_a_result_that_only_the_bucket_knows_is_found_and_kept(client: FlaskClient, deployment: Deployment) -> None:
    lost = Result(id="z", batch="lost", name="cat.jpg", label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key("z"), lost.to_json().encode())
    assert client.get("/api/v1/results/z").json["label"] == "cat"
    assert client.get("/api/v1/batches/lost").json["counts"]["done"] == 1


def test_a_result_object_that_is_not_of_the_contract_is_no_result(client: FlaskClient, deployment: Deployment) -> None:
    deployment.out_bucket.put(result_key("z"), b'{"v": 2}')
    assert client.get("/api/v1/results/z").status_code == 404


@pytest.mark.parametrize(
    "address", ["/api/v1/results/none", "/api/v1/results/%00", "/api/v1/batches/none", "/api/v1/x"]
)
def test_what_is_not_there_is_a_404_in_problem_form(client: FlaskClient, address: str) -> None:
    reply = client.get(address)
    assert reply.status_code == 404
    assert reply.mimetype == "application/problem+json"
    assert json.loads(reply.text)["status"] == 404


def test_a_batch_shows_its_counts_and_images(client: FlaskClient, batch: str) -> None:
    view = client.get("/api/v1/batches/b").json
    assert view["counts"] == {"total": 3, "done": 1, "failed": 1, "pending": 1}
    assert [image["state"] for image in view["images"]] == ["done", "failed", "pending"]
    assert view["page"] == "/batches/b"


def test_a_batch_can_be_followed_by_revision(client: FlaskClient, batch: str, store: Store) -> None:
    seen = client.get("/api/v1/batches/b").json["revision"]
    nothing = client.get(f"/api/v1/batches/b?since={seen}").json
    assert (nothing["images"], nothing["revision"]) == ([], seen)
    store.record([Result(id="3", batch="b", name="x", label="snail", score=1, worker="i-1")], 102.0)
    news = client.get(f"/api/v1/batches/b?since={seen}").json
    assert [image["id"] for image in news["images"]] == ["3"]
    assert news["counts"]["pending"] == 0


@pytest.mark.parametrize("query", ["since=x", "since=-1", "since=²", "format=xml"])
def test_a_wrong_query_is_a_400(client: FlaskClient, batch: str, query: str) -> None:
    assert client.get(f"/api/v1/batches/b?{query}").status_code == 400


@pytest.mark.parametrize(
    ("query", "accept", "file"),
    [("?format=csv", "*/*", "results.csv"), ("", "text/csv", "results.csv"), ("?format=json", "*/*", "results.json")],
)
def test_who_asks_for_a_file_is_led_to_it(client: FlaskClient, batch: str, query: str, accept: str, file: str) -> None:
    reply = client.get(f"/api/v1/batches/b{query}", headers={"Accept": accept})
    assert (reply.status_code, reply.headers["Location"]) == (302, f"/api/v1/batches/b/{file}")


def test_head_is_answered_and_a_wrong_method_is_a_405_in_problem_form(client: FlaskClient, batch: str) -> None:
    head = client.head("/api/v1/batches/b")
    assert (head.status_code, head.data) == (200, b"")
    for method, address in (("POST", "/api/v1/results/1"), ("PUT", "/api/v1/upload"), ("GET", "/api/v1/upload")):
        reply = client.open(address, method=method)
        assert (reply.status_code, reply.mimetype) == (405, "application/problem+json")
        assert reply.headers["Allow"]
