"""Lambda: deployed code runs in our Lambda host instead of Docker, and SNS hands it the event that AWS would."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.sns.models import Subscription

from local_cloud.lambda_host import FunctionCode, LambdaHost
from local_cloud.mends.patching import replace

log = logging.getLogger(__name__)


def apply(host: LambdaHost) -> None:
    """Install the mends of this module."""
    _functions_run_without_docker(host)
    _topics_hand_over_the_real_event(host)


def code_of(function: LambdaFunction) -> FunctionCode:
    """What the Lambda host needs of a deployed function."""
    return FunctionCode(
        name=function.function_name,
        arn=function.function_arn,
        handler=function.handler or "",
        archive=function.code_bytes,
        sha256=function.code_sha_256,
        region=function.region,
        version=str(function.version),
        timeout_seconds=int(function.timeout),
        memory_megabytes=int(function.memory_size),
        environment={name: str(value) for name, value in function.environment_vars.items()},
    )


def _functions_run_without_docker(host: LambdaHost) -> None:
    # Why: moto starts a Docker container for each invocation, which few machines have and which takes seconds.
    @replace(LambdaFunction, "invoke")
    def invoke(
        original: Any,
        self: LambdaFunction,
        body: str | bytes,
        request_headers: Mapping[str, str],
        response_headers: dict[str, str],
    ) -> bytes:
        kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
        payload = body.decode() if isinstance(body, bytes) else body
        if kind == "Event":
            host.invoke_later(code_of(self), payload or "{}")
        if kind != "RequestResponse":
            return b""
        outcome = host.invoke(code_of(self), payload or "{}")
        if outcome.error_kind is not None:
            response_headers["x-amz-function-error"] = outcome.error_kind
        return outcome.payload.encode()


def _topics_hand_over_the_real_event(host: LambdaHost) -> None:
    # Why: moto invokes inside the publish, with example values for topic, time, id and subject.
    @replace(Subscription, "publish")
    def publish(original: Any, self: Subscription, message: str, message_id: str, **options: Any) -> None:
        if self.protocol != "lambda":
            original(self, message, message_id, **options)
            return
        attributes = options.get("message_attributes") or {}
        if self._filter_policy_matcher and not self._filter_policy_matcher.matches(attributes, message):
            return
        if options.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        notification = {
            "MessageId": message_id,
            "TopicArn": self.topic.arn,
            "Subject": options.get("subject"),
            "Message": message,
            "MessageAttributes": attributes,
        }
        event = sns_event(self.arn, notification, datetime.now(UTC))
        functions = get_backend(self.account_id, self.endpoint.split(":")[3])
        try:
            function = functions.get_function(self.endpoint)
        except UnknownFunctionException:
            log.warning("topic %s: its subscriber %s is not deployed; message dropped", self.topic.arn, self.endpoint)
            return
        host.invoke_later(code_of(function), json.dumps(event))


def sns_event(subscription_arn: str, notification: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """The event with which SNS invokes a Lambda function."""
    envelope = {
        "Type": "Notification",
        "Timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        "SignatureVersion": "1",
        "Signature": "",
        "SigningCertUrl": "",
        "UnsubscribeUrl": "",
    }
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription_arn,
                "Sns": {**envelope, **notification},
            }
        ]
    }
