import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat

import pytest

from bench.peers import clients
from bench.peers.account import Fate, Outcome
from bench.peers.clients import AT_ONCE, Photo, Target, ask, crowd
from local_cloud.preflight import free_port

PHOTO = Photo(b"a photo", "tabby")
ANSWER = b"HTTP/1.1 200 OK\r\n\r\ntabby"
BUSY = b"HTTP/1.1 503 Busy\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Broken\r\n\r\n"
# The server hangs up without a word, or says nothing at all.
NOTHING, SILENCE = b"", b"silence"


class Server:
    """Answers the first request with the first answer, and so on; keeps what it was sent."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self._answers = answers
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"--bench-boundary--\r\n"))
        answer = next(self._answers)
        if answer == SILENCE:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes):
    server = Server(chain(answers, repeat(ANSWER)))
    port = free_port()
    async with await asyncio.start_server(server, "127.0.0.1", port):
        yield server, f"http://127.0.0.1:{port}/upload?wait=1"


def asked(answers: tuple[bytes, ...], *, repeats: bool, patience: float = 10) -> tuple[Outcome, Server]:
    async def run() -> tuple[Outcome, Server]:
        async with serving(*answers) as (server, url):
            return await ask(Target(url, repeats, patience, (0.01,)), PHOTO), server

    return asyncio.run(run())


@pytest.mark.parametrize("end", [NOTHING, BROKEN])
def test_an_accepted_photo_without_an_answer_is_lost_where_clients_do_not_repeat(end: bytes) -> None:
    outcome, _ = asked((end,), repeats=False)
    assert (outcome.fate, outcome.tries) == (Fate.LOST, 1)


@pytest.mark.parametrize("end", [NOTHING, BROKEN])
def test_a_repeated_photo_comes_under_the_same_key(end: bytes) -> None:
    outcome, server = asked((end,), repeats=True)
    assert (outcome.fate, outcome.tries) == (Fate.ANSWERED, 2)
    assert server.requests[0] == server.requests[1]
    assert b"Idempotency-Key: " in server.requests[0]


def test_who_is_refused_tries_again_whatever_the_documentation_says() -> None:
    outcome, _ = asked((BUSY, BUSY), repeats=False)
    assert (outcome.fate, outcome.tries) == (Fate.ANSWERED, 3)


def test_another_label_is_wrong_and_no_answer_within_patience_is_a_loss() -> None:
    assert asked((ANSWER.replace(b"tabby", b"tiger"),), repeats=True)[0].fate is Fate.WRONG
    assert asked((SILENCE,), repeats=True, patience=0.2)[0].fate is Fate.LOST


def test_a_photo_that_finds_no_server_is_refused_and_not_lost() -> None:
    target = Target(f"http://127.0.0.1:{free_port()}/", False, 0.2, (0.01,))
    assert asyncio.run(ask(target, PHOTO)).fate is Fate.REFUSED


def test_the_crowd_goes_on_past_photos_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "YIELD_SECONDS", 0.05)
    seen: list[Outcome] = []

    async def run() -> list[Outcome]:
        async with serving(*[SILENCE] * AT_ONCE) as (_, url):
            photos = repeat(PHOTO, AT_ONCE + 3)
            return await crowd(Target(url, False, 2.0), photos, lambda: False, seen.append, yields=True)

    outcomes = asyncio.run(run())
    assert [outcome.fate for outcome in seen[:3]] == [Fate.ANSWERED] * 3
    assert sum(outcome.fate is Fate.LOST for outcome in outcomes) == AT_ONCE
