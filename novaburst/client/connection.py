"""Requests to one web tier over connections that are kept, repeated while it is busy, restarting or out of reach."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

# Bounds on one request, in seconds: to connect, and between two bytes of the answer.
_TIMEOUT = (10, 120)
# Answers that say "not now"; 409 is a first try of the same request, still under way.
_NOT_NOW = frozenset(
    {
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# Pauses between attempts, in seconds: the first, the longest by doubling, and the longest that a server may ask for.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_LONGEST_ASKED = 60.0
# What a header can carry; an operator may have chosen words as a token.
_TOKEN = re.compile(r"[!-~]([ -~]*[!-~])?")


class ClientError(RuntimeError):
    """The web tier could not be reached or refused the request; the text says which and why.

    `status` is the HTTP status of a refusal, None when there was no answer.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Body(Protocol):
    """A request's body that can be sent again."""

    def arguments(self) -> dict[str, Any]:
        """What `requests` needs to send it from its start."""


class Connection:
    """One web tier. Safe to share between threads: each request has a session for itself while it is under way."""

    def __init__(
        self,
        url: str,
        patience_seconds: float,
        token: str | None = None,
        on_trouble: Callable[[str], None] = lambda said: None,
    ) -> None:
        """`on_trouble` is called with what is wrong when a request will be repeated, once within the patience.

        Raises:
            ClientError: it is no address, or no token.
        """
        self.url = address(url)
        self._authorization = bearer(token)
        self._proxies = _proxies(self.url)
        self._patience_seconds = patience_seconds
        self._on_trouble = on_trouble
        self._quiet_until = 0.0
        self._lock = threading.Lock()
        # Those that no request uses now. Not by thread: each submission has threads of its own, which end with it.
        self._idle: list[requests.Session] = []

    def close(self) -> None:
        """Close the connections that no request uses now."""
        while self._idle:
            self._idle.pop().close()

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        refusals: frozenset[int] = frozenset(),
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
        stop: threading.Event | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """The answer's JSON object. A request that may be made twice is repeated until the patience is spent.

        A status of `refusals` is an answer when it lists images: the refusal is one of the files, not of the request.

        Raises:
            ClientError: no answer, one that is not ours, or a refusal; with `stop` set, the last of these at once.
            OSError: the body's file cannot be read.
        """
        stop = stop or threading.Event()
        headers = {"Accept": "application/json", **self._authorization, **(headers or {})}
        until = time.monotonic() + (self._patience_seconds if repeat else 0)
        attempt = 0
        while True:
            sent = {**arguments, **(body.arguments() if body else {})}
            sent["headers"] = {**headers, **sent.get("headers", {})}
            wanted = None
            try:
                with self._session() as session:
                    reply = session.request(method, self.url + path, timeout=_TIMEOUT, proxies=self._proxies, **sent)
                if reply.status_code not in _NOT_NOW:
                    return self._answer(reply, refusals)
                wanted = reply.headers.get("Retry-After")
                final = None
            except requests.RequestException as error:
                if isinstance(error, ValueError):
                    # The address, that of a proxy or a header can be none: no time mends that.
                    raise ClientError(f"{self.url} cannot be asked: {error}") from error
                final = error
            pause = pause_seconds(attempt, asked_seconds(wanted, time.time()), random.random)
            attempt += 1
            if time.monotonic() + pause <= until:
                self._tell("does not answer" if final else f"answered {reply.status_code}")
                if not stop.wait(pause):
                    continue
            if final is None:
                return self._answer(reply, refusals)
            raise ClientError(f"{self.url} does not answer ({type(final).__name__}): is the web tier up?") from final

    def _tell(self, said: str) -> None:
        with self._lock:
            now = time.monotonic()
            if now < self._quiet_until:
                return
            self._quiet_until = now + self._patience_seconds
        self._on_trouble(f"{self.url} {said}")

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
            # Without this, a password for this host in ~/.netrc would take the token's place.
            session.auth = lambda request: request
        try:
            yield session
        finally:
            self._idle.append(session)

    def _answer(self, reply: requests.Response, refusals: frozenset[int]) -> dict[str, Any]:
        try:
            body = reply.json() if reply.content else {}
        except requests.JSONDecodeError as error:
            raise ClientError(
                f"{self.url} answered {reply.status_code} without JSON: is it a Novaburst?", reply.status_code
            ) from error
        if not isinstance(body, dict):
            raise ClientError(f"{self.url} answered something else than an object: is it a Novaburst?")
        if not reply.ok and not (reply.status_code in refusals and body.get("images")):
            said = body.get("detail", reply.reason)
            raise ClientError(f"{self.url} answered {reply.status_code}: {said}", reply.status_code)
        return body


def address(given: str) -> str:
    """A web tier's address, without a slash at its end.

    Raises:
        ClientError: it is none.
    """
    given = given.strip()
    try:
        parts = urlsplit(given)
        # A wrong port is found as it is read, and what no request can be sent to as one is made.
        fits = parts.scheme in {"http", "https"} and parts.port != 0 and not (parts.query or parts.fragment)
        requests.Request("GET", given).prepare()
    except ValueError:
        fits = False
    if not fits:
        raise ClientError(f"{given!r} is no address of a web tier: give it as http://HOST:PORT")
    return given.rstrip("/")


def _proxies(url: str) -> dict[str, str]:
    """What `requests` is to know of proxies beside the environment: none can reach this machine's own loopback."""
    host = urlsplit(url).hostname or ""
    try:
        own = ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost" or host.endswith(".localhost")
    return {"no_proxy": host} if own else {}


def bearer(token: str | None) -> dict[str, str]:
    """The header that carries a token, if there is one.

    Raises:
        ClientError: it has characters that no token has; the text does not repeat it, as requests would.
    """
    if token is None:
        return {}
    if not _TOKEN.fullmatch(token):
        raise ClientError("the token has characters that no token has: was it copied whole, and nothing else?")
    return {"Authorization": f"Bearer {token}"}


def pause_seconds(attempt: int, asked: float | None, draw: Callable[[], float]) -> float:
    """The pause after failed attempt number `attempt` (from 0): what the server asked for, else doubled each time.

    `draw` gives a number of [0, 1); half of the pause is drawn, so that many clients do not come back at once.
    """
    if asked is not None:
        return min(asked, _LONGEST_ASKED) * (1 + draw() / 4)
    longest = min(_FIRST_PAUSE * 2.0 ** min(attempt, 16), _LONGEST_PAUSE)
    return longest * (1 + draw()) / 2


def asked_seconds(retry_after: str | None, now: float) -> float | None:
    """Seconds from `now` (since the epoch) that a Retry-After header asks for, in either of its two forms, or None."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
    except ValueError:
        return None
