"""The client that drives every peer: photos as multipart forms, each over a connection of its own, as cheap as can be.

A request counts as accepted once all of it is sent. Whoever refuses one (no connection, 429, 503) gets it again, as any
client would; an accepted one is sent again only where the peer's documentation tells clients to.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.peers.account import Fate, Outcome
from novaburst.contract import new_id

AT_ONCE = 32
# A photo without an answer is given up after this long: more than any peer's own limit; and where clients repeat
# requests, more than the three times that SQS may hide a message of workers that are killed.
PATIENCE_SECONDS = {False: 65.0, True: 200.0}
# While processes are killed: whoever has waited this long lets another photo start, so that a hung one stops nobody.
YIELD_SECONDS = 4.0
_BOUNDARY = "bench-boundary"
_NOT_NOW = {429, 503}
_PAUSES = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Photo:
    """A file's bytes and the label that the model gives it."""

    data: bytes
    label: str


@dataclass(frozen=True)
class Target:
    """Where photos go, and whether an accepted request without an answer may be sent again under the same key.

    A photo is given up after `patience`; `pauses` come between tries, the last one again and again. Seconds.
    """

    url: str
    repeats: bool
    patience: float
    pauses: Sequence[float] = _PAUSES


@dataclass(frozen=True)
class _Reply:
    sent: bool
    status: int | None = None
    body: bytes = b""


async def ask(target: Target, photo: Photo) -> Outcome:
    """Send a photo until it has an answer, is lost, or patience ends."""
    message, began, tries, accepted = _message(target.url, photo.data), time.perf_counter(), 0, False
    while (left := began + target.patience - time.perf_counter()) > 0:
        tries += 1
        reply = await _exchange(target.url, message, left)
        if reply.status == 200:
            fate = Fate.ANSWERED if photo.label.encode() in reply.body else Fate.WRONG
            return Outcome(fate, time.perf_counter() - began, tries)
        accepted |= reply.sent and reply.status not in _NOT_NOW
        if accepted and not target.repeats:
            break
        await asyncio.sleep(target.pauses[min(tries, len(target.pauses)) - 1])
    return Outcome(Fate.LOST if accepted else Fate.REFUSED, time.perf_counter() - began, tries)


async def crowd(
    target: Target,
    photos: Iterable[Photo],
    over: Callable[[], bool],
    seen: Callable[[Outcome], None],
    *,
    yields: bool,
) -> list[Outcome]:
    """Send photos, `AT_ONCE` at a time, until there is none left or it is over; then wait for what is under way.

    `seen` is told of each as it ends; with `yields` one that has waited `YIELD_SECONDS` makes room for another.
    """
    room, under_way = asyncio.Semaphore(AT_ONCE), list[asyncio.Task[Outcome]]()
    loop = asyncio.get_running_loop()
    for photo in photos:
        await room.acquire()
        if over():
            break
        slot = _Slot(room)
        if yields:
            loop.call_later(YIELD_SECONDS, slot.free)
        under_way.append(asyncio.create_task(_in_turn(target, photo, slot, seen)))
    return list(await asyncio.gather(*under_way))


async def _in_turn(target: Target, photo: Photo, slot: "_Slot", seen: Callable[[Outcome], None]) -> Outcome:
    outcome = await ask(target, photo)
    slot.free()
    seen(outcome)
    return outcome


class _Slot:
    """A place among those at once, given back one time."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room: asyncio.Semaphore | None = room

    def free(self) -> None:
        if self._room is not None:
            self._room.release()
            self._room = None


def _message(url: str, data: bytes) -> bytes:
    part = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = part.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
    address = urlsplit(url)
    target = f"{address.path or '/'}{'?' if address.query else ''}{address.query}"
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nIdempotency-Key: {new_id()}\r\n\r\n"
    )
    return head.encode() + body


async def _exchange(url: str, message: bytes, seconds: float) -> _Reply:
    address, sent = urlsplit(url), False
    writer: asyncio.StreamWriter | None = None
    # A time-out is an OSError as well.
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            # So that draining ends when all of it has left for the server.
            writer.transport.set_write_buffer_limits(0)
            writer.write(message)
            await writer.drain()
            sent = True
            # The server closes the connection after its answer, as it is asked to.
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            return _Reply(sent, int(head.split(b" ", 2)[1]), body)
    # The connection could not be made, or ended without an answer.
    except (OSError, IndexError, ValueError):
        return _Reply(sent)
    finally:
        if writer is not None:
            writer.close()
