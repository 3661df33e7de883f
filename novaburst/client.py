"""A client of the web tier's API, for the command line and for programs.

with Client("http://127.0.0.1:8000") as client:
    batch = client.open_batch()
    client.upload(batch, Path("cat.jpg"))
    for answer in client.answers(batch): ...
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

# Bounds on one request, in seconds: to connect, and between two bytes of the answer.
_TIMEOUT = (10, 120)
_POLL_SECONDS = 0.3


class ClientError(RuntimeError):
    """The web tier could not be reached or refused the request; the text says which and why."""


@dataclass(frozen=True)
class Answer:
    """One image as the web tier sees it now."""

    id: str | None
    name: str
    # "pending", "done" or "failed".
    state: str
    label: str | None
    # Softmax probability of the label, 0 to 1.
    score: float | None
    # Code and words of the error, when it failed.
    error: str | None
    detail: str | None
    raw: dict[str, Any]

    @classmethod
    def of(cls, image: dict[str, Any]) -> Self:
        """The answer in an image object of the API."""
        error = image.get("error") or {}
        return cls(
            id=image.get("id"),
            name=image["name"],
            state=image["state"],
            label=image.get("label"),
            score=image.get("score"),
            error=error.get("code"),
            detail=" ".join(filter(None, (error.get("detail"), error.get("remedy")))) or None,
            raw=image,
        )


class Client:
    """One web tier. Not safe to share between threads: make one for each."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # Only connections that were never made are tried again: an upload that was cut might have been taken.
        retry = Retry(total=5, connect=5, read=0, status=0, backoff_factor=0.2)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def open_batch(self) -> str:
        """The id of a new, empty batch.

        Raises:
            ClientError: see there.
        """
        return str(self._json("POST", "/api/v1/batches")["batch"])

    def page(self, batch: str) -> str:
        """The address at which a person sees the batch."""
        return f"{self.url}/batches/{batch}"

    def upload(self, batch: str, path: Path) -> Answer:
        """Send one file into a batch: pending when it was accepted, failed when it was refused.

        Raises:
            ClientError: see there.
            OSError: the file cannot be read.
        """
        with path.open("rb") as content:
            body = self._json(
                "POST",
                "/api/v1/upload",
                params={"batch": batch},
                files={"file": (path.name, content)},
                refusals=frozenset({413, 422, 503}),
            )
        return Answer.of(body["images"][0])

    def batch(self, batch: str) -> tuple[dict[str, int], list[Answer]]:
        """The batch's counts (total, done, failed, pending) and its images.

        Raises:
            ClientError: see there.
        """
        body = self._json("GET", f"/api/v1/batches/{batch}")
        return body["counts"], [Answer.of(image) for image in body["images"]]

    def answers(
        self,
        batch: str,
        *,
        pause: Callable[[], None] = lambda: time.sleep(_POLL_SECONDS),
    ) -> Iterator[Answer]:
        """Each image of the batch once it is answered, until none is pending.

        Raises:
            ClientError: see there.
        """
        revision = 0
        seen: set[str] = set()
        while True:
            body = self._json("GET", f"/api/v1/batches/{batch}", params={"since": revision})
            revision = body["revision"]
            for image in body["images"]:
                if image["state"] != "pending" and image["id"] not in seen:
                    seen.add(image["id"])
                    yield Answer.of(image)
            if body["counts"]["pending"] == 0:
                return
            pause()

    def status(self) -> dict[str, Any]:
        """Queues, counts and recent results, as the API gives them.

        Raises:
            ClientError: see there.
        """
        return self._json("GET", "/api/v1/status")

    def fleet(self) -> dict[str, Any]:
        """Instances, limits and the plan as it would be now, as the API gives them.

        Raises:
            ClientError: see there.
        """
        return self._json("GET", "/api/v1/fleet")

    def scale(self, token: str | None, *, workers: int = 0, dry_run: bool = False) -> dict[str, Any]:
        """Have the fleet evaluated now, with at least `workers`; the report, as the API gives it.

        Raises:
            ClientError: see there.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        asked = {"workers": workers, "dry_run": dry_run}
        return self._json("POST", "/api/v1/scale", headers=headers, json=asked)

    def _json(
        self,
        method: str,
        path: str,
        *,
        refusals: frozenset[int] = frozenset(),
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", **(headers or {})}
        try:
            reply = self._session.request(method, self.url + path, timeout=_TIMEOUT, headers=headers, **arguments)
        except requests.RequestException as error:
            raise ClientError(f"{self.url} does not answer ({type(error).__name__}): is the web tier up?") from error
        try:
            body = reply.json()
        except requests.JSONDecodeError as error:
            raise ClientError(f"{self.url} answered {reply.status_code} without JSON: is it a Novaburst?") from error
        # A refusal of the files themselves carries the answer to each; any other error is one of the request.
        if not reply.ok and not (reply.status_code in refusals and body.get("images")):
            raise ClientError(f"{self.url} answered {reply.status_code}: {body.get('detail', reply.reason)}")
        if not isinstance(body, dict):
            raise ClientError(f"{self.url} answered something else than an object: is it a Novaburst?")
        return body
