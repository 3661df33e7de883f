"""What a JSON body may cost, whatever it holds: each is sent to a process of its own, whose memory is looked at."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from web_tier import problems
from web_tier.bodies import json_body, room_for_json
from web_tier.parts import IN_MEMORY
from web_tier.problems import Problem

PEAK = """
import json, re, sys, time
from pathlib import Path
from flask import Flask
from web_tier import collection, presigned, problems

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

# What comes after the body has been read is of no interest here.
collection.idempotency_key = lambda: None
collection._fill = lambda asked, batch, identity: str(len(asked.keys))
collection._opened = lambda asked, batch: batch
presigned.batch_created = lambda batch: None
app = Flask("test")
problems.init_app(app)
for module in (collection, presigned):
    app.register_blueprint(module.blueprint)
collection.tier = lambda: type("Tier", (), {"settings": type("Settings", (), {"in_bucket": "in"})})
address, body = sys.argv[1], eval(sys.argv[2])
client = app.test_client()
before, began = peak(), time.process_time()
reply = client.post(address, data=body, content_type="application/json")
print(json.dumps([reply.status_code, reply.text[:2000], peak() - before, time.process_time() - began]))
"""
BATCHES, FORMS, COMPLETE = "/api/v1/batches", "/api/v1/batches/b/presigned", "/api/v1/batches/b/presigned/complete"
# What a body takes while it is received and parsed; all processes of the web tier together may have five times as much.
MOST_MIB = 70


class Keys(BaseModel):
    keys: list[str]


def sent(address: str, body: str) -> tuple[int, str, float, float]:
    """Status and text of the answer to a body (a Python expression), its memory in MiB and its CPU time in seconds."""
    command = [sys.executable, "-c", PEAK, address, body]
    status, text, mib, seconds = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return status, text, mib, seconds


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (BATCHES, """b'{"keys":[' + b'[],' * 5_500_000 + b'[]]}'"""),
        (BATCHES, """b'{"keys":[' + b'{},' * 5_500_000 + b'{}]}'"""),
        (BATCHES, """b'{"keys":[' + b'"",' * 5_500_000 + b'""]}'"""),
        (BATCHES, """b'{"keys":[' + b'1,' * 8_300_000 + b'1]}'"""),
        (BATCHES, """b'{"keys":[' + b'1,' * 99_000 + b'1]}'"""),
        (BATCHES, """b'{' + b','.join(b'"%d":1' % n for n in range(90_000)) + b'}'"""),
        (FORMS, """b'{"files":[' + b'{},' * 1_300_000 + b'{}]}'"""),
        (COMPLETE, """b'{"ids":[' + b'[],' * 1_300_000 + b'[]]}'"""),
    ],
)
def test_no_body_takes_much_memory_whatever_it_is_made_of(address: str, body: str) -> None:
    status, text, mib, _ = sent(address, body)
    assert (status, mib < MOST_MIB) == (422, True), (mib, text)


def test_as_many_keys_as_are_allowed_are_read_at_once() -> None:
    body = """b'{"keys":[' + b','.join(b'"%06d,[{%s"' % (n, b'x' * 140) for n in range(100_000)) + b']}'"""
    status, text, mib, seconds = sent(BATCHES, body)
    assert (status, text) == (200, "100000")
    assert mib < MOST_MIB
    assert seconds < 5


@pytest.mark.parametrize(
    "body", [r"""b'["' + b'\\"' * 8_000_000""", r"""b'["' + b'\\' * 16_000_000""", """b'"' * 16_000_000"""]
)
def test_a_body_that_ends_within_a_string_is_looked_through_once(body: str) -> None:
    status, _, mib, seconds = sent(BATCHES, body)
    assert status in {400, 422}
    assert mib < MOST_MIB
    assert seconds < 10


@given(st.lists(st.text('a,[{"\\\n猫'), min_size=1), st.booleans())
def test_what_stands_within_a_string_is_no_piece(keys: list[str], ascii_alone: bool) -> None:
    body = json.dumps({"keys": keys}, ensure_ascii=ascii_alone)
    with Flask("test").test_request_context(method="POST", data=body, content_type="application/json"):
        assert json_body(Keys, len(body) * 4, 2 * len(keys) + 2).keys == keys
    with Flask("test").test_request_context(method="POST", data=body, content_type="application/json"):
        with pytest.raises(Problem, match="send its content in several requests") as refused:
            json_body(Keys, len(body) * 4, 2 * len(keys) + 1)
        assert refused.value.status == 422


def test_few_large_bodies_are_worked_on_at_once_and_small_ones_at_any_time() -> None:
    app, at_work, go_on = Flask("test"), threading.Semaphore(0), threading.Event()
    problems.init_app(app)

    @app.post("/")
    @room_for_json()
    def view() -> str:
        at_work.release()
        assert go_on.wait(60)
        return str(len(json_body(Keys, 2 * IN_MEMORY, 100).keys))

    def status(size: int, *, keys: int = 1, chunked: bool = False) -> int:
        body = json.dumps({"keys": ["x" * size] * keys}).encode()
        length = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        reply = app.test_client().post(
            "/", data=body, content_type="application/json", environ_overrides=length if chunked else {}
        )
        assert ("Retry-After" in reply.headers) == (reply.status_code == 503)
        return reply.status_code

    with ThreadPoolExecutor(3) as clients:
        first = [clients.submit(status, IN_MEMORY) for _ in range(2)]
        for _ in first:
            assert at_work.acquire(timeout=60)
        # A body that does not say how long it is may be a large one.
        assert [status(IN_MEMORY), status(10, chunked=True)] == [503, 503]
        small = clients.submit(status, 10)
        assert at_work.acquire(timeout=60)
        go_on.set()
        assert [done.result() for done in (*first, small)] == [200] * 3
    # A body that is refused gives its room back.
    assert [status(IN_MEMORY // 100, keys=101) for _ in range(3)] == [422] * 3
    assert status(IN_MEMORY) == 200


def test_several_faults_are_told_and_more_than_anybody_reads_are_counted() -> None:
    for count, told in ((3, 3), (900, 20), (5000, None)):
        body = json.dumps({"keys": [1] * count})
        with Flask("test").test_request_context(method="POST", data=body, content_type="application/json"):
            with pytest.raises(Problem) as refused:
                json_body(Keys, 10**6, 10**6)
            faults = refused.value.members.get("faults")
            assert (refused.value.status, faults and len(faults)) == (422, told)
    assert "5,000 values" in refused.value.detail
