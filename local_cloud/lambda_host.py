"""Runs deployed Lambda functions: their own zip, in real processes, one invocation at a time in each, kept warm."""

import base64
import concurrent.futures
import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local_cloud.processes import Spawner, kill

log = logging.getLogger(__name__)

# What AWS's Python runtime brings along; a function must pack everything else itself.
_RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# Concurrent invocations of all functions: the limit of a young AWS account. More wait.
CONCURRENCY = 10
_RUNTIME = Path(__file__).with_name("lambda_runtime.py")


@dataclass(frozen=True)
class FunctionCode:
    """A deployed function as the host needs it: its zip and its configuration."""

    name: str
    arn: str
    handler: str
    archive: bytes
    sha256: str
    region: str
    version: str
    timeout_seconds: int
    memory_megabytes: int
    environment: Mapping[str, str]

    @property
    def configuration(self) -> str:
        """Two equal ones can share a process."""
        return json.dumps(
            [self.arn, self.sha256, self.handler, self.memory_megabytes, sorted(self.environment.items())]
        )


@dataclass(frozen=True)
class Outcome:
    """An invocation's answer: JSON text, and for an error Lambda's kind of it (`Unhandled`)."""

    payload: str
    error_kind: str | None = None


class _ExitedError(Exception):
    """The function's process ended during an invocation."""


class LambdaHost:
    """Invokes functions; safe to share between threads."""

    def __init__(self, spawner: Spawner, state: Path, endpoint: str) -> None:
        self._spawner = spawner
        self._state = state
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(CONCURRENCY)
        self._warm: dict[str, list[_Process]] = {}
        self._all: set[_Process] = set()
        self._threads = concurrent.futures.ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="lambda")
        self._stopped = False

    def invoke(self, function: FunctionCode, event: str) -> Outcome:
        """Run the function on `event` (JSON text) and wait for its answer, at most its timeout."""
        with self._slots:
            process = self._take(function)
            try:
                outcome = process.invoke(function, event)
            except TimeoutError:
                self._discard(process)
                moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                text = f"{moment} {process.request_id} Task timed out after {function.timeout_seconds:.2f} seconds"
                return _failure("Sandbox.Timedout", text)
            except _ExitedError as error:
                self._discard(process)
                return _failure("Runtime.ExitError", f"RequestId: {process.request_id} Error: {error}")
            self._give_back(function, process)
            return outcome

    def invoke_later(self, function: FunctionCode, event: str) -> None:
        """Run the function on `event` in the background; an error is logged (AWS would also try twice more)."""
        if not self._stopped:
            self._threads.submit(self._invoke_and_log, function, event)

    def prepare(self, function: FunctionCode) -> None:
        """Start a process for the function in the background, unless there is one, so that the first event finds it.

        Lambda initialises environments ahead of their first invocation at times, too, and calls it proactive.
        """
        if not self._stopped:
            self._threads.submit(self._prepare, function)

    def _prepare(self, function: FunctionCode) -> None:
        try:
            self._give_back(function, self._take(function))
        except Exception:
            log.exception("function %s could not be started", function.name)

    def _invoke_and_log(self, function: FunctionCode, event: str) -> None:
        try:
            outcome = self.invoke(function, event)
        except Exception:
            log.exception("function %s could not be run", function.name)
            return
        if outcome.error_kind is not None and not self._stopped:
            log.error("function %s failed: %s", function.name, outcome.payload)

    def stop(self) -> None:
        """Kill every function's process, also those in the middle of an invocation."""
        self._stopped = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            running = list(self._all)
        for process in running:
            self._discard(process)

    def _take(self, function: FunctionCode) -> "_Process":
        with self._lock:
            warm = self._warm.get(function.configuration, [])
            while warm:
                process = warm.pop()
                if process.alive:
                    return process
                self._all.discard(process)
            outdated = [
                process
                for configuration, idle in self._warm.items()
                if configuration != function.configuration
                for process in idle
                if process.arn == function.arn
            ]
            self._warm = {
                configuration: [process for process in idle if process not in outdated]
                for configuration, idle in self._warm.items()
            }
        for process in outdated:
            self._discard(process)
        process = self._start(function)
        with self._lock:
            self._all.add(process)
        return process

    def _give_back(self, function: FunctionCode, process: "_Process") -> None:
        with self._lock:
            self._warm.setdefault(function.configuration, []).append(process)

    def _discard(self, process: "_Process") -> None:
        process.kill()
        with self._lock:
            self._all.discard(process)

    def _start(self, function: FunctionCode) -> "_Process":
        with self._lock:
            task = unpack(function.archive, self._state / "functions")
            runtime = link_runtime(self._state / "runtime")
        log_file = self._state / "logs" / f"{function.name}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs, log_file.open("ab") as output:
            python = [sys.executable, "-I", "-S", "-u", str(_RUNTIME), str(theirs.fileno())]
            process = self._spawner.spawn(
                [*python, str(task), str(runtime), function.handler],
                environment=environment(function, self._endpoint, task),
                folder=task,
                output=output,
                descriptors=[theirs.fileno()],
            )
        return _Process(process, ours, function.arn)


class _Process:
    """One execution environment of one function."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket, arn: str) -> None:
        self.arn = arn
        self.request_id = ""
        self._process = process
        self._connection = connection
        self._lines = connection.makefile("rw", encoding="utf-8")

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def invoke(self, function: FunctionCode, event: str) -> Outcome:
        """Hand over one event and wait for the answer.

        Raises:
            TimeoutError: no answer within the function's timeout.
            _ExitedError: the process ended first.
        """
        self.request_id = str(uuid.uuid4())
        deadline = time.time() + function.timeout_seconds
        invocation = {"id": self.request_id, "deadline": deadline, "arn": function.arn, "event": event}
        self._connection.settimeout(function.timeout_seconds)
        try:
            self._lines.write(json.dumps(invocation) + "\n")
            self._lines.flush()
            line = self._lines.readline()
        except (BrokenPipeError, ConnectionResetError):
            line = ""
        if not line:
            raise _ExitedError(f"Runtime exited with error: exit status {self._process.wait()}")
        answer = json.loads(line)
        return Outcome(answer["payload"], "Unhandled" if answer["failed"] else None)

    def kill(self) -> None:
        kill(self._process)
        with contextlib.suppress(OSError):
            self._lines.close()
        self._connection.close()


def environment(function: FunctionCode, endpoint: str, task: Path) -> dict[str, str]:
    """The environment variables of a function: its own, and those that Lambda reserves."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": endpoint,
        **function.environment,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "ASIALOCALCLOUDLAMBDA",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_megabytes),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
    }


def unpack(archive: bytes, folder: Path) -> Path:
    """Unpack a function's zip below `folder`, in a folder named by the hash of its bytes; once for equal bytes."""
    target = folder / base64.b32encode(hashlib.sha256(archive).digest()).decode().rstrip("=").lower()
    if not target.exists():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(partial)
        partial.rename(target)
    return target


def link_runtime(folder: Path) -> Path:
    """A folder with links to the packages that AWS's Python runtime brings along, and to nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in _runtime_packages():
        link = folder / source.name
        if not link.is_symlink() or link.readlink() != source:
            link.unlink(missing_ok=True)
            link.symlink_to(source)
    return folder


def _runtime_packages() -> Iterator[Path]:
    for name in _RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"the Lambda runtime's package {name} is not installed", name=name)
        origin = Path(spec.origin)
        yield origin.parent if spec.submodule_search_locations else origin


def _failure(kind: str, text: str) -> Outcome:
    return Outcome(json.dumps({"errorType": kind, "errorMessage": text}), "Unhandled")
