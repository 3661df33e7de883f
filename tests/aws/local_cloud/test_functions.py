"""Lambda in the embedded AWS: deployed code runs, and what invokes it."""

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Cloud

# A handler that sends what it got to the queue of its environment.
FORWARD = """
import json, os, time, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    time.sleep(float(os.environ.get("NAP", "0")))
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    if "FAIL" in os.environ:
        raise RuntimeError("told to fail")
"""


def _invoke(cloud: "Cloud", arn: str, event: Any = None, kind: str = "RequestResponse") -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event), InvocationType=kind)
    return answer.get("FunctionError"), json.loads(answer["Payload"].read() or "null"), answer["StatusCode"]


def test_a_function_runs_its_own_zip_with_its_context_and_environment(cloud: "Cloud") -> None:
    source = """
import os
def handler(event, context):
    names = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_ENDPOINT_URL", "AWS_REGION", "OWN")
    return {
        "event": event,
        "environment": [os.environ[name] for name in names],
        "context": [context.function_name, context.invoked_function_arn, len(context.aws_request_id)],
        "remaining": context.get_remaining_time_in_millis(),
    }
"""
    name = cloud.new_name("function")
    arn = cloud.function(source, name, timeout=5, OWN="yes")
    error, answer, status = _invoke(cloud, arn, {"a": [1]})
    assert (error, status, answer["event"]) == (None, 200, {"a": [1]})
    assert answer["environment"] == [name, cloud.endpoint, "us-east-1", "yes"]
    assert answer["context"] == [name, arn, 36]
    assert 3000 < answer["remaining"] <= 5000


def test_a_process_is_reused_while_warm_and_replaced_after_new_code_is_deployed(cloud: "Cloud") -> None:
    source = "import os\ndef handler(event, context): return os.getpid()\n"
    arn = cloud.function(source)
    first = _invoke(cloud, arn)[1]
    assert _invoke(cloud, arn)[1] == first
    cloud.client("lambda").update_function_code(FunctionName=arn, ZipFile=cloud.archive(app=source + "# changed\n"))
    assert _invoke(cloud, arn)[1] != first


def test_only_the_zip_and_the_runtimes_packages_can_be_imported(cloud: "Cloud") -> None:
    source = """
import importlib.util
def handler(event, context):
    return [name for name in event if importlib.util.find_spec(name)]
"""
    names = ["boto3", "botocore", "flask", "novaburst", "local_cloud", "moto", "yaml"]
    assert _invoke(cloud, cloud.function(source), names)[1] == ["boto3", "botocore"]


def test_an_error_of_the_handler_is_the_answer(cloud: "Cloud") -> None:
    arn = cloud.function("def handler(event, context): raise ValueError('not this')")
    error, answer, status = _invoke(cloud, arn)
    assert (error, status) == ("Unhandled", 200)
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "not this")


def test_a_module_that_cannot_be_imported_is_the_answer(cloud: "Cloud") -> None:
    error, answer, _ = _invoke(cloud, cloud.function("import not_packed\ndef handler(event, context): pass"))
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")
    assert "not_packed" in answer["errorMessage"]


def test_a_function_is_killed_at_its_timeout_and_works_again(cloud: "Cloud") -> None:
    arn = cloud.function(
        "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'", timeout=1
    )
    error, answer, _ = _invoke(cloud, arn, 60)
    assert (error, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "timed out after 1.00 seconds" in answer["errorMessage"]
    assert _invoke(cloud, arn, 0)[1] == "done"


def test_a_function_that_ends_its_process_is_an_error(cloud: "Cloud") -> None:
    error, answer, _ = _invoke(cloud, cloud.function("import os\ndef handler(event, context): os._exit(7)"))
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "exit status 7" in answer["errorMessage"]


def test_what_a_function_prints_is_in_its_log(cloud: "Cloud") -> None:
    name = cloud.new_name("function")
    _invoke(cloud, cloud.function("def handler(event, context): print('hello from', event)", name), "here")
    assert "hello from here" in (cloud.state / "lambda" / "logs" / f"{name}.log").read_text()


def test_an_event_invocation_returns_before_the_function_has_run(cloud: "Cloud") -> None:
    url = cloud.queue()
    arn = cloud.function(FORWARD, QUEUE=url, NAP="1")
    began = time.monotonic()
    assert _invoke(cloud, arn, {"n": 1}, "Event") == (None, None, 202)
    assert time.monotonic() - began < 1
    assert [json.loads(body) for body in cloud.messages(url)] == [{"n": 1}]


def test_concurrent_invocations_run_in_processes_of_their_own(cloud: "Cloud") -> None:
    url = cloud.queue()
    arn = cloud.function(
        """
import os, time, boto3
def handler(event, context):
    time.sleep(2)
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=str(os.getpid()))
""",
        QUEUE=url,
    )
    for _ in range(2):
        _invoke(cloud, arn, kind="Event")
    assert len(set(cloud.messages(url, 2, timeout=20))) == 2


def test_a_topic_hands_its_lambda_subscriber_the_real_event(cloud: "Cloud") -> None:
    url, sns = cloud.queue(), cloud.client("sns")
    topic = sns.create_topic(Name=cloud.new_name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=cloud.function(FORWARD, QUEUE=url))
    published = sns.publish(TopicArn=topic, Message="look")["MessageId"]
    (record,) = json.loads(cloud.messages(url)[0])["Records"]
    notice = record["Sns"]
    assert (notice["TopicArn"], notice["MessageId"], notice["Message"]) == (topic, published, "look")
    assert notice["Subject"] is None
    assert notice["Timestamp"].startswith(time.strftime("%Y-"))


def test_publishing_does_not_wait_for_the_function_and_survives_its_absence(cloud: "Cloud") -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.new_name("topic"))["TopicArn"]
    slow = cloud.function(FORWARD, QUEUE=cloud.queue(), NAP="5")
    gone = cloud.function(FORWARD)
    for arn in (gone, slow):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    cloud.client("lambda").delete_function(FunctionName=gone)
    began = time.monotonic()
    sns.publish(TopicArn=topic, Message="m")
    assert time.monotonic() - began < 3


