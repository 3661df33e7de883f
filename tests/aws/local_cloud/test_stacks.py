"""CloudFormation in the embedded AWS: the resources that moto leaves out, and the alarms that come alive."""

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Cloud


def _depth(metric: str) -> dict[str, Any]:
    dimensions = [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Work", "QueueName"]}}]
    named = {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": dimensions}
    return {"MetricStat": {"Metric": named, "Period": 60, "Stat": "Maximum"}, "ReturnData": False}


def _template(cloud: "Cloud", threshold: int = 0) -> dict[str, Any]:
    """A work queue, an alarm on its backlog, and a topic that tells another queue of it."""
    alarm = {
        "AlarmName": {"Fn::Sub": "${Prefix}-backlog"},
        "AlarmDescription": "images wait",
        "AlarmActions": [{"Ref": "Topic"}],
        "OKActions": [{"Ref": "Topic"}],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": threshold,
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        "Metrics": [
            {"Id": "backlog", "Expression": "visible + in_flight"},
            {"Id": "visible", **_depth("ApproximateNumberOfMessagesVisible")},
            {"Id": "in_flight", **_depth("ApproximateNumberOfMessagesNotVisible")},
        ],
    }
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    return {
        "Parameters": {"Prefix": {"Type": "String"}, "Idle": {"Type": "String", "Default": "5"}},
        "Resources": {
            "Work": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Prefix}-work"}}},
            "Notices": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Prefix}-notices"}}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "${Prefix}-topic"}}},
            "Policy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"Queues": [{"Ref": "Notices"}], "PolicyDocument": {"Statement": [statement]}},
            },
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "TopicArn": {"Ref": "Topic"},
                    "Protocol": "sqs",
                    "Endpoint": {"Fn::GetAtt": ["Notices", "Arn"]},
                    "RawMessageDelivery": True,
                },
            },
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
            "Fleet": {
                "Type": "AWS::EC2::LaunchTemplate",
                "Properties": {
                    "LaunchTemplateName": {"Ref": "Prefix"},
                    "LaunchTemplateData": {
                        "ImageId": cloud.image_id,
                        "UserData": {"Fn::Base64": {"Fn::Sub": "IDLE=${Idle}"}},
                    },
                },
            },
        },
    }


def _deploy(cloud: "Cloud", verb: str, prefix: str, template: dict[str, Any], **parameters: str) -> None:
    given = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in {"Prefix": prefix, **parameters}.items()
    ]
    request = {"StackName": prefix, "TemplateBody": json.dumps(template), "Parameters": given}
    getattr(cloud.client("cloudformation"), f"{verb}_stack")(**request)


def _alarms(cloud: "Cloud", prefix: str) -> Any:
    return cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]


def _url(cloud: "Cloud", name: str) -> str:
    url: str = cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return url


def test_a_stack_makes_changes_and_deletes_its_alarm_subscription_and_queue_policy(cloud: "Cloud") -> None:
    prefix = cloud.new_name("stack")
    _deploy(cloud, "create", prefix, _template(cloud))
    (alarm,) = _alarms(cloud, prefix)
    assert (alarm["AlarmName"], alarm["Threshold"]) == (f"{prefix}-backlog", 0)
    topic = alarm["AlarmActions"][0]
    assert alarm["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"][0]["Value"] == f"{prefix}-work"
    (subscription,) = cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscription["Endpoint"].endswith(f"{prefix}-notices")
    notices = _url(cloud, f"{prefix}-notices")
    policy = cloud.client("sqs").get_queue_attributes(QueueUrl=notices, AttributeNames=["Policy"])["Attributes"][
        "Policy"
    ]
    assert json.loads(policy)["Statement"][0]["Action"] == "sqs:SendMessage"

    changed = _template(cloud, threshold=7)
    del changed["Resources"]["Policy"]
    _deploy(cloud, "update", prefix, changed)
    assert [alarm["Threshold"] for alarm in _alarms(cloud, prefix)] == [7]
    assert "Attributes" not in cloud.client("sqs").get_queue_attributes(QueueUrl=notices, AttributeNames=["Policy"])

    cloud.client("cloudformation").delete_stack(StackName=prefix)
    assert _alarms(cloud, prefix) == []
    subscriptions = cloud.client("sns").list_subscriptions()["Subscriptions"]
    assert not [s for s in subscriptions if s["Endpoint"].endswith(f"{prefix}-notices")]


def test_a_parameter_that_only_a_substitution_names_reaches_the_launch_template(cloud: "Cloud") -> None:
    prefix = cloud.new_name("stack")
    _deploy(cloud, "create", prefix, _template(cloud))
    _deploy(cloud, "update", prefix, _template(cloud), Idle="99")
    versions = cloud.client("ec2").describe_launch_template_versions(LaunchTemplateName=prefix, Versions=["$Latest"])
    assert versions["LaunchTemplateVersions"][0]["VersionNumber"] == 2


