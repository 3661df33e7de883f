"""Each tier's policy against the calls in its source: all of them allowed, nothing else, and no statement idle."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from tests.unit.infra.calls import SOURCES, direct_operations, wrapper_operations, wrapper_uses
from tests.unit.infra.iam import ACCOUNT, PREFIX, REGION, Call, Statement, allows, identity_policies

# ---- What the wrappers and the clients' methods ask of IAM. S3 names its actions after REST verbs: a HEAD is a GET.

ACTIONS = {
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "delete_message_batch": "sqs:DeleteMessage",
    "delete_objects": "s3:DeleteObject",
    "generate_presigned_post": "s3:PutObject",
    "get_object": "s3:GetObject",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_queue_url": "sqs:GetQueueUrl",
    "head_bucket": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "put_object": "s3:PutObject",
    "receive_message": "sqs:ReceiveMessage",
    "send_message_batch": "sqs:SendMessage",
}
WRAPPERS = ("novaburst/objects.py", "novaburst/storage.py", "novaburst/queues.py")

IN, OUT = f"arn:aws:s3:::{PREFIX}-in-bucket", f"arn:aws:s3:::{PREFIX}-out-bucket"
REQUEST, RESPONSE, DEAD, WAKE = (
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:{PREFIX}-{name}" for name in ("req-queue", "resp-queue", "req-dlq", "wake-queue")
)
# Which bucket or queue a name stands for; where it says too little, by module.
NAMED = {
    "in_bucket": (IN,),
    "quick_in_bucket": (IN,),
    "out_bucket": (OUT,),
    "request_queue": (REQUEST,),
    "response_queue": (RESPONSE,),
}
NAMED_IN = {
    "worker_ami/worker/held.py": {"queue": (REQUEST,)},
    "worker_ami/worker/receiver.py": {"queue": (REQUEST,)},
    "worker_ami/worker/status.py": {"bucket": (IN,)},
    "web_tier/dead_letters.py": {"queue": (DEAD,)},
    "web_tier/health.py": {"queue": (REQUEST, RESPONSE, DEAD)},
    "web_tier/listener.py": {"queue": (RESPONSE,)},
    "web_tier/rebuild.py": {"bucket": (IN, OUT)},
    "web_tier/waker.py": {"queue": (WAKE,)},
}

# ---- The fleet's calls, in which IAM looks at several resources and at what is known of them.

FLEET = {"novaburst:fleet": PREFIX}
OURS = {f"aws:ResourceTag/{key}": value for key, value in FLEET.items()}
ASKED = {f"aws:RequestTag/{key}": value for key, value in FLEET.items()}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-worker"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:novaburst-scaling-prod-on_request"


def ec2(kind: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:ec2:{REGION}:{account}:{kind}/x-1"


INSTANCE, VOLUME, TEMPLATE, IMAGE = ec2("instance"), ec2("volume"), ec2("launch-template"), ec2("image", "")
MARK = ("novaburst:marked",)
STANDBY, WARM, LEAVE = ("novaburst:standby",), ("novaburst:warm",), ("novaburst:leave",)

BY_OPERATION = {
    "describe_instances": (Call("ec2:DescribeInstances", "*"),),
    "get_metric_data": (Call("cloudwatch:GetMetricData", "*"),),
    "run_instances": (
        Call("ec2:RunInstances", INSTANCE, ASKED),
        Call("ec2:RunInstances", VOLUME, ASKED),
        Call("ec2:RunInstances", TEMPLATE, OURS),
        Call("ec2:RunInstances", IMAGE, {"ec2:IsLaunchTemplateResource": "true"}),
        *(
            Call("ec2:RunInstances", ec2(kind))
            for kind in ("network-interface", "security-group", "spot-instances-request", "subnet")
        ),
        # Tags within a launch are an action of their own, and so is the role that it hands over.
        Call("ec2:CreateTags", INSTANCE, {**ASKED, "ec2:CreateAction": "RunInstances"}),
        Call("ec2:CreateTags", VOLUME, {**ASKED, "ec2:CreateAction": "RunInstances"}),
        Call("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    ),
    "create_tags": tuple(
        Call("ec2:CreateTags", INSTANCE, {**OURS, "aws:TagKeys": keys}) for keys in (MARK, STANDBY, WARM, LEAVE)
    ),
    "delete_tags": tuple(
        Call("ec2:DeleteTags", INSTANCE, {**OURS, "aws:TagKeys": keys}) for keys in (MARK, STANDBY, WARM, LEAVE)
    ),
    "start_instances": (Call("ec2:StartInstances", INSTANCE, OURS),),
    "terminate_instances": (Call("ec2:TerminateInstances", INSTANCE, OURS),),
    "modify_instance_attribute": (
        Call("ec2:ModifyInstanceAttribute", INSTANCE, {**OURS, "ec2:Attribute": "instanceInitiatedShutdownBehavior"}),
    ),
    "get_queue_url": (Call("sqs:GetQueueUrl", REQUEST),),
    "get_queue_attributes": (Call("sqs:GetQueueAttributes", REQUEST),),
    "invoke": (Call("lambda:InvokeFunction", FUNCTION, OURS),),
}
# What is done in a tier's name without a call in its source.
IMPLIED = {
    # The CloudWatch agent in the AMI, one stream an instance.
    "worker": [
        Call(f"logs:{action}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/novaburst/{PREFIX}/worker:log-stream:i-1")
        for action in ("CreateLogStream", "PutLogEvents")
    ],
    "web tier": [],
    # Lambda's runtime writes the log, and its event source mapping takes from the wake queue.
    "lambda": [
        *(
            Call(
                f"logs:{action}",
                f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/novaburst-scaling-prod-on_wake",
            )
            for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
        ),
        *(Call(f"sqs:{action}", WAKE) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
    ],
}
# What must be refused: to everybody, beside what only one of them lacks.
STRANGE = [
    Call("s3:GetObject", "arn:aws:s3:::somebody-else/key"),
    Call("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:lab-7-req-queue"),
    Call("s3:PutBucketPolicy", IN),
    Call("sqs:PurgeQueue", REQUEST),
    Call("cloudwatch:PutMetricData", "*"),
    Call("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
    Call("ec2:TerminateInstances", INSTANCE),
    Call("ec2:TerminateInstances", INSTANCE, {"aws:ResourceTag/novaburst:fleet": "lab-7"}),
    Call("ec2:StartInstances", INSTANCE, {"aws:ResourceTag/novaburst:fleet": "lab-7"}),
    Call("ec2:RunInstances", INSTANCE),
    Call("ec2:RunInstances", VOLUME),
    Call("ec2:RunInstances", TEMPLATE, {"aws:ResourceTag/novaburst:fleet": "lab-7"}),
    # An image of the caller's choice would run anything as a worker.
    Call("ec2:RunInstances", IMAGE, {"ec2:IsLaunchTemplateResource": "false"}),
    # With a fleet's tag on it, any machine could be ended, and with "keep" on it, none.
    Call("ec2:CreateTags", INSTANCE, {"aws:TagKeys": ("novaburst:fleet",)}),
    Call("ec2:CreateTags", INSTANCE, {**OURS, "aws:TagKeys": ("novaburst:keep",)}),
    Call("ec2:DeleteTags", INSTANCE, {"aws:TagKeys": MARK}),
    Call("ec2:CreateTags", VOLUME, {"ec2:CreateAction": "CreateVolume"}),
    # User data would run as root at the next start.
    Call("ec2:ModifyInstanceAttribute", INSTANCE, {**OURS, "ec2:Attribute": "userData"}),
    Call("ec2:ModifyInstanceAttribute", INSTANCE, {"ec2:Attribute": "instanceInitiatedShutdownBehavior"}),
    Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    Call("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    Call("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:novaburst-scaling-prod-on_wake", OURS),
    # Another deployment's, which a second stage or a forgotten setting may name.
    Call("lambda:InvokeFunction", FUNCTION, {"aws:ResourceTag/novaburst:fleet": "lab-7"}),
    Call("lambda:InvokeFunction", FUNCTION),
    Call("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payroll"),
]
REFUSED = {
    # What decodes strangers' files reads and answers images, and no more.
    "worker": [
        Call("s3:PutObject", f"{IN}/key"),
        Call("s3:DeleteObject", f"{OUT}/key"),
        Call("sqs:SendMessage", REQUEST),
        Call("sqs:ReceiveMessage", RESPONSE),
        Call("sqs:DeleteMessage", DEAD),
        Call("ec2:DescribeInstances", "*"),
        Call("cloudwatch:GetMetricData", "*"),
        Call("lambda:InvokeFunction", FUNCTION),
    ],
    "web tier": [
        Call("sqs:ReceiveMessage", REQUEST),
        Call("sqs:DeleteMessage", REQUEST),
        Call("sqs:ReceiveMessage", WAKE),
        Call("ec2:StopInstances", INSTANCE, OURS),
    ],
    "lambda": [
        Call("s3:GetObject", f"{IN}/key"),
        Call("sqs:ReceiveMessage", REQUEST),
        Call("sqs:SendMessage", REQUEST),
        Call("ec2:StopInstances", INSTANCE, OURS),
    ],
}
tiers = pytest.mark.parametrize("tier", SOURCES)


def calls(tier: str) -> list[Call]:
    """Every call that the tier's source makes, as IAM judges it."""
    found = [*_direct(tier), *IMPLIED[tier]]
    if tier == "web tier":
        # Its fallback runs the Lambda's own code.
        found += _direct("lambda")
    methods = _methods()
    for module, use in sorted(wrapper_uses(tier)):
        holder, method = use.split(".")
        meant = {**NAMED, **NAMED_IN.get(module, {})}
        assert holder in meant, f"{module}: which bucket or queue is {holder}? NAMED_IN says so"
        for resource in meant[holder]:
            found += [_on(ACTIONS[operation], resource) for operation in methods[method]]
            if resource in (IN, OUT):
                # Who may not list a bucket is told 403 for a key that is not there, which is no answer.
                found.append(Call("s3:ListBucket", resource))
            else:
                # By its name a queue's address is found, at the start.
                found.append(Call("sqs:GetQueueUrl", resource))
    return [call for call in found if call.action.partition(":")[0] == _service(call)]


