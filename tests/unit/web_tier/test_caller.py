import socket
import threading
import time
from collections.abc import Iterator

import pytest

from web_tier.caller import UNSEEN, Caller

Ends = tuple[socket.socket, socket.socket]


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


def caller_at(connection: socket.socket) -> Caller:
    return Caller({"gunicorn.socket": connection})


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
