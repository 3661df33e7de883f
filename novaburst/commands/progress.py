"""Progress for people: bars with rate and time left on a terminal, a line now and then elsewhere."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from novaburst.terminal import Console

# Between two lines where there is no terminal, in seconds.
_LINE_SECONDS = 10.0


class RateColumn(ProgressColumn):
    """Images a second of late."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        return Text(rate(task.finished_speed or task.speed), style="progress.data.speed")


class Meter:
    """One or more counts on the way to their totals, on standard error. Safe to share between threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True)
        self._plain = not self._console.is_terminal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(compact=True),
        )
        # Standard output is the command's own, whatever the terminal shows meanwhile.
        self._progress = Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=self._plain,
            redirect_stdout=False,
            speed_estimate_period=60,
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._next_line = clock() + _LINE_SECONDS

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def add(self, what: str, total: int, done: int = 0) -> TaskID:
        """A further count; its name for `move`."""
        return self._progress.add_task(what, total=total, completed=done)

    def move(self, count: TaskID, *, by: int = 0, to: int | None = None, total: int | None = None) -> None:
        """A count goes on, by a number or to one; its total may be another by now."""
        self._progress.update(count, advance=by, completed=to, total=total)
        if self._plain:
            self._line(count)

    def say(self, text: str) -> None:
        """A line of words, above the bars."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _line(self, count: TaskID) -> None:
        with self._lock:
            if self._clock() < self._next_line:
                return
            self._next_line = self._clock() + _LINE_SECONDS
        task = next(task for task in self._progress.tasks if task.id == count)
        far = f"{task.description} {task.completed:,.0f} of {task.total or 0:,.0f}"
        self.say(", ".join(filter(None, (far, rate(task.speed), left(task.time_remaining)))))


def rate(a_second: float | None) -> str:
    """A rate in words that people can compare; empty when it is not known."""
    if not a_second:
        return ""
    return f"{a_second:,.0f}/s" if a_second >= 10 else f"{a_second * 60:,.0f}/min"


def left(seconds: float | None) -> str:
    """A time that is left, in the two largest units that matter; empty when it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min left"
    return f"{minutes} min {rest:02} s left" if minutes else f"{rest} s left"
