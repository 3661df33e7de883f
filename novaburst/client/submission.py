"""Sends any number of files into a batch: several requests at once, several small files in each."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import random
from typing import Any

from novaburst.client.connection import ClientError, Connection, pause_seconds
from novaburst.client.files import File, Several, Single
from novaburst.client.journal import Journal
from novaburst.error_codes import ErrorCode

# Small files share a request, so that a round trip is paid once; a failed request costs no more than this again.
_FILES_A_REQUEST = 32
_BYTES_A_REQUEST = 4 * 1024 * 1024
# Requests that are prepared or under way, for each that may be under way: what bounds the memory.
_AHEAD = 2
# How often files are sent one after another without the web tier taking any of them.
_IN_VAIN = 5
# The code of a file that this side could not read.
UNREADABLE = "unreadable_file"


@dataclass(frozen=True)
class Taken:
    """What became of one file just now: `error` is the code of a refusal, None when it was taken."""

    path: Path
    size: int
    error: str | None = None


@dataclass(frozen=True)
class Submission:
    """What has gone into a batch, earlier runs with the same journal included."""

    batch: str
    # The address at which a person sees it.
    page: str
    # Files that the web tier took, and files that it refused or that could not be read.
    taken: int
    failed: int


class Uploader:
    """One submission under way."""

    def __init__(
        self,
        connection: Connection,
        batch: str,
        journal: Journal,
        *,
        parallel: int,
        on_file: Callable[[Taken], None],
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._journal = journal
        self._parallel = parallel
        self._on_file = on_file
        self._stop = threading.Event()
        # Found, and not in the journal yet: a path that is named twice must not go twice, nor twice in one request.
        self._found: set[Path] = set()

    def run(self, paths: Iterable[Path]) -> None:
        """Send all that the journal does not have; files are looked for no faster than they are sent.

        Raises:
            ClientError: the web tier does not answer or refuses; what it has taken is in the journal.
            KeyboardInterrupt: after the requests under way have ended, for the same reason.
        """
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="submit") as pool:
            running: set[Future[None]] = set()
            try:
                for job in self._jobs(paths):
                    if len(running) >= _AHEAD * self._parallel:
                        running = self._reap(running, FIRST_COMPLETED)
                    running.add(pool.submit(job))
                while running:
                    running = self._reap(running, FIRST_COMPLETED)
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    @staticmethod
    def _reap(running: set[Future[None]], until: str) -> set[Future[None]]:
        ended, running = wait(running, return_when=until)
        for future in ended:
            future.result()
        return running

    def _jobs(self, paths: Iterable[Path]) -> Iterator[Callable[[], None]]:
        for request, files in self._journal.underway():
            if all(_is_as_it_was(file) for file in files):
                yield partial(self._send, files, request)
            else:
                # Another request by now. Forgotten at once, since the walk over the paths leaves out what is known.
                self._journal.forget(request)
        for files in in_requests(self._unsent(paths)):
            yield partial(self._send_found, files)

    def _unsent(self, paths: Iterable[Path]) -> Iterator[File]:
        for path in paths:
            try:
                file = File.at(path)
            except OSError as error:
                self._unreadable(path, error)
                continue
            known = path.absolute()
            # In this order: what goes out of the one is in the other by then.
            if known not in self._found and not self._journal.has(file):
                self._found.add(known)
                yield file

    def _send_found(self, files: Sequence[File]) -> None:
        try:
            self._send(files)
        finally:
            self._found.difference_update(file.path.absolute() for file in files)

    def _send(self, files: Sequence[File], request: str | None = None) -> None:
        """Send files, and once more those that a request left over; enter each answer."""
        left, in_vain = files, 0
        while left and not (in_vain and self._stop.wait(pause_seconds(in_vain, None, random))):
            before = len(left)
            left = self._send_once(left, request or str(uuid.uuid4()), last=in_vain == _IN_VAIN - 1)
            in_vain = in_vain + 1 if len(left) == before else 0
            request = None

    def _send_once(self, files: Sequence[File], request: str, *, last: bool) -> Sequence[File]:
        """Send files in one request; those that are to be sent in another, unless this is their last chance."""
        with ExitStack() as stack:
            arguments, sent = self._prepared(files, stack)
            if not sent:
                return ()
            if len(sent) < len(files):
                # With fewer files it is not the request that had this key: the web tier would refuse it for ever.
                request = str(uuid.uuid4())
            self._journal.sending(request, sent)
            try:
                images = self._connection.json(
                    "POST",
                    "/api/v1/upload",
                    headers={"Idempotency-Key": request},
                    refusals=frozenset({413, 422}),
                    stop=self._stop,
                    **arguments,
                )["images"]
            except OSError as error:
                self._unreadable(sent[0].path, error)
                return ()
            except ClientError as error:
                if error.status != 413 or len(sent) > 1:
                    raise
                self._failed(sent[0], ErrorCode.TOO_LARGE, str(error))
                return ()
        # A web tier that takes fewer files a request answers for the first of them.
        answers = [(file, image["id"], _refusal(image)) for file, image in zip(sent, images, strict=False)]
        final = [answer for answer in answers if last or answer[2] is None or answer[2][0] != ErrorCode.NOT_STORED]
        self._journal.answered(final)
        for file, _, refusal in final:
            self._on_file(Taken(file.path, file.size, refusal[0] if refusal else None))
        entered = {file.path for file, _, _ in final}
        left = [file for file in sent if file.path not in entered]
        if left and last:
            raise ClientError(f"{self._connection.url} answered for {len(images)} of {len(sent)} files")
        if left:
            self._journal.forget(request)
        return left

    def _prepared(self, files: Sequence[File], stack: ExitStack) -> tuple[dict[str, Any], list[File]]:
        """The request's arguments, and those of the files that it carries: what cannot be read is left out."""
        parameters = {"batch": self._batch}
        if len(files) == 1 and files[0].size > _BYTES_A_REQUEST:
            [file] = files
            try:
                stream = stack.enter_context(file.path.open("rb"))
            except OSError as error:
                self._unreadable(file.path, error)
                return {}, []
            return {"body": Single(file, stream), "params": {**parameters, "name": file.name}}, [file]
        contents, sent = [], []
        for file in files:
            try:
                contents.append((file.name, file.read()))
            except OSError as error:
                self._unreadable(file.path, error)
            else:
                sent.append(file)
        return {"body": Several(contents), "params": parameters}, sent

    def _unreadable(self, path: Path, error: OSError) -> None:
        self._failed(File(path, 0, 0), UNREADABLE, error.strerror or str(error))

    def _failed(self, file: File, code: str, detail: str) -> None:
        self._journal.unreadable(file.path, code, detail)
        self._on_file(Taken(file.path, file.size, code))


def in_requests(
    files: Iterable[File], count: int = _FILES_A_REQUEST, total_bytes: int = _BYTES_A_REQUEST
) -> Iterator[list[File]]:
    """The files in groups of at most `count` and `total_bytes`; a larger file is a group of its own."""
    group: list[File] = []
    held = 0
    for file in files:
        if group and (len(group) == count or held + file.size > total_bytes):
            yield group
            group, held = [], 0
        group.append(file)
        held += file.size
    if group:
        yield group


def _is_as_it_was(file: File) -> bool:
    try:
        return File.at(file.path) == file
    except OSError:
        return False


def _refusal(image: dict[str, Any]) -> tuple[str, str] | None:
    error = image["error"]
    return (error["code"], error["detail"]) if error else None
