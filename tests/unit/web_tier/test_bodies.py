"""What a JSON body may cost, whatever it holds: each is sent to a process of its own, whose memory is looked at."""

import json
import subprocess
import sys

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from web_tier.bodies import json_body
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


def test_several_faults_are_told_and_more_than_anybody_reads_are_counted() -> None:
    for count, told in ((3, 3), (900, 20), (5000, None)):
        body = json.dumps({"keys": [1] * count})
        with Flask("test").test_request_context(method="POST", data=body, content_type="application/json"):
            with pytest.raises(Problem) as refused:
                json_body(Keys, 10**6, 10**6)
            faults = refused.value.members.get("faults")
            assert (refused.value.status, faults and len(faults)) == (422, told)
    assert "5,000 values" in refused.value.detail