def test_a_backlog_raises_the_templates_alarm_tells_its_topic_and_clears_again(cloud: "Cloud") -> None:
    prefix = cloud.new_name("stack")
    _deploy(cloud, "create", prefix, _template(cloud))
    assert _alarms(cloud, prefix)[0]["StateValue"] == "INSUFFICIENT_DATA"
    work, notices, sqs = _url(cloud, f"{prefix}-work"), _url(cloud, f"{prefix}-notices"), cloud.client("sqs")
    assert json.loads(cloud.messages(notices)[0])["NewStateValue"] == "OK"
    sqs.send_message(QueueUrl=work, MessageBody="image")
    handle = sqs.receive_message(QueueUrl=work)["Messages"][0]["ReceiptHandle"]
    notice = json.loads(cloud.messages(notices)[0])
    assert (notice["AlarmName"], notice["OldStateValue"], notice["NewStateValue"]) == (
        f"{prefix}-backlog",
        "OK",
        "ALARM",
    )
    assert notice["AlarmDescription"] == "images wait"
    assert notice["Trigger"]["Metrics"][0]["Expression"] == "visible + in_flight"
    sqs.delete_message(QueueUrl=work, ReceiptHandle=handle)
    assert json.loads(cloud.messages(notices)[0])["NewStateValue"] == "OK"
    cloud.client("cloudformation").delete_stack(StackName=prefix)


def test_queue_metrics_are_in_cloudwatch(cloud: "Cloud") -> None:
    url = cloud.queue()
    name = url.rsplit("/", 1)[-1]

    def points(metric: str, statistic: str) -> list[float]:
        found = cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=time.time() - 600,
            EndTime=time.time() + 60,
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return [point[statistic] for point in found]

    def sent() -> float:
        return sum(points("NumberOfMessagesSent", "Sum"))

    def deleted() -> float:
        return sum(points("NumberOfMessagesDeleted", "Sum"))

    for _ in range(3):
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody="m")
    cloud.eventually(lambda: max(points("ApproximateNumberOfMessagesVisible", "Maximum"), default=0) == 3)
    cloud.eventually(lambda: sent() == 3)
    cloud.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0)
    batch = [{"Id": str(number), "MessageBody": "m"} for number in range(2)]
    cloud.client("sqs").send_message_batch(QueueUrl=url, Entries=batch)
    # What is received, and what comes back, was not sent again.
    cloud.eventually(lambda: sent() == 5)
    assert deleted() == 0
    [taken] = cloud.client("sqs").receive_message(QueueUrl=url)["Messages"]
    for _ in range(2):
        cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"])
    cloud.eventually(lambda: deleted() == 1)


def test_setting_an_alarms_state_by_hand_runs_its_actions_once(cloud: "Cloud") -> None:
    url, sns, cloudwatch, name = cloud.queue(), cloud.client("sns"), cloud.client("cloudwatch"), cloud.new_name("alarm")
    topic = sns.create_topic(Name=cloud.new_name("topic"))["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=cloud.queue_arn(url), Attributes=raw)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmActions=[topic],
        Namespace="Custom",
        MetricName="Nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    for _ in range(2):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    (body,) = cloud.messages(url, 2, timeout=2)
    notice = json.loads(body)
    assert (notice["NewStateReason"], notice["Trigger"]["MetricName"]) == ("by hand", "Nothing")
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_a_custom_metric_raises_an_alarm(cloud: "Cloud") -> None:
    cloudwatch, name = cloud.client("cloudwatch"), cloud.new_name("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Novaburst",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )

    def raised() -> bool:
        # One lasting source of data, as a worker that reports each minute.
        cloudwatch.put_metric_data(Namespace="Novaburst", MetricData=[{"MetricName": name, "Value": 5}])
        states = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return bool(states[0]["StateValue"] == "ALARM")

    cloud.eventually(raised)
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_a_resource_comes_and_goes_with_its_condition_when_the_stack_is_updated(cloud: "Cloud") -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Prefix"}}}
    mail = {
        "Type": "AWS::SNS::Subscription",
        "Condition": "HasMail",
        "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": {"Ref": "Mail"}},
    }
    template = {
        "Parameters": {name: {"Type": "String"} for name in ("Prefix", "Mail", "Round")},
        "Conditions": {"HasMail": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Mail"}, ""]}]}},
        "Resources": {"Topic": topic, "Subscription": mail},
    }
    sns = cloud.client("sns")

    def mails() -> list[str]:
        return [s["Endpoint"] for s in sns.list_subscriptions()["Subscriptions"] if s["Protocol"] == "email"]

    there, absent = ("update", "a@example.org"), ("update", "")
    rounds = (("create", ""), absent, there, absent, absent, there)
    for number, (verb, address) in enumerate(rounds):
        _deploy(cloud, verb, "conditional", template, Mail=address, Round=str(number))
        assert mails() == [address] * bool(address)
