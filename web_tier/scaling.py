"""A person's request to the fleet: to the scaling Lambda, and when that fails, to the same code in this process."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from novaburst.descriptions import default_session
from scaling_lambda.apply import Outcome
from scaling_lambda.evaluate import Evaluator, Report
from scaling_lambda.observe import ObservationError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

log = logging.getLogger(__name__)

# A cold start takes a second or two and a launch call up to ten; after that the person waits for the fallback instead.
ANSWER_SECONDS = 15
# One attempt: the fallback is the second. Both at once do no harm, launches carry a client token.
_CLIENT = Config(connect_timeout=3, read_timeout=ANSWER_SECONDS, retries={"mode": "standard", "total_max_attempts": 1})


class ScalingError(RuntimeError):
    """Neither the Lambda nor this process could evaluate; the text says why for both."""


class _LambdaFailedError(Exception):
    """The Lambda did not do what it was asked; the text says why."""


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, who made it, and why not the Lambda, if it was not the Lambda."""

    via: Literal["lambda", "web_tier"]
    report: dict[str, Any]
    lambda_failure: str | None = None


def lambda_client() -> "LambdaClient":
    """A Lambda client that does not wait long; create it once at start, not in a thread."""
    return default_session().client("lambda", config=_CLIENT)


class Scaling:
    """The manual trigger. Safe to share between threads."""

    def __init__(self, client: "LambdaClient", function: str, evaluator: Evaluator) -> None:
        self._client = client
        self._function = function
        self._evaluator = evaluator

    def ask(self, workers: int, *, dry_run: bool) -> Evaluated:
        """Evaluate now, with a minimum of `workers` for this once; a dry run changes nothing.

        Raises:
            ScalingError: see there.
        """
        try:
            return Evaluated("lambda", self._invoke(workers, dry_run))
        except _LambdaFailedError as error:
            failure = str(error)
        log.warning("%s: %s; this process evaluates itself", self._function, failure)
        try:
            report = Report(*self._evaluator.plan(workers), Outcome()) if dry_run else self._evaluator.evaluate(workers)
        except (BotoCoreError, ClientError, ObservationError) as error:
            raise ScalingError(f"the Lambda failed ({failure}), and so did the web tier itself ({error})") from error
        return Evaluated("web_tier", report.to_dict(), failure)

    def _invoke(self, workers: int, dry_run: bool) -> dict[str, Any]:
        event = json.dumps({"workers": workers, "dry_run": dry_run})
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=event.encode())
            report = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError) as error:
            raise _LambdaFailedError(str(error)) from error
        except ValueError as error:
            raise _LambdaFailedError(f"its answer is not JSON: {error}") from error
        if "FunctionError" in answer:
            raise _LambdaFailedError(_fault(report))
        if not (isinstance(report, dict) and all(isinstance(report.get(part), dict) for part in _PARTS)):
            raise _LambdaFailedError("its answer is not a report: is it this version's?")
        if failures := report["outcome"].get("failures"):
            # It may lack a permission that this process has. What it did do is seen and not done twice.
            raise _LambdaFailedError(f"it did a part only: {'; '.join(map(str, failures))}")
        return report


_PARTS = ("observed", "plan", "outcome")


def _fault(report: object) -> str:
    fault: Callable[[str], object] = report.get if isinstance(report, dict) else lambda _: None
    return f"it raised {fault('errorType') or 'an error'}: {fault('errorMessage') or report}"
