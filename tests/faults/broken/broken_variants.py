"""Faults of the kind that the account must notice, and the strikes at the moments at which they do harm.

A break is what a programmer might get wrong; only processes of these tests ever have one. A strike is bad luck that a
system without a break survives: a process ends at the worst moment for it, once a run. It leaves its mark in the
folder that NOVABURST_STRIKES names.
"""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent
# For a web tier that does not wait for SQS to have answered, in seconds.
_LONG_ENOUGH = 2.0
Change = Callable[[ModuleType], None]


def _strike(name: str, after: float = 0) -> None:
    """End this process without a warning, if it is the first to come here."""
    try:
        (Path(os.environ["NOVABURST_STRIKES"]) / name).touch(exist_ok=False)
    except FileExistsError:
        return
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGKILL)


def _strike_before(kind: str, method: str, after: float = 0) -> Change:
    """A strike at a call of this method of that class."""

    def change(module: ModuleType) -> None:
        def struck(original: Any, self: Any, *arguments: Any) -> Any:
            _strike(f"{kind}.{method}", after)
            return original(self, *arguments)

        _replace(getattr(module, kind), method, struck)

    return change


def _replace(owner: Any, name: str, by: Callable[..., Any]) -> None:
    """Put a function in the place of another, which it gets as its first argument."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *arguments, **options: by(original, *arguments, **options))


_STRIKES: dict[str, tuple[str, Change]] = {
    "worker": ("worker_ami.worker.handler", _strike_before("Handler", "_store")),
    "listener": ("web_tier.store", _strike_before("Store", "record")),
    "sender": ("web_tier.sender", _strike_before("Sender", "_attempt", _LONG_ENOUGH)),
    "upload": ("web_tier.attempts", _strike_before("Attempt", "finish")),
}


def _deletes_at_receipt(queue: str) -> Change:
    def receive_and_delete(receive: Any, self: Any, **options: Any) -> Any:
        messages = receive(self, **options)
        if messages and self.name.endswith(queue):
            self.delete(messages)
        return messages

    return lambda module: _replace(module.Queue, "receive", receive_and_delete)


def _finds_nothing(module: ModuleType) -> None:
    _replace(module.Sweeper, "_fetch_results", lambda *_: set())


def _answers_before_sqs(module: ModuleType) -> None:
    def submit_and_hope(submit: Any, self: Any, request: Any) -> "Future[bool]":
        self._store.mark_queued([request.id], time.time())
        submit(self, request)
        taken: Future[bool] = Future()
        taken.set_result(True)
        return taken

    _replace(module.Sender, "submit", submit_and_hope)


def _makes_ids_anew(module: ModuleType) -> None:
    _replace(module.Attempt, "identity", lambda _, self, place: module.derived_id(time.time(), place, self.key))


def _names_the_second_guess(module: ModuleType) -> None:
    def answer_wrongly(answer: Any, self: Any, *arguments: Any) -> Any:
        result = answer(self, *arguments)
        return result.model_copy(update={"label": result.top5[1].label}) if result.top5 else result

    _replace(module.Handler, "_answer", answer_wrongly)


# For the copy of the Lambda that is deployed, since its processes read no PYTHONPATH.
_FOUR_TOO_MANY = """

_as_planned = apply


def apply(plan, *more):
    return _as_planned(replace(plan, launch=plan.launch and plan.launch + 4), *more)
"""


def _launches_too_many(module: ModuleType) -> None:
    def stage_broken(stage: Any, project: Path, target: Path, environment: Mapping[str, str]) -> None:
        stage(project, target, environment)
        with (target / "scaling_lambda" / "evaluate.py").open("a") as source:
            source.write(_FOUR_TOO_MANY)

    _replace(module, "stage", stage_broken)


@dataclass(frozen=True)
class Variant:
    """What befalls the system, what is broken in it, by module, and a pattern of what the account must say then."""

    strikes: tuple[str, ...] = ()
    breaks: Mapping[str, Change] = field(default_factory=dict)
    # None: it must find nothing wrong.
    noticed: str | None = None

    def changes(self) -> dict[str, list[Change]]:
        """What to do to each module."""
        changes: dict[str, list[Change]] = defaultdict(list)
        for module, change in (*self.breaks.items(), *(_STRIKES[name] for name in self.strikes)):
            changes[module].append(change)
        return changes


_LISTENER = {"novaburst.queues": _deletes_at_receipt("-resp-queue")}
_UNANSWERED = "is None, not '"

VARIANTS = {
    "nothing is broken": Variant(tuple(_STRIKES)),
    "the worker deletes before it stores": Variant(
        ("worker",), {"novaburst.queues": _deletes_at_receipt("-req-queue")}, _UNANSWERED
    ),
    # The sweeper finds in the bucket what was lost.
    "the listener deletes before it stores": Variant(("listener",), _LISTENER),
    "the listener deletes before it stores and nothing is swept": Variant(
        ("listener",), {**_LISTENER, "web_tier.sweeper": _finds_nothing}, _UNANSWERED
    ),
    "the web tier answers before SQS": Variant(("sender",), {"web_tier.sender": _answers_before_sqs}, _UNANSWERED),
    "a repeated request makes images anew": Variant(("upload",), {"web_tier.attempts": _makes_ids_anew}, " holds "),
    "the Lambda launches too many": Variant(
        (), {"local_cloud.lambda_deployment": _launches_too_many}, "instances at once, more than"
    ),
    "the worker names the second guess": Variant(
        (), {"worker_ami.worker.handler": _names_the_second_guess}, "is '.+', not '.+'"
    ),
}
