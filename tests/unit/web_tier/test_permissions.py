"""What the web tier's user may do to the fleet, against what the Lambda may: the fallback is the Lambda's own code."""

import json
from pathlib import Path
from typing import Any

import cfnlint.decode
import pytest

from infra.deploy import TEMPLATE
from web_tier.settings import WebSettings

LAMBDA_POLICY = Path(__file__).parents[3] / ".chalice" / "policy.json"


@pytest.fixture(scope="module")
def statements() -> dict[str, Any]:
    template, faults = cfnlint.decode.decode(str(TEMPLATE))
    assert not faults
    policy = template["Resources"]["WebTierScalingPolicy"]["Properties"]["PolicyDocument"]
    return {statement["Sid"]: plain(statement) for statement in policy["Statement"]}


def test_who_deletes_a_batch_may_delete_its_objects_in_both_buckets() -> None:
    template, _ = cfnlint.decode.decode(str(TEMPLATE))
    policy = template["Resources"]["WebTierPolicy"]["Properties"]["PolicyDocument"]
    [statement] = [one for one in policy["Statement"] if "s3:DeleteObject" in one["Action"]]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == [{"Fn::Sub": "${InBucket.Arn}/*"}, {"Fn::Sub": "${OutBucket.Arn}/*"}]


def plain(value: Any) -> Any:
    """The template's value as Chalice's policy file would write it for the default prefix."""
    if isinstance(value, dict) and value.keys() == {"Ref"}:
        assert value["Ref"] == "Prefix"
        return "novaburst"
    if isinstance(value, dict) and value.keys() == {"Fn::Sub"}:
        return value["Fn::Sub"].replace("arn:${AWS::Partition}:", "arn:*:").replace("${Prefix}", "novaburst")
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def test_the_fallback_may_do_to_the_fleet_what_the_lambda_may_and_under_the_same_conditions(
    statements: dict[str, Any],
) -> None:
    # Logs and the wake queue are the Lambda's alone; counting and describing are in the web tier's other policy.
    elsewhere = {"WriteLogs", "CountRequests", "BeWokenUp", "SeeFleetAndTraffic"}
    of_lambda = {s["Sid"]: s for s in json.loads(LAMBDA_POLICY.read_text())["Statement"] if s["Sid"] not in elsewhere}
    assert {sid: s for sid, s in statements.items() if sid != "AskTheLambda"} == of_lambda


def test_only_the_function_for_people_can_be_invoked(statements: dict[str, Any]) -> None:
    asked = statements["AskTheLambda"]
    assert asked["Action"] == "lambda:InvokeFunction"
    before, _, after = asked["Resource"].rpartition(":function:")[2].partition("*")
    function = WebSettings.model_fields["scaling_function"].default
    assert function.startswith(before)
    assert function.endswith(after)
    assert after.endswith("on_request")
