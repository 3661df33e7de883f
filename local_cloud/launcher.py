"""What a child process runs first: it ties its life to its parent's and takes its core, then becomes the command.

Run as a script by `local_cloud.processes`, with only the standard library: PARENT_PID CORE|- COMMAND...
Doing this after fork instead (`preexec_fn`) is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, core: str, command: list[str]) -> None:
    """Become `command`; it gets SIGKILL when the thread that started this process ends (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the embedded AWS ended before this process began")
    if core != "-":
        os.sched_setaffinity(0, {int(core)})
    os.execvpe(command[0], command, os.environ)  # noqa: S606 - the command line comes from our own process


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