def _direct(tier: str) -> Iterator[Call]:
    for operations in direct_operations(tier).values():
        for operation in sorted(operations):
            yield from BY_OPERATION[operation]


def _methods() -> Mapping[str, set[str]]:
    """The wrappers' methods; where a bucket and a queue have one of the same name, both meanings."""
    found: dict[str, set[str]] = {}
    for module in WRAPPERS:
        for name, operations in wrapper_operations(module).items():
            found.setdefault(name, set()).update(operations)
    return found


def _on(action: str, resource: str) -> Call:
    of_an_object = action.startswith("s3:") and action != "s3:ListBucket"
    return Call(action, f"{resource}/key" if of_an_object else resource)


def _service(call: Call) -> str:
    """Of the resource: `delete` of a bucket is none of SQS's."""
    return call.action.partition(":")[0] if call.resource == "*" else call.resource.split(":")[2]


@pytest.fixture(scope="module")
def policies() -> dict[str, list[Statement]]:
    return identity_policies()


@tiers
def test_every_call_of_a_tier_is_allowed(tier: str, policies: dict[str, list[Statement]]) -> None:
    assert calls(tier)
    assert [call for call in calls(tier) if not allows(policies[tier], call)] == []


@tiers
def test_what_is_not_a_tiers_business_is_refused(tier: str, policies: dict[str, list[Statement]]) -> None:
    assert [call for call in STRANGE + REFUSED[tier] if allows(policies[tier], call)] == []


