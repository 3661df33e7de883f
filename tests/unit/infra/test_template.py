"""What the template must promise, whatever else changes in it."""

import itertools
import json
from typing import Any

import pytest

from infra.deploy import TEMPLATE
from novaburst import bounds
from novaburst.settings import Settings
from scaling_lambda.metrics import BRAKED, COST, COUNTS, NAMESPACE, SECONDS_TO_LAUNCH

PROJECT = TEMPLATE.parents[1]
# What CreateStack takes inline, in bytes.
_TEMPLATE_BODY_LIMIT = 51_200


def _resources(template: Any, kind: str) -> dict[str, Any]:
    return {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == kind}


@pytest.mark.parametrize(
    ("parameter", "default"),
    [
        ("Prefix", Settings.model_fields["prefix"].default),
        ("IdleSeconds", bounds.IDLE_SECONDS),
        ("VisibilityTimeout", bounds.VISIBILITY_TIMEOUT_SECONDS),
        ("MaxReceiveCount", bounds.MAX_RECEIVE_COUNT),
        ("RetentionDays", bounds.RETENTION_DAYS),
    ],
)
def test_a_parameter_has_the_default_of_the_bounds(template: Any, parameter: str, default: object) -> None:
    assert template["Parameters"][parameter]["Default"] == default


def test_requests_are_hidden_for_two_heartbeats_at_least(template: Any) -> None:
    assert template["Parameters"]["VisibilityTimeout"]["MinValue"] == 2 * bounds.HEARTBEAT_SECONDS
    assert f"every {bounds.HEARTBEAT_SECONDS} seconds" in template["Parameters"]["VisibilityTimeout"]["Description"]


def test_the_image_has_no_default_so_a_deployment_must_name_it(template: Any) -> None:
    assert "Default" not in template["Parameters"]["ImageId"]


def test_workers_answer_a_poisonous_request_before_it_becomes_a_dead_letter(template: Any) -> None:
    assert template["Parameters"]["MaxReceiveCount"]["MinValue"] > bounds.POISON_RECEIVE_COUNT


def test_every_queue_is_encrypted_and_takes_no_more_than_1024_bytes(template: Any) -> None:
    queues = _resources(template, "AWS::SQS::Queue")
    assert len(queues) == 4
    for queue in queues.values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MaximumMessageSize"] == bounds.MAX_MESSAGE_BYTES
        assert queue["ReceiveMessageWaitTimeSeconds"] == bounds.LONG_POLL_SECONDS


def test_dead_letters_outlive_the_queue_they_come_from(template: Any) -> None:
    queues = _resources(template, "AWS::SQS::Queue")
    assert queues["DeadLetterQueue"]["MessageRetentionPeriod"] > queues["RequestQueue"]["MessageRetentionPeriod"]


