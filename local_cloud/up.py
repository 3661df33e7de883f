"""The whole system on one machine: starts every part in order, watches them, and ends them all."""

import hashlib
import logging
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import requests

from infra.deploy import deploy as deploy_resources
from local_cloud import aws_environment, lambda_deployment
from local_cloud.children import Child, stop_together, wait_until_exit_or
from local_cloud.preflight import claim_state, free_port, require_free_port, require_memory
from local_cloud.processes import Spawner
from novaburst import presets
from novaburst.commands.options import DEFAULT_URL
from novaburst.commands.scale import LOCAL_TOKEN

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent
MODEL = "efficientnet_lite0"
# How long a part may take to come up or to bake, in seconds.
_START_SECONDS = 60
_BAKE_SECONDS = 900
# How long a part gets to end by itself before it is killed, in seconds.
_GRACE_SECONDS = 20
# What runs as the embedded AWS.
AWS_COMMAND = (sys.executable, "-m", "local_cloud.server")
# The placeholder for the AMI: the embedded EC2 boots whatever it is told.
_IMAGE_ID = "ami-12c6146b"


@dataclass(frozen=True)
class Options:
    """What a person can choose for the local cloud; times in seconds."""

    state: Path
    port: int
    max_workers: int
    boot_seconds: float
    idle_seconds: int
    prefix: str = "novaburst"
    aws_command: tuple[str, ...] = AWS_COMMAND


