"""Create or update the CloudFormation stack of a prefix from template.yaml, and wait until it is done."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from novaburst.descriptions import default_session

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef, WaiterConfigTypeDef

TEMPLATE = Path(__file__).with_name("template.yaml")
FLEET_TAG = "novaburst:fleet"

_PREFIX_PARAMETER = "Prefix"
_IMAGE_PARAMETER = "ImageId"
# Left by a creation that failed: such a stack can only be deleted. A change set that was never run leaves the second.
_NEVER_CREATED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"})
# The first look comes at once: the embedded AWS is done before it answers. 360 looks, 5 s apart, are half an hour.
_POLL_SECONDS = 5
_POLL_ATTEMPTS = 360
# The local clock may be ahead of the event times that AWS writes.
_CLOCK_SKEW = timedelta(minutes=5)

_EXPIRED = "these credentials have expired; get new ones and call it again: a stack that is under way goes on"
_UNKNOWN = "AWS does not know these credentials; `aws sts get-caller-identity` shows whose they are"
# By the codes with which AWS refuses whoever asks; of missing rights its own words name the right.
_REMEDIES = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": "this machine's clock is wrong",
    "InvalidClientTokenId": _UNKNOWN,
    "UnrecognizedClientException": _UNKNOWN,
    "SignatureDoesNotMatch": "the secret key is not the key's, or this machine's clock is wrong",
    "AccessDenied": "let an administrator give that right, or deploy with other credentials",
    "AccessDeniedException": "let an administrator give that right, or deploy with other credentials",
}


class DeployError(RuntimeError):
    """The stack was not brought to the template's state; the text says why, and names the resources that failed."""


def stack_name(prefix: str) -> str:
    """The stack's name: the prefix, behind a word where it begins with a digit, which CloudFormation refuses."""
    return prefix if prefix[0].isalpha() else f"novaburst-{prefix}"


def deploy(
    prefix: str,
    parameters: Mapping[str, str],
    client: "CloudFormationClient | None" = None,
    poll_seconds: float = _POLL_SECONDS,
) -> dict[str, str]:
    """Bring the stack of `prefix` to the template's state, and return its outputs by name.

    Args:
        prefix: starts the name of every resource, and names the stack.
        parameters: of the template, by name; one that is left out keeps the value of the stack as it is, or
            the template's default when the stack is new.
        client: of the AWS to deploy to; by default the one that the standard `AWS_*` variables select.
        poll_seconds: between two looks at the stack while it changes.

    Raises:
        DeployError: AWS did not take the credentials, or refused the parameters or the template, or a resource could
            not be made or deleted; CloudFormation has rolled back what it had begun.
    """
    chosen = {**parameters, _PREFIX_PARAMETER: prefix}
    name = stack_name(prefix)
    try:
        cloudformation = client if client is not None else default_session().client("cloudformation")
        existing = _find(cloudformation, name)
        if existing is not None and existing["StackStatus"] in _NEVER_CREATED:
            _delete(cloudformation, name, poll_seconds)
            existing = None
        with _failures_named(cloudformation, name, f"stack {name} was not deployed"):
            if existing is None:
                _create(cloudformation, prefix, chosen, poll_seconds)
            else:
                _update(cloudformation, existing, chosen, poll_seconds)
        stack = _find(cloudformation, name)
    except (ClientError, BotoCoreError) as error:
        raise DeployError(f"stack {name}: {_words(error)}") from error
    if stack is None:
        raise DeployError(f"stack {name} was deleted while it was being deployed")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


@contextmanager
def _failures_named(client: "CloudFormationClient", name: str, failed: str) -> Iterator[None]:
    """Turn a wait in vain into a DeployError that begins with `failed` and names the resources, and why."""
    began = datetime.now(UTC)
    try:
        yield
    except WaiterError as error:
        try:
            reasons = "\n".join(_failures(client, name, began - _CLOCK_SKEW)) or f"  {error}"
        except (ClientError, BotoCoreError) as unread:
            reasons = f"  {error}\n  what failed cannot be read: {_words(unread)}"
        raise DeployError(f"{failed}:\n{reasons}") from error


def _words(error: ClientError | BotoCoreError) -> str:
    """AWS's own words, and what helps if it is the credentials."""
    if not isinstance(error, ClientError):
        return str(error)
    found = error.response["Error"]
    text = found.get("Message") or str(error)
    remedy = _REMEDIES.get(found["Code"])
    return text if remedy is None else f"{text} ({remedy})"


def _delete(client: "CloudFormationClient", name: str, poll_seconds: float) -> None:
    """Delete a stack that was never created."""
    failed = (
        f"stack {name} was never created, and what is left of it could not be deleted; mend this, and then "
        f"`aws cloudformation delete-stack --stack-name {name}`"
    )
    with _failures_named(client, name, failed):
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=_pace(poll_seconds))


def _create(client: "CloudFormationClient", prefix: str, parameters: Mapping[str, str], poll_seconds: float) -> None:
    if _IMAGE_PARAMETER not in parameters:
        name = stack_name(prefix)
        raise DeployError(f"there is no stack {name} yet, and the first deployment needs the workers' AMI: --image-id")
    client.create_stack(
        StackName=stack_name(prefix),
        TemplateBody=TEMPLATE.read_text(),
        Parameters=_given(parameters),
        # Roles and policies carry names, so that another tier's policy can name them.
        Capabilities=["CAPABILITY_NAMED_IAM"],
        # CloudFormation puts the stack's tags on every resource that takes tags.
        Tags=[{"Key": FLEET_TAG, "Value": prefix}],
        OnFailure="ROLLBACK",
    )
    client.get_waiter("stack_create_complete").wait(StackName=stack_name(prefix), WaiterConfig=_pace(poll_seconds))


def _update(
    client: "CloudFormationClient", stack: "StackTypeDef", parameters: Mapping[str, str], poll_seconds: float
) -> None:
    name = stack["StackName"]
    declared = _declared(client)
    # None of the parameters is NoEcho, so the stack's own description holds their values.
    present = {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])}
    kept = {key: value for key, value in present.items() if key in declared}
    try:
        client.update_stack(
            StackName=name,
            TemplateBody=TEMPLATE.read_text(),
            Parameters=_given({**kept, **parameters}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": FLEET_TAG, "Value": parameters[_PREFIX_PARAMETER]}],
        )
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return
        raise
    client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=_pace(poll_seconds))


def _declared(client: "CloudFormationClient") -> set[str]:
    """The names of the template's parameters; the stack may know one that the template has since dropped."""
    summary = client.get_template_summary(TemplateBody=TEMPLATE.read_text())
    return {parameter["ParameterKey"] for parameter in summary["Parameters"]}


def _find(client: "CloudFormationClient", name: str) -> "StackTypeDef | None":
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _failures(client: "CloudFormationClient", name: str, since: datetime) -> Iterable[str]:
    """What failed since then, oldest first; resources that were only cancelled because of it are left out."""
    failures: list[str] = []
    for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            reason = event.get("ResourceStatusReason", "")
            failed = event.get("ResourceStatus", "").endswith("_FAILED")
            if event["Timestamp"] >= since and failed and "cancelled" not in reason:
                failures.append(f"  {event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
    return reversed(failures)


def _given(parameters: Mapping[str, str]) -> "list[ParameterTypeDef]":
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _pace(poll_seconds: float) -> "WaiterConfigTypeDef":
    # botocore sleeps for a Delay that is a fraction just as well; its annotation says int.
    return {"Delay": poll_seconds, "MaxAttempts": _POLL_ATTEMPTS}  # type: ignore[typeddict-item]
