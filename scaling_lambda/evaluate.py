"""One evaluation: observe, decide, apply. Every trigger calls it, and none tells it anything: it looks for itself."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from scaling_lambda.apply import Outcome, apply
from scaling_lambda.clock import Clock
from scaling_lambda.fleet import Observation
from scaling_lambda.launch import Launcher, retry_no_shortage
from scaling_lambda.observe import Observer
from scaling_lambda.policy import Plan, decide, depends_on_minutes, priced, still_right
from scaling_lambda.settings import Settings
from scaling_lambda.traffic import Traffic

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Report:
    """What an evaluation saw, decided and did."""

    observation: Observation
    plan: Plan
    outcome: Outcome

    @property
    def settled(self) -> bool:
        """Whether it could do all it wanted; otherwise another evaluation was in its way, and a look soon is of use."""
        return self.observation.complete and not self.outcome.deferred and not self.plan.held

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for the log line and for whoever invoked the Lambda."""
        # One that is leaving runs still, for some seconds, and takes no work.
        states = Counter("leaving" if one.leaving else one.state.value for one in self.observation.instances)
        return {
            "observed": {
                "at": self.observation.at.isoformat(),
                **asdict(self.observation.counts),
                "fleet": dict(states),
            },
            "plan": asdict(self.plan),
            "outcome": asdict(self.outcome),
        }


class Evaluator:
    """Observe, decide and apply for one deployment."""

    def __init__(
        self, settings: Settings, sqs: "SQSClient", ec2: "EC2Client", cloudwatch: "CloudWatchClient", clock: Clock
    ) -> None:
        self._settings = settings
        self._ec2 = ec2
        retry_no_shortage(ec2)
        self._launcher = Launcher(ec2, settings.places)
        self._clock = clock
        self._observer = Observer(sqs, ec2, settings.request_queue, settings.prefix)
        self._traffic = Traffic(cloudwatch, settings.request_queue)

    def plan(self, at_least: int = 0) -> tuple[Observation, Plan]:
        """What would be done now, with a minimum of `at_least` for this once. Nothing is changed."""
        observation, limits = self._observer.observe(self._clock.now()), self._settings.limits.at_least(at_least)
        if depends_on_minutes(observation, limits):
            observation = replace(observation, minutes=self._traffic.minutes(observation.at))
        return observation, decide(observation, limits)

    def evaluate(self, at_least: int = 0) -> Report:
        """Look, decide and do it.

        `at_least` is a minimum for this once: workers that find nothing to do end themselves as ever.

        Raises:
            ObservationError: AWS's answer cannot be decided from; nothing was done.
            botocore.exceptions.ClientError: the queue or the fleet could not be read; nothing was done.
        """
        observation, plan = self.plan(at_least)
        if plan.terminate:
            confirmed = still_right(plan, self._observer.counts(), observation)
            plan = priced(replace(plan, terminate=confirmed), observation, self._settings.limits.prices)
        outcome = apply(plan, observation, self._ec2, self._launcher)
        return Report(observation, plan, outcome)
