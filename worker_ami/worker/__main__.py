"""`python -m worker_ami.worker`: one worker's life, and what its end means to the machine.

Exit status 0 says "finished: power this machine off": idle for long enough, too old, sent away by the scaling Lambda,
told by EC2 that the spot instance is taken away, or told to stop by SIGTERM (the machine is going away, or its operator
ends it). Any other status is a failure, which systemd answers with a restart, and a run of failures with a power-off.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from novaburst.settings import SettingsError, require_region
from worker_ami.worker.assembly import assemble
from worker_ami.worker.imds import InstanceMetadataError, instance_id
from worker_ami.worker.logs import start_logging
from worker_ami.worker.model import ModelError
from worker_ami.worker.settings import WorkerSettings

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Run one worker; the process's exit status."""
    formatter = start_logging(_log_folder())
    stop = _stop_on_signals()
    try:
        settings = WorkerSettings.load()
        require_region()
        formatter.instance = instance_id()
        worker = assemble(settings, formatter.instance, stop)
    except (SettingsError, InstanceMetadataError, ModelError) as error:
        log.critical("not started: %s", error)
        return 1
    except Exception:
        log.critical("not started", exc_info=True)
        return 1
    log.info(
        "ready %.2f s after process start",
        _seconds_since_process_start(),
        extra={"engine": settings.engine, "threads": settings.threads, "held": settings.held},
    )
    try:
        worker.run()
    except Exception:
        log.critical("ended by an unexpected error", exc_info=True)
        return 1
    log.info("finished")
    return 0


def _log_folder() -> Path | None:
    # systemd.exec(5): what the unit's LogsDirectory says.
    folder = os.environ.get("LOGS_DIRECTORY")
    return Path(folder) if folder else None


def _stop_on_signals() -> threading.Event:
    """An event that is set by the first stop signal.

    The signal arrives over Python's wakeup descriptor in a thread of its own: a handler in the main thread would not
    run while that waits, if the kernel gives the signal to a thread of some library.
    """
    stop = threading.Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: None)

    def wait() -> None:
        (number,) = os.read(reader, 1)
        log.info("%s: stopping", signal.Signals(number).name)
        stop.set()

    threading.Thread(name="signals", target=wait, daemon=True).start()
    return stop


def _seconds_since_process_start() -> float:
    # proc(5): field 22 of stat is the start time in clock ticks since boot; the name in field 2 may hold spaces.
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
