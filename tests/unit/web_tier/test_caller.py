import socket
import threading
import time
from collections.abc import Iterator

import pytest

from web_tier.caller import UNSEEN, Caller

Ends = tuple[socket.socket, socket.socket]


class Body:
    """A request's body of so many bytes, as gunicorn reads it: a read returns once it is whole."""

    def __init__(self, connection: socket.socket, length: int) -> None:
        self._connection = connection
        self.left = length

    def read(self, size: int) -> bytes:
        wanted, found = min(size, self.left), b""
        while len(found) < wanted and (piece := self._connection.recv(wanted - len(found))):
            found += piece
        self.left -= len(found)
        return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The client's end of a TCP connection, and gunicorn's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as ours,
    ):
        client.settimeout(30)
        yield client, ours


def caller_at(connection: socket.socket, length: int = 0) -> Caller:
    return Caller({"gunicorn.socket": connection, "wsgi.input": Body(connection, length)})


def never(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@pytest.mark.parametrize("left_unread", [b"", b"GET / HTTP/1.1\r\n", b"x" * 100_000])
def test_a_client_that_hangs_up_is_gone_whatever_it_sent_before(ends: Ends, left_unread: bytes) -> None:
    client, ours = ends
    caller = caller_at(ours)
    client.sendall(left_unread)
    assert not caller.gone()
    client.close()
    assert caller.wait(lambda _: caller.gone(), 10)


def test_a_client_whose_connection_was_reset_is_gone(ends: Ends) -> None:
    client, ours = ends
    ours.sendall(b"an answer that is not read")
    client.close()
    caller = caller_at(ours)
    assert caller.wait(lambda _: caller.gone(), 10)


def test_nobody_waits_on_for_a_client_that_has_hung_up(ends: Ends) -> None:
    client, ours = ends
    threading.Timer(0.3, client.close).start()
    began = time.monotonic()
    assert not caller_at(ours).wait(never, 60)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("seen", [True, False])
def test_a_wait_for_one_who_is_there_ends_with_what_it_waits_for_or_with_its_time(ends: Ends, seen: bool) -> None:
    caller = caller_at(ends[1]) if seen else UNSEEN
    told = threading.Event()
    threading.Timer(1.5, told.set).start()
    assert caller.wait(told.wait, 60)
    began = time.monotonic()
    assert not caller.wait(never, 1.2)
    assert 1.2 <= time.monotonic() - began < 30


def test_what_comes_behind_the_body_is_left_for_the_next_request(ends: Ends) -> None:
    client, ours = ends
    client.sendall(b"x" * 100_000 + b"next")
    caller_at(ours, 100_000).hear_out()
    assert ours.recv(10) == b"next"


def test_who_trickles_behind_the_answer_has_the_connection_ended(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    client, ours = ends
    monkeypatch.setattr("web_tier.caller._HEAR_OUT_SECONDS", 0.5)
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.02):
            try:
                client.sendall(b"x")
            except OSError:
                return

    ours.sendall(b"the answer")
    thread = threading.Thread(target=trickle)
    thread.start()
    began = time.monotonic()
    caller_at(ours, 10**9).hear_out()
    assert 0.4 < time.monotonic() - began < 10
    over.set()
    thread.join()
    assert client.recv(100) == b"the answer"


def test_a_body_that_breaks_off_behind_the_answer_is_no_error(ends: Ends) -> None:
    client, ours = ends
    client.sendall(b"x")
    client.close()
    caller_at(ours, 10).hear_out()
    ours.close()
    caller_at(ours, 10).hear_out()


def test_another_servers_connection_is_left_alone() -> None:
    assert not UNSEEN.gone()
    UNSEEN.hear_out()