def test_every_bucket_is_private_and_encrypted_and_forgets(template: Any) -> None:
    buckets = _resources(template, "AWS::S3::Bucket")
    assert len(buckets) == 2
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert any("ExpirationInDays" in rule for rule in rules)
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_everything_that_takes_messages_or_objects_refuses_plain_http(template: Any) -> None:
    buckets = _resources(template, "AWS::S3::BucketPolicy")
    queues = _resources(template, "AWS::SQS::QueuePolicy")
    assert {policy["Bucket"]["Ref"] for policy in buckets.values()} == {"InBucket", "OutBucket"}
    covered = {queue["Ref"] for policy in queues.values() for queue in policy["Queues"]}
    assert covered == set(_resources(template, "AWS::SQS::Queue"))
    for policy in [*buckets.values(), *queues.values()]:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_each_alarm_says_what_missing_data_means_and_tells_somebody(template: Any) -> None:
    alarms = _resources(template, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 5
    for alarm in alarms.values():
        assert alarm["TreatMissingData"] in {"breaching", "notBreaching"}
        assert alarm["AlarmActions"]
        assert alarm["AlarmDescription"]


def test_a_person_is_told_of_what_the_lambda_cannot_mend_and_of_nothing_that_a_burst_makes_normal(
    template: Any,
) -> None:
    alarms = _resources(template, "AWS::CloudWatch::Alarm")
    told = {name for name, alarm in alarms.items() if {"Ref": "OperatorTopic"} in alarm["AlarmActions"]}
    assert told == {"DeadLetterAlarm", "OldestMessageAlarm", "NoEvaluationAlarm"}
    assert all(alarms[name]["OKActions"] == [{"Ref": "OperatorTopic"}] for name in told)
    woken = {name for name, alarm in alarms.items() if {"Ref": "AlarmTopic"} in alarm["AlarmActions"]}
    assert woken == set(alarms) - {"NoEvaluationAlarm"}


def test_nobody_is_subscribed_unless_an_address_is_given(template: Any) -> None:
    assert template["Parameters"]["OperatorEmail"]["Default"] == ""
    subscription = template["Resources"]["OperatorSubscription"]
    assert subscription["Condition"] == "HasOperatorEmail"
    assert subscription["Properties"]["TopicArn"] == {"Ref": "OperatorTopic"}


def test_a_lambda_that_fails_or_never_runs_is_an_alarm_and_a_value_never_is(template: Any) -> None:
    alarm = _resources(template, "AWS::CloudWatch::Alarm")["NoEvaluationAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, "Backlog")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 0)
    assert alarm["TreatMissingData"] == "breaching"


def test_no_alarm_adds_up_two_samples_of_a_gauge(template: Any) -> None:
    for alarm in _resources(template, "AWS::CloudWatch::Alarm").values():
        statistics = {m["MetricStat"]["Stat"] for m in alarm.get("Metrics", []) if "MetricStat" in m}
        assert (statistics or {alarm["Statistic"]}) == {"Maximum"}


def test_scale_in_is_never_announced_while_a_message_is_in_flight(template: Any) -> None:
    metrics = _resources(template, "AWS::CloudWatch::Alarm")["BacklogEmptyAlarm"]["Metrics"]
    names = {m["MetricStat"]["Metric"]["MetricName"] for m in metrics if "MetricStat" in m}
    assert names == {"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"}


def test_no_statement_allows_every_action_and_only_descriptions_have_every_resource(template: Any) -> None:
    documents = [policy["PolicyDocument"] for policy in _resources(template, "AWS::IAM::ManagedPolicy").values()]
    for role in _resources(template, "AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in role["Policies"]]
    for statement in (s for document in documents for s in document["Statement"]):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not any("*" in action for action in actions)
        if statement["Resource"] == "*":
            assert set(actions) == {"ec2:DescribeInstances", "cloudwatch:GetMetricData"}


def test_the_log_group_that_the_ami_s_agent_writes_to_is_made_here_and_forgets(template: Any) -> None:
    (group,) = _resources(template, "AWS::Logs::LogGroup").values()
    agent = json.loads((PROJECT / "worker_ami" / "cloudwatch" / "agent.json").read_text())
    (shipped,) = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert group["LogGroupName"] == {"Fn::Sub": shipped["log_group_name"].replace("@PREFIX@", "${Prefix}")}
    assert group["RetentionInDays"] == 30


def test_a_worker_may_write_to_its_own_log_group_and_do_nothing_else_with_logs(template: Any) -> None:
    (policy,) = template["Resources"]["WorkerRole"]["Properties"]["Policies"]
    (statement,) = (s for s in policy["PolicyDocument"]["Statement"] if "logs:" in str(s["Action"]))
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert statement["Resource"] == {"Fn::GetAtt": ["WorkerLog", "Arn"]}


def test_the_dashboard_is_json_that_names_only_this_deployment(template: Any) -> None:
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert "novaburst-req-queue" not in body
    areas = [(w["x"], w["y"], w["x"] + w["width"], w["y"] + w["height"]) for w in widgets]
    for (left, top, right, bottom), other in itertools.combinations(areas, 2):
        assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top, "widgets overlap"


def test_the_dashboard_shows_every_metric_of_the_lambda(template: Any) -> None:
    body = json.loads(template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    series = [series for widget in body["widgets"] for series in widget["properties"]["metrics"]]
    shown = {one[1] for one in series if one[0] == NAMESPACE}
    # The queue's own metric shows the backlog better: it comes without the Lambda.
    assert shown == {*COUNTS, COST, BRAKED, SECONDS_TO_LAUNCH} - {"Backlog"}


def test_the_template_fits_into_one_create_stack_call() -> None:
    assert len(TEMPLATE.read_bytes()) < _TEMPLATE_BODY_LIMIT
