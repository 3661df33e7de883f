"""What `novaburst watch` shows: counts of a moment, their trend, and both in words."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from novaburst.client import Batch
from novaburst.commands.progress import left, rate

# A rate is that of the last so many seconds.
_WINDOW_SECONDS = 60.0
_RECENT = 5


@dataclass(frozen=True)
class Snapshot:
    """The system at one moment; the images are those of a batch, or all."""

    # What the counts are of.
    title: str
    total: int
    done: int
    failed: int
    pending: int
    # Requests that wait or are being worked on; None when the queue could not be asked.
    backlog: int | None
    in_flight: int | None
    # Instances by state; None when they could not be described.
    fleet: Mapping[str, int] | None
    # The latest answers: name and label or error.
    recent: tuple[tuple[str, str], ...]
    # What is wrong just now, in words.
    trouble: str | None = None

    @property
    def answered(self) -> int:
        """Images that wait for nothing any more."""
        return self.done + self.failed

    @classmethod
    def of(cls, status: dict[str, Any], batch: Batch | None) -> Self:
        """What the API's status says, with the counts of one batch if that is watched."""
        counts = status["images"]
        if batch is not None:
            counts = {name: getattr(batch, name) for name in ("total", "done", "failed", "pending")}
        request = status["queues"]["request"] if status["queues"] else None
        return cls(
            title=f"batch {batch.id}" if batch is not None else "all images",
            **counts,
            backlog=sum(request.values()) if request else None,
            in_flight=request["in_flight"] if request else None,
            fleet=status["fleet"],
            recent=tuple(_recent(image) for image in status["recent"][:_RECENT]),
            trouble=status.get("reason"),
        )

    def without_answer(self, error: str) -> Self:
        """The same counts, which are the last that are known."""
        return replace(self, trouble=error)


@dataclass
class Trend:
    """How many images were answered when, over the last minute."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float, answered: int) -> None:
        """A count at `now`, in seconds of any clock that goes forward."""
        if self._seen and answered < self._seen[-1][1]:
            # A batch was deleted, or the store is another one.
            self._seen.clear()
        self._seen.append((now, answered))
        while now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def a_second(self) -> float:
        """Images a second."""
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def seconds_left(self, pending: int) -> float | None:
        """How long the pending ones take at this rate; None when nothing moves."""
        return pending / self.a_second if self.a_second and pending else None


def as_line(snapshot: Snapshot, trend: Trend) -> str:
    """One line for a log."""
    parts = (
        f"{snapshot.title}: {snapshot.answered:,} of {snapshot.total:,} answered",
        f"{snapshot.failed:,} without a label" if snapshot.failed else "",
        f"backlog {_number(snapshot.backlog)}",
        f"workers {_workers(snapshot.fleet)}",
        rate(trend.a_second),
        left(trend.seconds_left(snapshot.pending)),
        snapshot.trouble or "",
    )
    return ", ".join(filter(None, parts))


def as_panel(snapshot: Snapshot, trend: Trend) -> RenderableType:
    """The view of a terminal."""
    facts = Table.grid(padding=(0, 2))
    speed = ", ".join(filter(None, (rate(trend.a_second), left(trend.seconds_left(snapshot.pending)))))
    rows = (
        ("images", f"{snapshot.done:,} with a label, {snapshot.failed:,} without, {snapshot.pending:,} pending"),
        ("speed", speed or "nothing moves"),
        ("backlog", f"{_number(snapshot.backlog)}, {_number(snapshot.in_flight)} of them being worked on"),
        ("workers", _workers(snapshot.fleet)),
    )
    for name, said in rows:
        facts.add_row(Text(name, style="dim"), said)
    bar = ProgressBar(total=max(1, snapshot.total), completed=snapshot.answered)
    head = Text(f"{snapshot.answered:,} of {snapshot.total:,} answered")
    recent = Table.grid(padding=(0, 2))
    for name, said in snapshot.recent:
        recent.add_row(Text(name, overflow="ellipsis", no_wrap=True), escape(said))
    parts: list[RenderableType] = [head, bar, Text(), facts]
    if snapshot.recent:
        parts += [Text("\nlatest answers", style="dim"), recent]
    if snapshot.trouble:
        parts.append(Text(f"\n{snapshot.trouble}", style="red"))
    return Panel(Group(*parts), title=escape(snapshot.title), title_align="left")


def _recent(image: Mapping[str, Any]) -> tuple[str, str]:
    if image["label"] is not None:
        return image["name"], f"{image['label']} {image['score'] or 0:.0%}"
    return image["name"], image["error"]["code"] if image["error"] else image["state"]


def _workers(fleet: Mapping[str, int] | None) -> str:
    if fleet is None:
        return "cannot be described"
    return ", ".join(f"{count} {state}" for state, count in fleet.items()) or "none"


def _number(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
