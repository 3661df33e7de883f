"""Ends or freezes processes of a running system, by seed, as the images get their answers."""

import random
import signal
import threading
from collections import Counter
from contextlib import suppress

import psutil

from tests.e2e.cloud import Cloud

# What can be hit, by words of its command line, and how often each is chosen.
VICTIMS = {
    ("worker_ami.worker",): 6,
    ("gunicorn",): 3,
    ("web_tier.listener",): 2,
    ("lambda_runtime",): 2,
}
# How long a frozen process stays so, in seconds: a stumble; longer than a lease; longer than a message stays hidden, so
# that the worker finds its images answered by others.
FROZEN_SECONDS = (3.0, 25.0, 75.0)
_SHARE_FROZEN = 0.3


class Killer:
    """Hits one process at a time; `dice` decides which, and whether it is killed or frozen for a while."""

    def __init__(self, cloud: Cloud, dice: random.Random) -> None:
        self._cloud = cloud
        self._dice = dice
        self._thaws: list[threading.Timer] = []
        self.hits: Counter[str] = Counter()

    def hit(self) -> None:
        """Hit one, if one of its kind runs now."""
        (words,) = self._dice.choices(list(VICTIMS), list(VICTIMS.values()))
        frozen = self._dice.random() < _SHARE_FROZEN
        found = sorted(self._cloud.running(*words), key=lambda process: process.pid)
        if not found:
            return
        victim = self._dice.choice(found)
        self.hits[f"{words[0]} {'frozen' if frozen else 'killed'}"] += 1
        try:
            victim.send_signal(signal.SIGSTOP if frozen else signal.SIGKILL)
        except psutil.NoSuchProcess:
            return
        if frozen:
            thaw = threading.Timer(self._dice.choice(FROZEN_SECONDS), _thaw, (victim,))
            thaw.start()
            self._thaws.append(thaw)

    def end(self) -> None:
        """Thaw all."""
        for thaw in self._thaws:
            thaw.cancel()
            thaw.function(*thaw.args)


def _thaw(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)
