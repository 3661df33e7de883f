import csv
import io
import json

import pytest
from flask.testing import FlaskClient

from novaburst.contract import Failure, Guess, Result
from novaburst.error_codes import ErrorCode
from web_tier.images import Image, State
from web_tier.store import Store


@pytest.fixture
def batch(store: Store) -> str:
    store.add_batch("b", 1.0)
    for image_id, name in (("1", "кот.jpg"), ("2", "=HYPERLINK(1)"), ("3", 'late, or "not".jpg')):
        store.add_image(Image(image_id, "b", name, 5, State.QUEUED, 100.0))
    good = Result(id="1", batch="b", name="x", label="tabby", score=0.5, top5=TOP5, worker="i-1")
    failure = Failure(code=ErrorCode.DAMAGED_IMAGE, detail="cut short")
    store.record([good, Result(id="2", batch="b", name="x", error=failure, worker="i-1")], 101.0)
    return "b"


TOP5 = (Guess(label="tabby", score=0.5),)


def test_the_csv_has_a_row_an_image_and_no_spreadsheet_runs_it(client: FlaskClient, batch: str) -> None:
    reply = client.get("/api/v1/batches/b/results.csv")
    assert reply.mimetype == "text/csv"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="novaburst-b.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.data.decode("utf-8-sig"))))
    assert [(row["id"], row["name"], row["state"], row["label"], row["error"]) for row in rows] == [
        ("1", "кот.jpg", "done", "tabby", ""),
        ("2", "'=HYPERLINK(1)", "failed", "", "damaged_image"),
        ("3", 'late, or "not".jpg', "pending", "", ""),
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_name_is_a_formula(client: FlaskClient, store: Store, start: str) -> None:
    store.add_batch("b", 1.0)
    store.add_image(Image("1", "b", f"{start}1+1", 5, State.QUEUED, 100.0))
    reply = client.get("/api/v1/batches/b/results.csv")
    [row] = csv.DictReader(io.StringIO(reply.data.decode("utf-8-sig")))
    assert row["name"] == f"'{start}1+1"


def test_the_csv_begins_with_the_mark_that_excel_needs(client: FlaskClient, batch: str) -> None:
    assert client.get("/api/v1/batches/b/results.csv").data.startswith(b"\xef\xbb\xbfid,name,")


def test_the_json_is_the_whole_batch(client: FlaskClient, batch: str) -> None:
    reply = client.get("/api/v1/batches/b/results.json")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="novaburst-b.json"'
    view = client.get("/api/v1/batches/b").json
    assert view["images"]
    assert reply.json == {name: view[name] for name in ("batch", "page", "created", "counts", "images")}


def test_an_empty_batch_can_be_downloaded(client: FlaskClient, store: Store) -> None:
    store.add_batch("b", 1.0)
    assert json.loads(client.get("/api/v1/batches/b/results.json").data)["images"] == []
    assert len(client.get("/api/v1/batches/b/results.csv").text.splitlines()) == 1


def test_a_large_batch_is_written_while_it_is_read(client: FlaskClient, store: Store) -> None:
    store.add_batch("b", 1.0)
    store.record(
        [Result(id=f"{n:04}", batch="b", name=f"{n}.jpg", label="cat", score=1, worker="i-1") for n in range(1200)], 2.0
    )
    reply = client.get("/api/v1/batches/b/results.csv", buffered=False)
    pieces = [piece.decode() for piece in reply.iter_encoded()]
    assert len(pieces) > 2
    assert [row["id"] for row in csv.DictReader(io.StringIO("".join(pieces).removeprefix("\ufeff")))] == [
        f"{n:04}" for n in range(1200)
    ]
    assert len(client.get("/api/v1/batches/b/results.json").json["images"]) == 1200


@pytest.mark.parametrize("file", ["results.csv", "results.json"])
def test_no_batch_is_no_file(client: FlaskClient, file: str) -> None:
    reply = client.get(f"/api/v1/batches/none/{file}")
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")
