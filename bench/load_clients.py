"""A crowd that uploads photo after photo through nginx, some of it over slow lines, and follows each to its answer.

`python -m bench.load_clients URL CLIENTS SECONDS`: every client sends one photo after another under a key of its own
each, repeats what is refused when it is told to, and asks for the answer. What it all came to is printed as JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from novaburst.contract import new_id
from tests.photos import imagenet_photos

# What every fourth client is, in turn: it has a slow line, on which a photo takes so many seconds, or it waits for its
# answer at the upload, at most so many, or neither.
_SLOW, _WAITS, _QUICK = "slow line", "waits for its answer", "quick line"
_KINDS = (_SLOW, _WAITS, _QUICK, _QUICK)
_SLOW_SECONDS = 15.0
_WAIT_SECONDS = 60
_PIECES = 30
# How often an answer is asked for, and how long after the end, in seconds.
_POLL_SECONDS = 4.0
_PATIENCE_SECONDS = 600.0
_LATER = {409, 429, 502, 503, 504, 507}
_BOUNDARY = "load-boundary"


@dataclass
class Tally:
    """What the crowd saw. `accepted` and `answered` are the seconds that each photo took until then.

    The former by kinds of client, as is `taken`: from the last byte of the request that was accepted to its answer.
    """

    accepted: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    taken: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answered: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    # Answers with a time to come again, by status; answers without one; connections without an answer.
    put_off: Counter[str] = field(default_factory=Counter)
    rude: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    # Photos that got more than one label.
    contradicted: list[str] = field(default_factory=list)


class Crowd:
    """All clients: they share a tally, and a time at which they send no more."""

    def __init__(self, session: ClientSession, url: str, seconds: float) -> None:
        self._session = session
        self._url = url
        self._end = time.monotonic() + seconds
        self._photos = [photo.path for photo in imagenet_photos()]
        self._bodies = [_form(path.name, path.read_bytes()) for path in self._photos]
        self._labels: defaultdict[str, set[str]] = defaultdict(set)
        self.tally = Tally()

    async def client(self, number: int) -> None:
        """One client, until the time is over and it has its last answer."""
        dice = random.Random(number)
        # They do not all come in the same moment.
        await asyncio.sleep(dice.uniform(0, 5))
        while time.monotonic() < self._end:
            began, which = time.monotonic(), dice.randrange(len(self._bodies))
            kind = _KINDS[number % len(_KINDS)]
            batch = await self._upload(self._bodies[which], kind)
            if batch is None:
                continue
            self.tally.accepted[kind].append(time.monotonic() - began)
            if await self._follow(batch, self._photos[which].name):
                self.tally.answered.append(time.monotonic() - began)
            else:
                self.tally.lost.append(batch)

    def contradictions(self) -> list[str]:
        """The photos that were answered in more than one way."""
        return [f"{name}: {sorted(labels)}" for name, labels in self._labels.items() if len(labels) > 1]

    async def _upload(self, body: bytes, kind: str) -> str | None:
        """The batch's address once it is taken; None when time is over before."""
        key, wait = new_id(), _WAIT_SECONDS if kind == _WAITS else 0
        while time.monotonic() < self._end + _PATIENCE_SECONDS:
            headers = {
                "Idempotency-Key": key,
                "Content-Length": str(len(body)),
                "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            }
            line = _SlowLine(body)
            sent: Any = line if kind == _SLOW else body
            found = await self._ask("POST", f"{self._url}/api/v1/upload?wait={wait}", data=sent, headers=headers)
            if found is not None:
                self.tally.taken[kind].append(time.monotonic() - line.last)
                return str(self._url + found["url"])
            if time.monotonic() > self._end:
                return None
        return None

    async def _follow(self, batch: str, photo: str) -> bool:
        while time.monotonic() < self._end + _PATIENCE_SECONDS:
            found = await self._ask("GET", batch)
            if found is not None and not found["counts"]["pending"]:
                (image,) = found["images"]
                if image["error"]:
                    self.tally.failed[image["error"]["code"]] += 1
                else:
                    self._labels[photo].add(image["label"])
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any] | None:
        """The answer; None where there is none now, after the time that the server has asked for."""
        try:
            async with self._session.request(method, url, **more) as reply:
                text = await reply.text()
        except (ClientError, TimeoutError) as error:
            self.tally.broken[type(error).__name__] += 1
            await asyncio.sleep(1)
            return None
        if reply.ok:
            answer: dict[str, Any] = json.loads(text)
            return answer
        after = reply.headers.get("Retry-After", "")
        if reply.status in _LATER and after.isdecimal():
            self.tally.put_off[str(reply.status)] += 1
            await asyncio.sleep(int(after))
        else:
            self.tally.rude[f"{reply.status} {text[:80]}"] += 1
            await asyncio.sleep(1)
        return None


def _form(name: str, content: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


class _SlowLine:
    """A body that comes piece by piece; `last` is when the last one was sent, or as yet when it was made."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.last = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = -(-len(self._body) // _PIECES)
        for start in range(0, len(self._body), size):
            await asyncio.sleep(_SLOW_SECONDS / _PIECES)
            self.last = time.monotonic()
            yield self._body[start : start + size]


async def main(url: str, clients: int, seconds: float) -> None:
    """Run the crowd and print its tally."""
    timeout = ClientTimeout(total=180)
    async with ClientSession(timeout=timeout, connector=TCPConnector(limit=0)) as session:
        crowd = Crowd(session, url, seconds)
        await asyncio.gather(*(crowd.client(number) for number in range(clients)))
    crowd.tally.contradicted = crowd.contradictions()
    sys.stdout.write(json.dumps(vars(crowd.tally)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
