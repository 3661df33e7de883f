"""The Lambda's own observe, decide and apply, at the moments at which its triggers make it look."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta

import simpy

from scaling_lambda.apply import apply
from scaling_lambda.evaluate import Report
from scaling_lambda.fleet import VIEW_SETTLES, Observation
from scaling_lambda.launch import Launcher, Places
from scaling_lambda.observe import Observer
from scaling_lambda.policy import Limits, Policy, decide, depends_on_minutes, still_right
from scaling_lambda.settings import BOOT_GRACE_SECONDS, IDLE_CONFIRM_SECONDS, IDLE_MARGIN_SECONDS
from scaling_lambda.traffic import Traffic
from scaling_lambda.watch import SOON_SECONDS, has_work, is_missing_work
from simulator.cloudwatch import CloudWatch
from simulator.scalers.base import Process, Site

_MINUTE = 60.0
# From a wake-up's first message to the evaluation: the batching window, and the Lambda (`make bench`).
_WAKE_SECONDS = 1.3
# The web tier wakes the Lambda at most so often (web_tier.waker).
_WAKE_PERIOD = 3.0
_EVALUATION_SECONDS = 0.3


class Lambda:
    """Our fleet: the wake-up, and the schedule with its looks in between."""

    always_on = False

    def __init__(
        self,
        name: str,
        limits: Limits,
        *,
        wake: bool = True,
        watch: float = 50,
        poll: float = 5,
        phase: float | None = None,
    ) -> None:
        """`phase`: the schedule's first look, in seconds; by default somewhere in the minute."""
        self.name = name
        self._limits = limits
        self._wakes = wake
        self._watch = watch
        self._poll = poll
        self._phase = phase
        self._wanted = False
        self._sending = False

    @classmethod
    def seeds(cls, limits: Limits, phase: float | None = None) -> "Lambda":
        """The seed's: one instance an evaluation, and an evaluation a minute."""
        return cls("the seed's steps", replace(limits, policy=Policy.STEP), wake=False, watch=0, phase=phase)

    def install(self, site: Site) -> None:
        """Begin with the schedule somewhere in its minute."""
        self._site = site
        self._wanted = False
        self._sending = False
        self._limits = replace(
            self._limits,
            images_per_worker=site.images_per_worker,
            images_per_second=site.world.images_per_second,
            maximum=site.maximum,
        )
        self._observer = Observer(None, site.ec2, "queue", "fleet")  # type: ignore[arg-type] # the model's own EC2
        self._launcher = Launcher(site.ec2, Places("worker", "fleet"))  # type: ignore[arg-type] # as above
        metrics = CloudWatch(lambda: site.env.now, site.queue, lambda: float(site.random.uniform(*site.world.metrics)))
        self._traffic = Traffic(metrics, "queue")  # type: ignore[arg-type] # as above
        somewhere = float(site.random.uniform(0, _MINUTE))
        site.env.process(self._schedule(somewhere if self._phase is None else self._phase))

    def woken(self) -> None:
        """Send a wake-up at once, or one for all that is queued until a period after the last."""
        self._wanted = self._wakes
        if self._wanted and not self._sending:
            self._sending = True
            self._site.env.process(self._send())

    def _send(self) -> Process:
        while self._wanted:
            self._wanted = False
            self._site.env.process(self._wake())
            yield self._site.env.timeout(_WAKE_PERIOD)
        self._sending = False

    def _wake(self) -> Process:
        yield self._site.env.timeout(_WAKE_SECONDS)
        until = self._site.env.now + VIEW_SETTLES.total_seconds()
        while True:
            report = yield from self._evaluate()
            if not is_missing_work(report) or self._site.env.now + SOON_SECONDS > until:
                break
            yield self._site.env.timeout(SOON_SECONDS)

    def _schedule(self, phase: float) -> Process:
        env = self._site.env
        yield env.timeout(phase)
        while True:
            began = env.now
            report = yield from self._evaluate()
            while has_work(report) and env.now + self._poll <= began + self._watch:
                yield env.timeout(self._poll)
                report = yield from self._evaluate()
            yield env.timeout(began + _MINUTE - env.now)

    def _evaluate(self) -> Generator[simpy.Event, object, Report]:
        site = self._site
        site.ec2.lag = site.random.uniform(0, site.world.read_lag)
        counts = site.counts()
        observation = Observation(site.ec2.moment(), counts, self._observer.instances())
        if depends_on_minutes(observation, self._limits):
            observation = replace(observation, minutes=self._traffic.minutes(observation.at))
        plan = decide(observation, self._limits)
        yield site.env.timeout(_EVALUATION_SECONDS)
        plan = replace(plan, terminate=still_right(plan, site.counts(), observation))
        outcome = apply(plan, observation, site.ec2, self._launcher)  # type: ignore[arg-type] # as above
        return Report(observation, plan, outcome)


def limits(*, idle: float, boot_grace: float = BOOT_GRACE_SECONDS, minimum: int = 0) -> Limits:
    """The Lambda's limits with its defaults; the share and the speed of an instance and the maximum are the site's."""
    return Limits(
        minimum=minimum,
        maximum=20,
        images_per_worker=1,
        images_per_second=1,
        boot_grace=timedelta(seconds=boot_grace),
        confirm_after=timedelta(seconds=idle + IDLE_MARGIN_SECONDS),
        idle_confirm_after=timedelta(seconds=IDLE_CONFIRM_SECONDS),
        max_age=timedelta(days=1),
    )
