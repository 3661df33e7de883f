"""Clients that upload under a key of their own for each request and repeat it until it is taken."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from novaburst.contract import new_id

# Files in one request, and requests at once.
FILES = 5
CLIENTS = 4
# What a client takes for "not now", if it is told when to try again under the same key.
_AGAIN = {409, 429, 503, 507}
_PAUSE_SECONDS = 0.5


class NeverTakenError(AssertionError):
    """A request was refused until the client's patience ended."""


@dataclass(frozen=True)
class File:
    """One file: its name, unique in a run, its bytes, and the label or the code of the error that it must get."""

    name: str
    content: bytes
    answer: str


@dataclass(frozen=True)
class Taken:
    """A request that was taken: its files, and the batch that they are in."""

    files: tuple[File, ...]
    batch_url: str
    tries: int
    # What it got before, a status or an error each; and those answers that no client should get, in words.
    refusals: tuple[str, ...] = ()
    rude: tuple[str, ...] = ()


def upload(url: str, files: Sequence[File], patience: float) -> list[Taken]:
    """Upload all, a few a request.

    Raises:
        NeverTakenError: a request found no taker within `patience` seconds.
    """
    requests_ = [tuple(files[start : start + FILES]) for start in range(0, len(files), FILES)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(lambda chosen: _upload(url, chosen, patience), requests_))


def _upload(url: str, files: tuple[File, ...], patience: float) -> Taken:
    key, deadline, tries, last = new_id(), time.monotonic() + patience, 0, ""
    refusals: list[str] = []
    rude: list[str] = []
    while time.monotonic() < deadline:
        tries += 1
        try:
            reply = requests.post(
                f"{url}/api/v1/upload",
                files=[("files", (file.name, file.content)) for file in files],
                headers={"Idempotency-Key": key},
                timeout=60,
            )
        except requests.RequestException as error:
            last = repr(error)
            refusals.append(type(error).__name__)
        else:
            if reply.status_code in (200, 202) and not _not_stored(reply.json()):
                return Taken(files, url + reply.json()["url"], tries, tuple(refusals), tuple(rude))
            last = f"{reply.status_code} {reply.text[:300]}"
            refusals.append(str(reply.status_code))
            if reply.status_code not in {200, 202} and not _says_when(reply):
                rude.append(last)
                if reply.status_code < 500:
                    break
        time.sleep(_PAUSE_SECONDS)
    raise NeverTakenError(f"{[file.name for file in files]} after {tries} tries: {last}")


def _says_when(reply: requests.Response) -> bool:
    """Whether it is an answer of an overload or a fault that passes, with the time at which to come again."""
    return reply.status_code in _AGAIN and reply.headers.get("Retry-After", "").isdecimal()


def _not_stored(answer: dict[str, Any]) -> bool:
    """Whether a file was refused for want of storage: as the answer says, the same request again may store it."""
    return any(image["error"] and image["error"]["code"] == "not_stored" for image in answer["images"])


def follow(taken: Taken, patience: float) -> list[dict[str, Any]]:
    """The images of a request once all are answered, or as they are when patience ends."""
    deadline = time.monotonic() + patience
    images: dict[str, dict[str, Any]] = {}
    revision, pending = 0, True
    while pending and time.monotonic() < deadline:
        try:
            batch = requests.get(taken.batch_url, params={"since": revision}, timeout=30).json()
            images |= {image["id"]: image for image in batch["images"]}
            revision, pending = batch["revision"], batch["more"] or batch["counts"]["pending"] > 0
        except (requests.RequestException, KeyError):
            pass
        time.sleep(_PAUSE_SECONDS)
    return list(images.values())
