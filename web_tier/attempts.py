"""Requests with an `Idempotency-Key`: however often a client repeats one, its files become images once.

The images of such a request have ids made from the key and their place in it, so a second attempt, even after a crash
in the middle of the first, finds what the first has done and goes on from there. Keys are kept for 24 hours.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

from flask import request

from web_tier.access import owner
from web_tier.chores import start_chore
from web_tier.database import Database
from web_tier.parts import Part
from web_tier.problems import Problem
from web_tier.processes import is_gone, mark

# How long a key is remembered, in seconds.
_KEPT_SECONDS = 86_400.0
# An attempt is another's to continue when its process is gone, or has given no sign of life for this long, in seconds.
_LEASE_SECONDS = 20.0
_SIGNS_IN_A_LEASE = 4
_RETRY_AFTER = {"Retry-After": "1"}
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_CHUNK = 64 * 1024

OTHER_REQUEST = "this Idempotency-Key belongs to a request with other content: use a new key for a new request"


def idempotency_key() -> str | None:
    """The key of the current request, if it has one; where tokens are needed, each token has keys of its own.

    Raises:
        Problem: 400 for a key that is empty, too long, or not of printable ASCII.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(400, f"Idempotency-Key must be 1 to 255 printable ASCII characters, not {key[:40]!r}")
    return key if key is None or owner() is None else f"{owner()} {key}"


class Attempt:
    """One try of a request, which may be the first or a repetition."""

    def __init__(
        self,
        key: str,
        batch: str,
        created: float,
        finish: Callable[[str, Sequence[str]], None],
        *,
        fingerprint: str | None = None,
        images: Sequence[str] | None = None,
    ) -> None:
        self.key = key
        # Where its images go, the same for every attempt.
        self.batch = batch
        # When the first attempt began, in seconds since the epoch.
        self.created = created
        # The ids of what an earlier attempt brought, once one was finished.
        self.images = images
        self._fingerprint = fingerprint
        self._finish = finish
        self._seen = hashlib.sha256()

    def identity(self, place: int) -> str:
        """The id of the image at that place in the request."""
        return derived_id(self.created, place, self.key)

    def watch(self, parts: Iterable[Part]) -> Iterator[Part]:
        """The request's files with their identities, taking their fingerprint as they pass."""
        for place, part in enumerate(parts):
            content = hashlib.sha256()
            while chunk := part.body.read(_CHUNK):
                content.update(chunk)
            part.body.seek(0)
            part.identity = self.identity(place)
            self.see(part.field, part.filename, part.size, content.hexdigest())
            yield part

    def see(self, *content: object) -> None:
        """Take the fingerprint of what else makes up the request."""
        self._seen.update(json.dumps(content).encode())

    def compare(self) -> None:
        """Hold what was seen against the request that had this key first.

        Raises:
            Problem: 422, they differ.
        """
        if self._fingerprint not in {None, self._seen.hexdigest()}:
            raise Problem(422, OTHER_REQUEST)

    def finish(self, images: Sequence[str]) -> None:
        """The request is done; from now on its repetitions are answered with these images."""
        self._finish(self._seen.hexdigest(), images)


class Attempts:
    """The keys of the last day. Safe to share between threads and, through its file, between processes."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        surely_right: Callable[[], bool] = lambda: True,
        lease_seconds: float = _LEASE_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        # Whether that clock is: no key is forgotten by another.
        self._surely_right = surely_right
        self._lease_seconds = lease_seconds
        self._owner = f"{mark()} {uuid4()}"
        self._lock = threading.Lock()
        self._underway: set[str] = set()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def attempt(self, key: str, batch: str | None = None) -> Iterator[Attempt]:
        """An attempt at the request with this key; nobody else has one meanwhile. Its batch is a new one by default.

        Raises:
            Problem: 409 while another attempt is under way: it may be repeated soon.
        """
        with self._lock:
            # In its own process an attempt ends with its request, so that no lease is waited for.
            if key in self._underway:
                raise _under_way()
            if self._thread is None:
                period = self._lease_seconds / _SIGNS_IN_A_LEASE
                self._thread = start_chore("the sign of life of requests", self._give_sign, period, self._closing)
            # Behind what may fail: whatever is under way is taken off again below.
            self._underway.add(key)
        try:
            yield self._begin(key, batch or str(uuid4()))
        finally:
            with self._lock:
                self._underway.discard(key)
            self._prolong([key], 0.0)

    def _begin(self, key: str, batch: str) -> Attempt:
        now = self._clock()
        with self._database.writing() as db:
            if self._surely_right():
                db.execute("DELETE FROM attempts WHERE created < ?", (now - _KEPT_SECONDS,))
            db.execute(
                "INSERT OR IGNORE INTO attempts (key, created, batch, owner, alive) VALUES (?, ?, ?, ?, 0)",
                (key, now, batch, self._owner),
            )
            batch, created, owner, alive, fingerprint, images = db.execute(
                "SELECT batch, created, owner, alive, fingerprint, images FROM attempts WHERE key = ?", (key,)
            ).fetchone()
            if images is None and alive > now and not is_gone(owner.partition(" ")[0]):
                raise _under_way()
            db.execute(
                "UPDATE attempts SET owner = ?, alive = ? WHERE key = ?", (self._owner, now + self._lease_seconds, key)
            )

        def finish(seen: str, ids: Sequence[str]) -> None:
            with self._database.writing() as db:
                db.execute(
                    "UPDATE attempts SET fingerprint = ?, images = ? WHERE key = ?", (seen, json.dumps(ids), key)
                )

        known = None if images is None else json.loads(images)
        return Attempt(key, batch, created, finish, fingerprint=fingerprint, images=known)

    def _prolong(self, keys: Iterable[str], until: float) -> None:
        with self._database.writing() as db:
            db.executemany(
                "UPDATE attempts SET alive = ? WHERE key = ? AND owner = ?", [(until, key, self._owner) for key in keys]
            )

    def _give_sign(self) -> None:
        with self._lock:
            keys = list(self._underway)
        if keys:
            self._prolong(keys, self._clock() + self._lease_seconds)


def _under_way() -> Problem:
    return Problem(
        409,
        "the first request with this Idempotency-Key is still under way: repeat it in a moment",
        headers=_RETRY_AFTER,
    )


def derived_id(created: float, place: int, key: str) -> str:
    """A UUID version 7 of that time (seconds since the epoch) that is the same for the same place and key.

    The place (below a million) follows the time, so that images sort in the order of the request.
    """
    chance = int.from_bytes(hashlib.sha256(f"{created!r} {place} {key}".encode()).digest()[:8]) >> 10
    high, low = divmod(place, 256)
    value = int(created * 1000) << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low << 54 | chance
    return str(UUID(int=value))