@tiers
def test_no_statement_action_or_resource_could_be_left_out(tier: str, policies: dict[str, list[Statement]]) -> None:
    made = calls(tier)
    for left, what in _with_one_thing_less(policies[tier]):
        assert not all(allows(left, call) for call in made), f"{what} serves no call"


@tiers
def test_no_condition_could_be_left_out(tier: str, policies: dict[str, list[Statement]]) -> None:
    for number, statement in enumerate(policies[tier]):
        for operator, keys in statement.conditions.items():
            for key in keys:
                fewer = {name: value for name, value in keys.items() if name != key}
                looser = replace(statement, conditions={**statement.conditions, operator: fewer})
                mutant = [*policies[tier][:number], looser, *policies[tier][number + 1 :]]
                assert any(allows(mutant, call) for call in STRANGE + REFUSED[tier]), f"{statement.sid}: {key}"


def _with_one_thing_less(policy: list[Statement]) -> Iterator[tuple[list[Statement], str]]:
    for number, statement in enumerate(policy):
        before, after = policy[:number], policy[number + 1 :]
        yield [*before, *after], statement.sid
        for action in statement.actions:
            fewer = tuple(one for one in statement.actions if one != action)
            yield [*before, replace(statement, actions=fewer), *after], f"{statement.sid}: {action}"
        for resource in statement.resources:
            fewer = tuple(one for one in statement.resources if one != resource)
            yield [*before, replace(statement, resources=fewer), *after], f"{statement.sid}: {resource}"


def test_every_operation_of_the_wrappers_has_its_action_here() -> None:
    used = {operation for module in WRAPPERS for calls in wrapper_operations(module).values() for operation in calls}
    assert used == set(ACTIONS)
