"""Whatever a client sends as a form, and whoever writes to the response queue, the web tier has an answer."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novaburst.contract import Result
from tests.odd_messages import BODIES, near
from web_tier.deployment import Deployment
from web_tier.listener import Listener
from web_tier.store import Store
from web_tier.tier import tier_of

# Each example is a request with S3 and SQS behind it.
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
BOUNDARY = b"b0undary"
UPLOAD = "/api/v1/upload"


@dataclass(frozen=True)
class Piece:
    """A part of a form, from behind its boundary on; the name of its file, where it is as it should be."""

    content: bytes
    name: str | None = None


def sound(number: int) -> Piece:
    name = f"sound-{number}.jpg"
    disposition = b'Content-Disposition: form-data; name="inputFile"; filename="%s"' % name.encode()
    return Piece(b"\r\n" + disposition + b"\r\n\r\nlabel:x", name)


# Headers as no client should write them: none, without a colon, folded, doubled, endless, of NULs, of no known charset.
HEADERS = st.sampled_from(
    [
        b"",
        b"no colon",
        b": nothing before it",
        b"Content-Disposition",
        b"Content-Disposition: form-data",
        b'Content-Disposition: form-data; name="f',
        b'Content-Disposition: form-data; name="f"; filename="',
        b'Content-Disposition: form-data; name="f"; filename="\x00.jpg"',
        b'Content-Disposition: form-data; name="\xff\xfe"; filename="\xed\xa0\x80.jpg"',
        b"Content-Disposition: form-data; name=f; filename*=UTF-8''%FF%FE%00",
        b"Content-Disposition: form-data; name=f; filename*=no-charset'x'%41",
        b"Content-Disposition: form-data; name=f; filename*0=a; filename*1*=''%",
        b"Content-Disposition: attachment; filename=../../etc/passwd",
        b'Content-Disposition: form-data;\r\n name="f";\r\n filename="folded"',
        b"Content-Type: multipart/mixed; boundary=inner",
        b"Content-Type: image/png\r\nContent-Type: text/html",
        b"Content-Type: \x00/\xff; charset=none",
        b"Content-Length: 999999999999",
        b"Content-Length: -1",
        b"Content-Transfer-Encoding: base64",
    ]
) | st.sampled_from([("x", 70_000), ("y\r\nX: ", 2_000)]).map(lambda endless: b"X: " + endless[0].encode() * endless[1])
INSIDE = st.sampled_from([b"", b"\r\n", b"\x00", b"--", b"--inner\r\n\r\nx\r\n--inner--", b"--b0undar", b"\xff" * 300])
ODD = st.builds(
    lambda headers, end, inside: Piece(b"\r\n" + b"\r\n".join(headers) + end + inside),
    st.lists(HEADERS | st.binary(max_size=40), max_size=3),
    st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\n", b""]),
    INSIDE | st.binary(max_size=60),
)


@st.composite
def forms(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A body of sound and odd parts, at times cut short, and the names of the sound ones that are in it whole."""
    pieces = draw(st.lists(ODD | st.integers(0, 10**6).map(sound), max_size=5, unique_by=lambda piece: piece.content))
    body, ends = bytearray(draw(st.sampled_from([b"", b"preamble\r\n", b"\x00\r\n"]))), []
    for piece in pieces:
        body += b"--" + BOUNDARY + piece.content + b"\r\n"
        ends.append((len(body) + len(b"--" + BOUNDARY), piece.name))
    body += draw(st.sampled_from([b"--" + BOUNDARY + b"--\r\n", b"--" + BOUNDARY, b"", b"--" + BOUNDARY + b"--after"]))
    kept = draw(st.just(len(body)) | st.integers(0, len(body)))
    return bytes(body[:kept]), [name for end, name in ends if name and end <= kept]


@FEW
@given(forms(), st.sampled_from([0, 0, 0, -1, 1, 5000]))
def test_a_form_however_broken_is_refused_or_its_sound_files_are_taken(
    client: FlaskClient, app: Flask, form: tuple[bytes, list[str]], miscounted: int
) -> None:
    body, names = form
    length = max(0, len(body) + miscounted)
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    reply = client.post(UPLOAD, data=body, content_type=kind, environ_overrides={"CONTENT_LENGTH": str(length)})
    assert reply.status_code in {200, 202, 400, 413, 422}, reply.text
    if reply.status_code == 202:
        told = {image["name"] for image in reply.json["images"] if image["accepted"]}
        assert reply.json["shortfall"] or told >= set(names)
        stored = tier_of(app).deployment.in_bucket
        assert all(stored.exists(image["id"]) for image in reply.json["images"] if image["accepted"])


@FEW
@given(forms(), st.sampled_from([0, 0, 0, -1, 1, 5000]))
@pytest.mark.usefixtures("working_fleet")
def test_a_broken_form_of_the_courses_clients_is_answered_with_its_labels_or_with_what_is_missing(
    client: FlaskClient, store: Store, form: tuple[bytes, list[str]], miscounted: int
) -> None:
    body, names = form
    before = store.counts().total
    length = max(0, len(body) + miscounted)
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    reply = client.post("/", data=body, content_type=kind, environ_overrides={"CONTENT_LENGTH": str(length)})
    assert (reply.status_code in {200, 400, 422}, reply.mimetype) == (True, "text/plain"), reply.text
    lines = reply.text.splitlines()
    missing = {f"{Path(name).stem}:x" for name in names} - set(lines)
    # An image that is not answered lies behind the point at which the form could not be read on, and that is said.
    assert not missing or (reply.status_code != 200 and lines[-1].startswith(("the form ended", "the connection")))
    taken = store.counts().total - before
    assert taken in {len(lines), len(lines) - 1}
    assert taken == len(lines) or reply.status_code != 200


@FEW
@given(
    st.text(st.characters(max_codepoint=255), max_size=100).filter(lambda text: not set(text) & set("\r\n\x00")),
    st.binary(max_size=200),
)
@pytest.mark.usefixtures("working_fleet")
def test_any_boundary_and_any_type_of_body_has_an_answer(client: FlaskClient, text: str, body: bytes) -> None:
    for kind in (text, f"multipart/form-data; boundary={text}", f'multipart/form-data; boundary="{text}"'):
        for address in (UPLOAD, "/any/path"):
            reply = client.post(address, data=body, content_type=kind)
            assert reply.status_code in {200, 202, 400, 413, 415, 422}, (address, kind, reply.text)


@FEW
@given(st.lists(BODIES | near(Result(id="a", batch="b", name="n", label="l", score=1, worker="w")), max_size=9))
def test_no_message_whatever_keeps_the_listener_from_a_result_and_none_goes_without_a_word(
    deployment: Deployment, store: Store, listener: Listener, caplog: pytest.LogCaptureFixture, bodies: list[str]
) -> None:
    caplog.clear()
    caplog.set_level(logging.INFO)
    known = Result(id="known", batch="b", name="n", label="known", score=1, worker="w")
    queue = deployment.response_queue
    assert queue.send([*bodies, known.to_message()]) == []
    while queue.depth().visible:
        listener.poll(0)
    assert queue.depth().backlog == 0
    image = store.image("known")
    assert image is not None
    assert image.result == known
    unread = [body for body in bodies if not _read(body)]
    assert caplog.text.count("a message of the response queue is dropped") == len(unread)


def _read(body: str) -> bool:
    try:
        return bool(Result.parse(body))
    except ValueError:
        return False