def _map(cloud: "Cloud", source: str, function: str, **options: Any) -> None:
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=cloud.queue_arn(source), FunctionName=function, **options
    )


def _left(cloud: "Cloud", url: str) -> int:
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    kinds = ("", "NotVisible", "Delayed")
    return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in kinds)


def test_messages_within_the_batching_window_reach_the_function_in_one_batch_and_are_deleted(cloud: "Cloud") -> None:
    source, url = cloud.queue(), cloud.queue()
    _map(cloud, source, cloud.function(FORWARD, QUEUE=url), BatchSize=100, MaximumBatchingWindowInSeconds=2)
    began = time.monotonic()
    for n in range(5):
        cloud.client("sqs").send_message(QueueUrl=source, MessageBody=str(n))
    assert time.monotonic() - began < 2, "a send must not wait for the function"
    records = json.loads(cloud.messages(url)[0])["Records"]
    assert sorted(record["body"] for record in records) == list("01234")
    assert {record["eventSourceARN"] for record in records} == {cloud.queue_arn(source)}
    assert {record["attributes"]["ApproximateReceiveCount"] for record in records} == {"1"}
    cloud.eventually(lambda: _left(cloud, source) == 0)


def test_a_function_on_a_queue_is_started_before_its_first_message(cloud: "Cloud") -> None:
    name = cloud.new_name("function")
    function = cloud.function("print('imported')\ndef handler(event, context): pass", name)
    _map(cloud, cloud.queue(), function)
    log = cloud.state / "lambda" / "logs" / f"{name}.log"
    cloud.eventually(lambda: log.exists() and log.read_text() == "imported\n")


def test_a_failed_batch_stays_in_the_queue_and_is_delivered_again(cloud: "Cloud") -> None:
    source, url = cloud.queue(VisibilityTimeout="2"), cloud.queue()
    _map(cloud, source, cloud.function(FORWARD, QUEUE=url, FAIL="1"))
    cloud.client("sqs").send_message(QueueUrl=source, MessageBody="again")
    counts = [
        json.loads(body)["Records"][0]["attributes"]["ApproximateReceiveCount"]
        for body in cloud.messages(url, 2, timeout=20)
    ]
    assert counts == ["1", "2"]
    assert _left(cloud, source) == 1


def test_only_the_item_that_the_function_reports_is_delivered_again(cloud: "Cloud") -> None:
    source = cloud.queue(VisibilityTimeout="60")
    function = cloud.function(
        """
def handler(event, context):
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]}
"""
    )
    entries = [{"Id": body, "MessageBody": body} for body in ("good", "bad", "fine")]
    cloud.client("sqs").send_message_batch(QueueUrl=source, Entries=entries)
    _map(cloud, source, function, FunctionResponseTypes=["ReportBatchItemFailures"])
    cloud.eventually(lambda: _left(cloud, source) == 1)


def test_a_scheduled_rule_invokes_its_function_with_the_event_of_eventbridge_until_it_is_disabled(
    cloud: "Cloud",
) -> None:
    url, events, name = cloud.queue(), cloud.client("events"), cloud.new_name("rule")
    rule = events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")["RuleArn"]
    targets = [{"Id": "plain", "Arn": cloud.function(FORWARD, QUEUE=url)}]
    targets.append({"Id": "fixed", "Arn": cloud.function(FORWARD, QUEUE=url), "Input": '{"fixed": true}'})
    events.put_targets(Rule=name, Targets=targets)
    seen = [json.loads(body) for body in cloud.messages(url, 4, timeout=30)]
    assert {"fixed": True} in seen
    scheduled = next(event for event in seen if "source" in event)
    assert (scheduled["source"], scheduled["detail-type"]) == ("aws.events", "Scheduled Event")
    assert (scheduled["resources"], scheduled["region"]) == ([rule], "us-east-1")
    events.disable_rule(Name=name)
    time.sleep(1.5)
    cloud.messages(url, 100, timeout=1)
    assert cloud.messages(url, 1, timeout=2) == []
