"""Processes killed (SIGKILL) one after another under full load, and what became of the photos."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle

import psutil

from bench.peers.account import Account, Fate, Outcome, account
from bench.peers.clients import AT_ONCE, Photo, Target, crowd
from bench.peers.parts import System

# A system that answers no client for this long after a kill does not recover by itself.
RECOVERY_SECONDS = 25.0
_START_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 0.2
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Killed:
    """How many were killed, by kind; how often the system had to be started again by hand; the photos' account."""

    kills: Counter[str]
    restarts: int
    account: Account


class Campaign:
    """One system under load, of which processes are killed."""

    def __init__(self, system: System, target: Target, dice: random.Random) -> None:
        self._system = system
        self._target = target
        self._dice = dice
        self._answers = 0
        self._over = False
        self._kills: Counter[str] = Counter()
        self._restarts = 0

    async def run(self, photos: Sequence[Photo], kills: int) -> Killed:
        """Send photos all the time, kill so many processes, each once clients have answers again; await the rest.

        Raises:
            RuntimeError: the system does not answer, even started again.
        """
        sending = asyncio.create_task(crowd(self._target, cycle(photos), lambda: self._over, self._seen, yields=True))
        await self._until_answers(_START_SECONDS)
        kinds = list(self._system.victims())
        for number in range(kills):
            await asyncio.sleep(self._dice.uniform(0, _LONGEST_PAUSE_SECONDS))
            await self._kill(kinds[number % len(kinds)])
            if not await self._until_answers(RECOVERY_SECONDS):
                await self._restart()
        self._over = True
        return Killed(self._kills, self._restarts, account(await sending))

    def _seen(self, outcome: Outcome) -> None:
        self._answers += outcome.fate is Fate.ANSWERED

    async def _kill(self, kind: str) -> None:
        def victims() -> list[psutil.Process]:
            return self._system.victims()[kind]

        if await _until(lambda: bool(victims()), RECOVERY_SECONDS):
            with suppress(psutil.NoSuchProcess, IndexError):
                self._dice.choice(victims()).kill()
                self._kills[kind] += 1

    async def _until_answers(self, seconds: float) -> bool:
        """Whether as many photos as there are at once get their answers within that time."""
        enough = self._answers + AT_ONCE
        return await _until(lambda: self._answers >= enough, seconds)

    async def _restart(self) -> None:
        sys.stderr.write(f"no answers for {RECOVERY_SECONDS:.0f} s: started again\n{self._system.last_lines()}\n")
        self._restarts += 1
        await asyncio.to_thread(self._system.restart)
        if not await self._until_answers(_START_SECONDS):
            raise RuntimeError(f"no answers after a new start: {self._system.last_lines()}")


async def _until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
