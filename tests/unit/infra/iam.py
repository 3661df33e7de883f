"""The policies of the project as plain values, and whether one of them allows a call: as much of IAM as they use."""

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import cfnlint.decode

from infra.deploy import TEMPLATE

PROJECT = TEMPLATE.parents[1]
PREFIX = "novaburst"
ACCOUNT = "111122223333"
REGION = "us-east-1"
# Conditions on these keys are of a set of values: all of those of the call must be allowed.
_SETS = "ForAllValues:"


@dataclass(frozen=True)
class Statement:
    """One statement, its actions and resources as lists, its resources as ARNs."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Sequence[str]]]
    # Every element's name, to find those that no policy of ours may have.
    elements: frozenset[str]

    def covers(self, call: "Call") -> bool:
        """Whether it speaks of this call."""
        return (
            any(fnmatchcase(call.action.lower(), action.lower()) for action in self.actions)
            and any(fnmatchcase(call.resource, resource) for resource in self.resources)
            and all(_holds(operator, call, keys) for operator, keys in self.conditions.items())
        )


@dataclass(frozen=True)
class Call:
    """One action on one resource, as IAM judges it, and what is known of the request and of the resource."""

    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


def allows(statements: Sequence[Statement], call: Call) -> bool:
    """IAM's rule: something allows it, and nothing denies it."""
    effects = {statement.effect for statement in statements if statement.covers(call)}
    return "Allow" in effects and "Deny" not in effects


def identity_policies() -> dict[str, list[Statement]]:
    """What each identity of a deployment may do; the web tier's two policies belong to one user."""
    resources = template()["Resources"]
    [worker] = resources["WorkerRole"]["Properties"]["Policies"]
    # Chalice knows no names of accounts and regions; the deployment in the file may have another prefix.
    prefix = json.loads((PROJECT / ".chalice" / "config.json").read_text())["environment_variables"]["NOVABURST_PREFIX"]
    of_lambda = (PROJECT / ".chalice" / "policy.json").read_text()
    of_lambda = re.sub(rf"(?<=[:/\"]){re.escape(prefix)}(?=-(?:req|wake|worker)|\")", PREFIX, of_lambda)
    of_export = string.Template((PROJECT / "infra" / "role-policy.json").read_text())
    export = of_export.substitute(partition="aws", bucket=f"{PREFIX}-image-exports")
    return {
        "worker": statements(worker["PolicyDocument"]),
        "web tier": statements(resources["WebTierPolicy"]["Properties"]["PolicyDocument"])
        + statements(resources["WebTierScalingPolicy"]["Properties"]["PolicyDocument"]),
        "lambda": statements(json.loads(of_lambda)),
        "image export": statements(json.loads(export)),
    }


def resource_policies() -> dict[str, list[Statement]]:
    """What the buckets and queues themselves refuse, by their name in the template."""
    found = template()["Resources"].items()
    kinds = {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
    return {name: statements(one["Properties"]["PolicyDocument"]) for name, one in found if one["Type"] in kinds}


def trust_policies() -> dict[str, list[Any]]:
    """Who may take each role, as written."""
    of_worker = template()["Resources"]["WorkerRole"]["Properties"]["AssumeRolePolicyDocument"]
    of_export = json.loads((PROJECT / "infra" / "trust-policy.json").read_text())
    return {"worker": of_worker["Statement"], "image export": of_export["Statement"]}


@cache
def template() -> Any:
    """The template, its intrinsic functions in their long form."""
    decoded, faults = cfnlint.decode.decode(str(TEMPLATE))
    assert not faults
    return decoded


def statements(document: Any) -> list[Statement]:
    """A policy document's statements, with the template's functions resolved."""
    assert document["Version"] == "2012-10-17"
    return [
        Statement(
            sid=one["Sid"],
            effect=one["Effect"],
            actions=tuple(_list(one.get("Action", ()))),
            resources=tuple(_arn(resource) for resource in _list(one.get("Resource", ()))),
            conditions={
                operator: {key: [_text(value) for value in _list(values)] for key, values in keys.items()}
                for operator, keys in one.get("Condition", {}).items()
            },
            elements=frozenset(map(str, one)),
        )
        for one in document["Statement"]
    ]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _arn(resource: Any) -> str:
    return re.sub(r"^arn:\*:", "arn:aws:", _text(resource))


def _text(value: Any) -> str:
    """A string, or one of the template's functions that gives one."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        assert argument == "Prefix"
        return PREFIX
    if function == "Fn::GetAtt":
        assert argument[1] == "Arn"
        return _arn_of(argument[0])
    assert function == "Fn::Sub"
    known = {"Prefix": PREFIX, "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
    return re.sub(
        r"\$\{([^}]+)\}",
        lambda name: known[name[1]] if name[1] in known else _arn_of(name[1].removesuffix(".Arn")),
        argument,
    )


def _arn_of(name: str) -> str:
    resource = template()["Resources"][name]
    made = resource["Properties"]
    match resource["Type"]:
        case "AWS::S3::Bucket":
            return f"arn:aws:s3:::{_text(made['BucketName'])}"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{_text(made['QueueName'])}"
        case "AWS::Logs::LogGroup":
            return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{_text(made['LogGroupName'])}:*"
        case kind:
            raise AssertionError(f"{name}: no policy was about a {kind} before")


def _holds(operator: str, call: Call, keys: Mapping[str, Sequence[str]]) -> bool:
    return all(_holds_for(operator, call.context.get(key), allowed) for key, allowed in keys.items())


def _holds_for(operator: str, given: str | tuple[str, ...] | None, allowed: Sequence[str]) -> bool:
    if operator.startswith(_SETS):
        # IAM takes a call without the key for one whose every value is allowed.
        values = () if given is None else given
        return all(_holds_for(operator.removeprefix(_SETS), value, allowed) for value in values)
    if given is None:
        return False
    assert isinstance(given, str)
    match operator:
        case "StringEquals" | "Bool":
            return given in allowed
        case "StringEqualsIgnoreCase":
            return given.lower() in {value.lower() for value in allowed}
        case _:
            raise AssertionError(f"no policy had a {operator} before")
