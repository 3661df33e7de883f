"""What an access analyser looks for, in every policy of the project.

Which actions there are, on which resources and under which conditions they can be granted, is AWS's own Service
Authorization Reference, as policy_sentry carries it.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.unit.infra.iam import (
    ACCOUNT,
    REGION,
    Call,
    Statement,
    allows,
    identity_policies,
    resource_policies,
    trust_policies,
)

# The role that AWS's VM Import/Export demands, word for word from its user guide ("Required service role"): which calls
# the service makes is not documented, so what it asks for is what it gets. Nobody but that service can take the role.
DEMANDED = {("image export", "ReadTheAmi")}
# Actions on all resources that the reference offers no resource for.
ONLY_ON_ALL = {"cloudwatch:GetMetricData", "ec2:DescribeInstances"}
# The reference leaves it out of RunInstances; EC2's user guide ("Example policies", Spot Instances) has it in.
BEYOND_THE_REFERENCE = {"arn:aws:ec2:*:*:spot-instances-request/*"}
_SERVICE_WIDE = {"aws:SecureTransport"}


def _granted() -> Iterator[tuple[str, Statement]]:
    for identity, statements in identity_policies().items():
        for statement in statements:
            if (identity, statement.sid) not in DEMANDED:
                yield identity, statement


def _identify(value: object) -> str:
    return value.sid if isinstance(value, Statement) else str(value)


every_statement = pytest.mark.parametrize(("identity", "statement"), list(_granted()), ids=_identify)


@cache
def _reference(action: str) -> list[dict[str, Any]]:
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    assert found, f"AWS has no action {action}"
    entries: list[dict[str, Any]] = found[service]
    return entries


def _formats(action: str) -> set[str]:
    """The resources that the action can be granted on, as patterns, without the one for all."""
    formats = {entry["resource_arn_format"] for entry in _reference(action)} - {"*"}
    return {re.sub(r"\$\{[^}]+\}", "*", text) for text in formats}


@every_statement
def test_a_statement_names_itself_and_allows_by_name(identity: str, statement: Statement) -> None:
    assert statement.effect == "Allow", "a denial here would hide what is allowed"
    assert statement.elements <= {"Sid", "Effect", "Action", "Resource", "Condition"}, "no NotAction, no NotResource"
    assert statement.actions
    assert statement.resources
    assert not [action for action in statement.actions if "*" in action or "?" in action]


@every_statement
def test_all_resources_are_granted_only_where_aws_offers_no_narrower_one(identity: str, statement: Statement) -> None:
    if "*" in statement.resources:
        assert statement.resources == ("*",)
        assert not {action: _formats(action) for action in statement.actions if _formats(action)}
        assert set(statement.actions) <= ONLY_ON_ALL


@every_statement
def test_each_resource_is_of_a_kind_that_one_of_the_actions_works_on(identity: str, statement: Statement) -> None:
    formats = {one for action in statement.actions for one in _formats(action)}
    for resource in set(statement.resources) - {"*"} - BEYOND_THE_REFERENCE:
        # CloudFormation's ARN of a log group ends with all that is in it; what is open is a name, never a kind.
        inside = re.sub(r"(:log-group:[^:]+):\*$", r"\1:log-stream:*", resource)
        example = inside.replace("*", "x")
        assert any(fnmatchcase(example, one) for one in formats), f"{resource} fits none of {sorted(formats)}"


@every_statement
def test_each_condition_is_one_that_aws_evaluates_for_the_action(identity: str, statement: Statement) -> None:
    asked = {key for keys in statement.conditions.values() for key in keys}
    for action in statement.actions:
        known = {
            re.sub(r"\$\{[^}]+\}|<[^>]+>", "*", key) for one in _reference(action) for key in one["condition_keys"]
        }
        # A tag condition that AWS does not know is never true: the statement would allow nothing, unseen.
        general = known | _SERVICE_WIDE | ({"ec2:CreateAction"} if action == "ec2:CreateTags" else set())
        assert {key for key in asked if not any(fnmatchcase(key, one) for one in general)} == set()


@every_statement
def test_a_role_is_passed_by_name_and_to_one_service(identity: str, statement: Statement) -> None:
    if "iam:PassRole" in statement.actions:
        assert statement.actions == ("iam:PassRole",)
        assert all(resource.rpartition("/")[2].replace("-", "").isalnum() for resource in statement.resources)
        assert statement.conditions["StringEquals"]["iam:PassedToService"] == ["ec2.amazonaws.com"]


@every_statement
def test_what_ends_or_changes_an_instance_asks_whose_instance_it_is(identity: str, statement: Statement) -> None:
    touching = {"ec2:TerminateInstances", "ec2:StartInstances", "ec2:ModifyInstanceAttribute", "ec2:DeleteTags"}
    if touching & set(statement.actions):
        assert statement.conditions["StringEquals"]["aws:ResourceTag/novaburst:fleet"] == ["novaburst"]


def test_no_identity_can_change_permissions_or_read_other_secrets() -> None:
    services = {action.partition(":")[0] for _, statement in _granted() for action in statement.actions}
    assert services == {"cloudwatch", "ec2", "iam", "lambda", "logs", "s3", "sqs"}
    managing = {
        action
        for _, statement in _granted()
        for action in statement.actions
        if any(entry["access_level"] == "Permissions management" for entry in _reference(action))
    }
    assert managing <= {"iam:PassRole"}


def test_the_actions_without_a_narrower_resource_are_still_such_in_the_reference() -> None:
    assert not [action for action in ONLY_ON_ALL if _formats(action)]


def test_what_a_service_demands_as_it_is_stays_within_images_and_snapshots() -> None:
    for identity, sid in DEMANDED:
        [statement] = [one for one in identity_policies()[identity] if one.sid == sid]
        assert set(statement.actions) == {
            "ec2:CopySnapshot",
            "ec2:Describe*",
            "ec2:ModifySnapshotAttribute",
            "ec2:RegisterImage",
        }


def test_a_role_is_taken_by_one_service_of_aws_and_by_nobody_else() -> None:
    takers = {"worker": "ec2.amazonaws.com", "image export": "vmie.amazonaws.com"}
    for role, statements in trust_policies().items():
        [statement] = statements
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"Service": takers[role]}
        assert statement["Action"] == "sts:AssumeRole"
    # The service works for every account of AWS: this is how it says that it works for one that asked for an export.
    assert trust_policies()["image export"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "vmimport"}}


_BUCKETS = {"InBucketPolicy": "novaburst-in-bucket", "OutBucketPolicy": "novaburst-out-bucket"}


@pytest.mark.parametrize(("policy", "bucket"), _BUCKETS.items())
def test_a_bucket_refuses_whoever_comes_without_tls_and_nothing_else(policy: str, bucket: str) -> None:
    refusing = resource_policies()[policy]
    allowed = [Statement("Any", "Allow", ("s3:*",), ("*",), {}, frozenset())]
    for resource in (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/some/key"):
        for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"):
            assert not allows(allowed + refusing, Call(action, resource, {"aws:SecureTransport": "false"}))
            assert allows(allowed + refusing, Call(action, resource, {"aws:SecureTransport": "true"}))


def test_a_queue_refuses_whoever_comes_without_tls_and_nothing_else() -> None:
    refusing = resource_policies()["QueuePolicy"]
    allowed = [Statement("Any", "Allow", ("sqs:*",), ("*",), {}, frozenset())]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:novaburst-req-queue"
    for action in ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"):
        assert not allows(allowed + refusing, Call(action, queue, {"aws:SecureTransport": "false"}))
        assert allows(allowed + refusing, Call(action, queue, {"aws:SecureTransport": "true"}))


def test_there_is_no_resource_policy_besides_those() -> None:
    assert set(resource_policies()) == {*_BUCKETS, "QueuePolicy"}
