"""One web tier, as programs use it."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from os import PathLike
from types import TracebackType
from typing import Any, Self

from novaburst.client.answers import Answer, Batch
from novaburst.client.connection import ClientError, Connection, bearer
from novaburst.client.journal import Journal
from novaburst.client.paths import expand
from novaburst.client.submission import Submission, Taken, Uploader

# Where the token for uploads and results is looked for.
TOKEN_VARIABLE = "NOVABURST_TOKEN"  # noqa: S105 - its name, not one
# Requests under way at once in a submission: enough to hide a round trip, few enough for a 512 MB web tier.
PARALLEL = 8
# Between two looks at a batch, in seconds: at first, and at most, when nothing changes.
_FIRST_LOOK = 0.2
_LONGEST_LOOK = 2.0
# What the web tier says to an upload when its batch was deleted meanwhile.
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
# A revision that no store reaches: asking for what changed after it gives the counts without the images.
_NO_IMAGES = 10**18 - 1


class Client:
    """One web tier. Safe to share between threads.

    Every method raises `ClientError` when the web tier does not answer, or refuses: its `status` is then the HTTP
    status. Requests that may be made twice are repeated for `patience_seconds` while the web tier is busy, restarting
    or out of reach, with growing pauses or those that it asks for.

    `token` is the one that the web tier asks for, if it does; by default the one in NOVABURST_TOKEN. `on_trouble` is
    called with what is wrong, in words, when a request is going to be repeated: at most once within the patience, and
    from any thread that makes one.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        patience_seconds: float = 60,
        on_trouble: Callable[[str], None] = lambda said: None,
    ) -> None:
        token = token or os.environ.get(TOKEN_VARIABLE, "").strip() or None
        self._connection = Connection(url, patience_seconds, token, on_trouble)
        self.url = self._connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def open_batch(self) -> str:
        """The id of a new, empty batch."""
        return str(self._connection.json("POST", "/api/v1/batches")["batch"])

    def submit(
        self,
        paths: Iterable[str | PathLike[str]],
        *,
        batch: str | None = None,
        journal: Journal | None = None,
        parallel: int = PARALLEL,
        on_file: Callable[[Taken], None] = lambda taken: None,
        on_anew: Callable[[str], None] = lambda batch: None,
    ) -> Submission:
        """Upload files, folders and patterns, hundreds of thousands of files if need be, into one batch.

        With a `journal` the submission can be continued after any end: the same call with the same journal sends what
        is missing, into the same batch, and nothing twice. A batch that is gone is begun anew; when it is deleted while
        files go into it, `on_anew` is called with the new one, and all files are sent again. `on_file` is called for
        each file, from several threads. At most `parallel` requests are under way at once; memory does not grow with
        the number of files. `novaburst.client.paths.expand` says which files are meant.

        Raises:
            ClientError: as every method; what was taken until then is in the journal.
            ValueError: a pattern has `**` as a part of a name.
            novaburst.client.JournalError: the journal cannot be written.
            KeyboardInterrupt: after the requests under way have ended.
        """
        own = journal is None
        journal = journal or Journal()
        try:
            kept = self.continued(journal) if batch is None else None
            into = batch or (kept.id if kept else self.open_batch())
            if into != journal.batch:
                journal.begin(into)
            try:
                self._upload(paths, into, journal, parallel, on_file)
            except ClientError as error:
                # An iterator cannot be walked a second time.
                if batch is not None or isinstance(paths, Iterator) or error.status not in _GONE:
                    raise
                into = self.open_batch()
                journal.begin(into)
                on_anew(into)
                self._upload(paths, into, journal, parallel, on_file)
            return Submission(into, self.page(into), *journal.counts())
        finally:
            if own:
                journal.close()

    def by_reference(
        self, *, bucket: str | None = None, keys: Sequence[str] | None = None, prefix: str | None = None
    ) -> Batch:
        """A new batch of objects that lie in the deployment's in-bucket already: these keys, or all under a prefix.

        Nothing is uploaded; the images are queued in the background. `bucket` names the in-bucket, to be sure of it.
        """
        asked = {"bucket": bucket, "keys": keys, "prefix": prefix}
        body = self._connection.json(
            "POST",
            "/api/v1/batches",
            headers={"Idempotency-Key": str(uuid.uuid4())},
            json={name: value for name, value in asked.items() if value is not None},
        )
        return self.batch(str(body["batch"]))

    def continued(self, journal: Journal) -> Batch | None:
        """The batch that a submission with this journal goes on with; None when it starts, or its batch is gone."""
        if journal.batch is None:
            return None
        try:
            return self.batch(journal.batch)
        except ClientError as error:
            if error.status != 404:
                raise
            return None

    def page(self, batch: str) -> str:
        """The address at which a person sees the batch."""
        return f"{self.url}/batches/{batch}"

    def batch(self, batch: str) -> Batch:
        """How far a batch has come; `ClientError` with status 404 when there is none of this id."""
        body = self._changes(batch, _NO_IMAGES)
        counts, filling = body["counts"], body["filling"]
        return Batch(id=batch, page=self.page(batch), created=body["created"], **counts, filling=filling)

    def batches(self, token: str | None) -> Iterator[Batch]:
        """All batches, the newest first; they are the operator's, who has the token for scaling by hand."""
        following = "/api/v1/batches"
        while following:
            body = self._connection.json("GET", following, headers=bearer(token))
            for one in body["batches"]:
                yield Batch(id=one["batch"], page=self.page(one["batch"]), created=one["created"], **one["counts"])
            following = body["next"]

    def delete(self, batch: str) -> None:
        """Delete a batch with its objects: it is gone at once, objects in large numbers a little later."""
        self._connection.json("DELETE", f"/api/v1/batches/{batch}")

    def results(self, batch: str) -> Iterator[Answer]:
        """Every image of a batch as it stands now, pending ones included, each once."""
        seen: set[str] = set()
        revision, more = 0, True
        while more:
            body = self._changes(batch, revision)
            revision, more = body["revision"], body["more"]
            for image in body["images"]:
                # One that changes while its batch is read comes again, on a later page.
                if image["id"] not in seen:
                    seen.add(image["id"])
                    yield Answer.of(image)

    def iter_results(self, batch: str, *, stop: threading.Event | None = None) -> Iterator[Answer]:
        """Each image of the batch once it is answered, until none is pending or still to come (or `stop` is set)."""
        stop = stop or threading.Event()
        seen: set[str] = set()
        revision, pause = 0, _FIRST_LOOK
        while True:
            body = self._changes(batch, revision)
            pause = _FIRST_LOOK if body["revision"] > revision else min(2 * pause, _LONGEST_LOOK)
            revision = body["revision"]
            for image in body["images"]:
                if image["state"] != "pending" and image["id"] not in seen:
                    seen.add(image["id"])
                    yield Answer.of(image)
            complete = body["counts"]["pending"] == 0 and not body["filling"]
            if not body["more"] and (complete or stop.wait(pause)):
                return

    def wait(
        self, batch: str, timeout_seconds: float | None = None, *, on_look: Callable[[Batch], None] = lambda batch: None
    ) -> Batch:
        """The batch once every image of it is answered; `on_look` is called with it at each look until then.

        Raises:
            TimeoutError: it was not within `timeout_seconds`.
        """
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = _FIRST_LOOK
        while not (now := self.batch(batch)).complete:
            on_look(now)
            if until is not None and time.monotonic() + pause > until:
                raise TimeoutError(f"{now.pending} of {now.total} images of batch {batch} have no answer yet")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)
        return now

    def result(self, image: str) -> Answer:
        """One image by its id; `ClientError` with status 404 when there is none."""
        return Answer.of(self._connection.json("GET", f"/api/v1/results/{image}"))

    def status(self) -> dict[str, Any]:
        """Queues, counts and recent results, as the API gives them."""
        return self._connection.json("GET", "/api/v1/status")

    def fleet(self, *, minutes: float | None = None) -> dict[str, Any]:
        """Instances, limits, the plan as it would be now and the last `minutes` of all that, as the API gives them."""
        params = None if minutes is None else {"minutes": minutes}
        return self._connection.json("GET", "/api/v1/fleet", params=params)

    def scale(self, token: str | None, *, workers: int = 0, dry_run: bool = False) -> dict[str, Any]:
        """Have the fleet evaluated now, with at least `workers`; the report, as the API gives it. Never repeated."""
        asked = {"workers": workers, "dry_run": dry_run}
        return self._connection.json("POST", "/api/v1/scale", headers=bearer(token), json=asked, repeat=False)

    def _upload(
        self,
        paths: Iterable[str | PathLike[str]],
        batch: str,
        journal: Journal,
        parallel: int,
        on_file: Callable[[Taken], None],
    ) -> None:
        uploader = Uploader(self._connection, batch, journal, parallel=parallel, on_file=on_file)
        uploader.run(expand(str(path) for path in paths))

    def _changes(self, batch: str, since: int) -> dict[str, Any]:
        return self._connection.json("GET", f"/api/v1/batches/{batch}", params={"since": since})
