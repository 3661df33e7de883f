"""One running instance: its metadata service, its worker process, and how both end."""

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cloud.imds import MetadataService
from local_cloud.instance import InstanceView, UserDataError, worker_environment
from local_cloud.processes import Spawner, kill, terminate
from local_cloud.supervise import PowerOff, Supervision

log = logging.getLogger(__name__)

# What systemd gives a unit to stop (the worker's TimeoutStopSec), in seconds.
STOP_SECONDS = 10.0
WORKER_COMMAND = (sys.executable, "-m", "worker_ami.worker")


@dataclass(frozen=True)
class Site:
    """Where machines run: what they all have in common."""

    spawner: Spawner
    folder: Path
    endpoint: str
    model: Path
    worker_command: Sequence[str] = WORKER_COMMAND


class Machine:
    """The stand-in for an instance's operating system with its one unit, the worker."""

    def __init__(self, site: Site, view: Callable[[], InstanceView], core: int) -> None:
        self._site = site
        self._view = view
        self._core = core
        self._folder = site.folder / view().id
        self._supervision = Supervision()
        self._metadata: MetadataService | None = None
        self._environment: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at: float | None = None
        self._kill_at: float | None = None

    def boot(self, now: float) -> None:
        """Come up: metadata service, user data, worker."""
        instance = self._view()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._metadata = MetadataService(self._view)
        self._environment = machine_environment(instance, self._site, self._folder, self._metadata.address)
        self._start_worker(now)

    @property
    def running(self) -> bool:
        """Whether the worker is known to run; false between a crash and the next start."""
        return self._process is not None

    def tick(self, now: float) -> PowerOff | None:
        """See after the worker; the reason to power off, if it is time to."""
        if self._process is not None and (status := self._process.poll()) is not None:
            kill(self._process)  # whatever it left behind in its process group
            self._process = None
            decision = self._supervision.ended(status, now)
            if isinstance(decision, PowerOff):
                return decision
            log.warning("instance %s: worker ended with status %d, restarting", self._view().id, status)
            self._start_at = decision
        if self._start_at is not None and now >= self._start_at:
            self._start_worker(now)
        return None

    def shut_down(self, now: float) -> bool:
        """Go down, a step a call: SIGTERM first, SIGKILL after the grace. True when nothing runs any more."""
        self._start_at = None
        if self._process is not None and self._process.poll() is None:
            if self._kill_at is None:
                self._kill_at = now + STOP_SECONDS
                terminate(self._process)
            if now < self._kill_at:
                return False
        if self._process is not None:
            kill(self._process)
            self._process = None
        if self._metadata is not None:
            self._metadata.stop()
            self._metadata = None
        return True

    def _start_worker(self, now: float) -> None:
        self._start_at = None
        with (self._folder / "worker.log").open("ab") as output:
            self._process = self._site.spawner.spawn(
                self._site.worker_command,
                environment=self._environment,
                folder=self._folder,
                output=output,
                core=self._core,
            )
        self._supervision.started(now)


def machine_environment(instance: InstanceView, site: Site, folder: Path, metadata_address: str) -> dict[str, str]:
    """The worker's environment: what the unit and its environment file say, and where this AWS is.

    User data that cannot be read leaves the worker without its settings, as a failed cloud-init would.
    """
    try:
        settings = worker_environment(instance.user_data)
    except UserDataError:
        log.exception("instance %s: its user data cannot be read", instance.id)
        settings = {}
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        **settings,
        "AWS_ENDPOINT_URL": site.endpoint,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_address,
        "NOVABURST_MODEL_DIR": str(site.model),
    }