class LocalCloud:
    """The embedded AWS, the web tier with its listener, and the deployed Lambda, as one process tree."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._endpoint = f"http://127.0.0.1:{free_port()}"
        self._spawner = Spawner()
        self._restarts: dict[str, Child] = {}
        self._embedded: Child | None = None
        self._stopping = False
        self._began = time.monotonic()

    def run(self) -> None:
        """Start everything, print the address, and stay until SIGINT or SIGTERM.

        Raises:
            PreflightError: this machine cannot run it now; nothing was started.
            RuntimeError: a part did not start or the embedded AWS ended; what was started has been stopped.
        """
        options = self._options
        with ExitStack() as stack:
            stack.enter_context(claim_state(options.state))
            require_free_port(options.port)
            require_memory(options.max_workers)
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signal_number, self._on_signal)
            stack.callback(self._stop_all)
            self._start_all()
            self._watch()

    def _on_signal(self, signal_number: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise KeyboardInterrupt

    def _start_all(self) -> None:
        options = self._options
        self._step("local cloud", f"state in {options.state}, at most {options.max_workers} workers")
        self._start_embedded_aws()
        outputs = deploy_resources(
            prefix=options.prefix,
            parameters={"ImageId": _IMAGE_ID, "IdleSeconds": str(options.idle_seconds)},
        )
        self._step("resources", f"stack {options.prefix}, {len(outputs)} outputs")
        self._start_web_tier()
        self._say(f"ready: http://127.0.0.1:{options.port}")
        self._bake_model()
        self._deploy_lambda()
        self._step("by hand", self._scale_command())
        self._step("its AWS", f"for novaburst dlq and the like: set -a; . {shlex.quote(str(self._aws_file))}; set +a")

    def _start_embedded_aws(self) -> None:
        options = self._options
        command = [*options.aws_command, "--port", self._endpoint.rsplit(":", 1)[1]]
        command += ["--state", str(options.state / "aws"), "--boot-seconds", str(options.boot_seconds)]
        command += ["--model", str(self._model_folder), "--region", aws_environment.REGION]
        aws_environment.turn(os.environ, self._endpoint)
        self._leave_aws_environment()
        self._embedded = self._child("embedded AWS", command, os.environ)
        self._embedded.start()
        wait_until_exit_or(self._embedded, lambda: _answers(self._endpoint + "/moto-api/"), _START_SECONDS)
        self._step("embedded AWS", self._endpoint)

    def _start_web_tier(self) -> None:
        options = self._options
        environment = {
            **os.environ,
            "NOVABURST_STATE_DIR": str(options.state / "web"),
            "NOVABURST_BIND": f"127.0.0.1:{options.port}",
            "NOVABURST_SCALING_FUNCTION": f"novaburst-scaling-{lambda_deployment.STAGE}-on_request",
            "NOVABURST_SCALE_TOKEN_SHA256": hashlib.sha256(self._make_token().encode()).hexdigest(),
            # The web tier decides by the same settings on the day when the Lambda cannot.
            **self._scaling_environment(),
        }
        gunicorn = [str(Path(sys.executable).with_name("gunicorn")), "--config", "python:web_tier.gunicorn_config"]
        web = self._child("web tier", [*gunicorn, "web_tier.app:create_app()"], environment)
        listener = self._child("listener", [sys.executable, "-m", "web_tier.listener"], environment)
        for child in (web, listener):
            child.start()
            self._restarts[child.name] = child
        address = f"http://127.0.0.1:{options.port}"
        wait_until_exit_or(web, lambda: _answers(address + "/readyz"), _START_SECONDS)
        self._step("web tier", f"{address}, its listener beside it")

    @property
    def _model_folder(self) -> Path:
        # The AMI of the local cloud: baked once a checkout, whatever the state folder.
        return PROJECT / ".novaburst" / "models" / MODEL

    def _bake_model(self) -> None:
        command = [sys.executable, "-m", "worker_ami.bake", "--out", str(self._model_folder)]
        bake = self._child("model", command, os.environ)
        if not self._model_folder.exists():
            self._step("model", f"exporting {MODEL} to ONNX, once")
        bake.start()
        try:
            wait_until_exit_or(bake, lambda: bake.exit_status == 0, _BAKE_SECONDS)
        finally:
            bake.stop(_GRACE_SECONDS)
        self._step("model", f"{MODEL} in {self._model_folder}")

    def _deploy_lambda(self) -> None:
        options = self._options
        staged = options.state / "lambda"
        lambda_deployment.stage(PROJECT, staged, self._scaling_environment())
        lambda_deployment.deploy(staged, os.environ)
        self._step("scaling", "Lambda deployed: alarms, schedule and wake on upload")

    def _scaling_environment(self) -> dict[str, str]:
        options = self._options
        return {
            **presets.of_the_lambda(),
            "NOVABURST_PREFIX": options.prefix,
            "NOVABURST_MAX_WORKERS": str(options.max_workers),
            # The Lambda's net must come later than the worker's own idle exit.
            "NOVABURST_IDLE_SECONDS": str(options.idle_seconds),
            # Each local instance has one core.
            "NOVABURST_IMAGES_PER_SECOND": "57",
        }

    @property
    def _token_file(self) -> Path:
        return self._options.state / LOCAL_TOKEN.name

    def _make_token(self) -> str:
        """A new token for the manual trigger, left where this user alone can read it."""
        token = secrets.token_urlsafe(32)
        self._token_file.unlink(missing_ok=True)
        self._token_file.touch(mode=0o600)
        self._token_file.write_text(token)
        return token

    @property
    def _aws_file(self) -> Path:
        return self._options.state / "aws.env"

    def _leave_aws_environment(self) -> None:
        """What a shell needs for commands that speak to AWS, such as `novaburst dlq`, to mean the embedded one."""
        more = {"NOVABURST_PREFIX": self._options.prefix}
        self._aws_file.write_text(aws_environment.lines(self._endpoint, more))

    def _scale_command(self) -> str:
        words = ["novaburst", "scale", "--workers", "1"]
        address = f"http://127.0.0.1:{self._options.port}"
        if address != DEFAULT_URL:
            words += ["--url", address]
        if self._token_file != LOCAL_TOKEN.resolve():
            words += ["--token-file", str(self._token_file)]
        return shlex.join(words)

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            if self._embedded is not None and self._embedded.exit_status is not None:
                raise RuntimeError(f"the embedded AWS ended:\n{self._embedded.last_lines()}")
            for child in self._restarts.values():
                if child.exit_status is not None:
                    self._step(child.name, f"ended with status {child.exit_status}; started again")
                    child.start()

    def _stop_all(self) -> None:
        self._stopping = True
        stop_together(list(self._restarts.values()), _GRACE_SECONDS)
        if self._embedded is not None:
            # Behind those that end by calling it.
            self._embedded.stop(_GRACE_SECONDS)
        self._spawner.stop()
        # It names a port that is anybody's now.
        self._aws_file.unlink(missing_ok=True)
        if self._embedded is not None:
            self._say("stopped: nothing that was started is running")

    def _child(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        log_file = self._options.state / "logs" / f"{name.replace(' ', '-').lower()}.log"
        return Child(name, command, environment, log_file, self._spawner)

    def _step(self, part: str, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {part:<14}{text}")


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False
