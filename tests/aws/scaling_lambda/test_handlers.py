"""The three triggers as Chalice runs them, each an occasion for the same evaluation."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chalice.app import Chalice
from chalice.test import Client

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.fleet import VIEW_SETTLES
from scaling_lambda.settings import SettingsError
from scaling_lambda.tokens import is_turning


def app_of(handlers: Any) -> Chalice:
    app = Chalice(app_name="novaburst-scaling")
    app.register_blueprint(handlers.blueprint)
    return app


def send(aws: SharedSettings, sqs: Any, count: int) -> None:
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
    for _ in range(count):
        sqs.send_message(QueueUrl=url, MessageBody="{}")


def test_each_trigger_starts_workers_for_a_backlog(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], clock: Any
) -> None:
    send(aws, sqs, 3)
    handlers = load(NOVABURST_IMAGES_PER_WORKER="1", NOVABURST_WATCH_SECONDS="0")
    with Client(app_of(handlers)) as client:
        events = client.events
        answers = []
        for function, event in (
            ("on_alarm", events.generate_sns_event("ALARM", subject="backlog")),
            ("on_schedule", events.generate_cw_event("aws.events", "Scheduled", {}, [])),
            ("on_wake", events.generate_sqs_event(['{"v":1}', "not even JSON"])),
        ):
            answers.append(client.lambda_.invoke(function, event).payload)
            # moto launches one instance a call: the others asked for may be there unseen, for so long from its own
            # time of the launch, which is later than this clock's.
            clock.sleep(2 * VIEW_SETTLES.total_seconds())
    assert [len(answer["outcome"]["launched"]) for answer in answers] == [1, 1, 1]
    assert [answer["plan"]["have"] for answer in answers] == [0, 1, 2]


def test_the_alarms_message_is_not_believed_but_checked(load: Callable[..., Any]) -> None:
    with Client(app_of(load())) as client:
        answer = client.lambda_.invoke("on_alarm", client.events.generate_sns_event("5000 messages, hurry")).payload
    assert answer["plan"]["launch"] == 0


def test_lambda_finds_each_function_under_its_handler_string(load: Callable[..., Any]) -> None:
    # Lambda imports scaling_lambda.handlers alone: app.py, which registers the blueprint, is never run there.
    answer = load().on_wake({"Records": []}, None)
    assert answer["plan"]["launch"] == 0


def test_in_lambda_the_clients_are_made_before_the_first_event(load: Callable[..., Any]) -> None:
    assert load().evaluator.cache_info().currsize == 0
    assert load(AWS_LAMBDA_FUNCTION_NAME="novaburst-scaling-prod-on_wake").evaluator.cache_info().currsize == 1


def test_a_wake_up_looks_again_until_anothers_launch_is_seen_whole(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], clock: Any
) -> None:
    send(aws, sqs, 2)
    handlers = load(NOVABURST_IMAGES_PER_WORKER="1")
    with Client(app_of(handlers)) as client:
        event = client.events.generate_sqs_event(['{"v":1}'])
        client.lambda_.invoke("on_wake", event)
        # The launch has moto's time, which is the real one.
        clock.sleep((datetime.now(UTC) - clock.now()).total_seconds())
        if is_turning(clock.now()):
            clock.sleep(VIEW_SETTLES.total_seconds())
        began = clock.now()
        # moto has launched one of two; to this reader the other one may be there unseen.
        answer = client.lambda_.invoke("on_wake", event).payload
    assert len(answer["outcome"]["launched"]) == 1
    assert timedelta(0) < clock.now() - began <= VIEW_SETTLES


def test_a_wake_up_whose_message_sqs_does_not_count_yet_looks_again(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = load()
    sleep = clock.sleep

    def counted_later(seconds: float) -> None:
        sleep(seconds)
        send(aws, sqs, 1)

    monkeypatch.setattr(clock, "sleep", counted_later)
    began = clock.now()
    with Client(app_of(handlers)) as client:
        answer = client.lambda_.invoke("on_wake", client.events.generate_sqs_event(['{"v":1}'])).payload
    assert len(answer["outcome"]["launched"]) == 1
    # Somebody waits for this image.
    assert clock.now() - began <= timedelta(seconds=1)


def test_the_schedule_watches_for_most_of_its_minute_while_there_is_work(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], clock: Any
) -> None:
    send(aws, sqs, 1)
    handlers = load()
    began = clock.now()
    with Client(app_of(handlers)) as client:
        client.lambda_.invoke("on_schedule", client.events.generate_cw_event("aws.events", "Scheduled", {}, []))
    assert 40 <= (clock.now() - began).total_seconds() <= 50


def test_an_evaluation_is_one_json_line_with_what_was_seen_decided_and_done(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    send(aws, sqs, 2)
    load().on_wake({"Records": []}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line.get("message") == "evaluation"]
    assert (line["trigger"], line["fleet"], line["level"]) == ("wake", "novatest", "INFO")
    assert line["observed"]["visible"] == 2
    assert "2 waiting" in line["plan"]["reason"]
    assert len(line["outcome"]["launched"]) == 1


def metrics_in(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def test_an_evaluation_tells_cloudwatch_what_the_fleet_does_and_costs(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    send(aws, sqs, 2)
    # A service of the environment must not become a second dimension, under which no widget would find the values.
    handlers = load(NOVABURST_IMAGES_PER_WORKER="1", POWERTOOLS_SERVICE_NAME="else")
    sent = [int((clock.now().timestamp() - ago) * 1000) for ago in (1.5, 4)]
    handlers.on_wake({"Records": [{"attributes": {"SentTimestamp": str(moment)}} for moment in sent]}, None)
    (line,) = metrics_in(capsys)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"], line["fleet"]) == ("Novaburst", [["fleet"]], "novatest")
    names = {metric["Name"] for metric in directive["Metrics"]}
    values = {name: line[name] for name in names - {"SecondsToLaunch"}}
    assert values == {
        "Backlog": [2],
        "Desired": [2],
        "Pending": [0],
        "Running": [0],
        "Leaving": [0],
        "StandingBy": [0],
        "Launches": [1],
        "Starts": [0],
        "Terminations": [0],
        "SentAway": [0],
        "CapacityErrors": [0],
        "Failures": [0],
        "CostPerHour": [0],
    }
    assert line["SecondsToLaunch"] == [pytest.approx(4, abs=0.01)]


def test_the_schedules_looks_each_tell_cloudwatch_and_leave_nothing_to_the_next_invocation(
    aws: SharedSettings, sqs: Any, load: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    send(aws, sqs, 1)
    handlers = load()
    with Client(app_of(handlers)) as client:
        for _ in range(2):
            client.lambda_.invoke("on_schedule", client.events.generate_cw_event("aws.events", "Scheduled", {}, []))
    lines = metrics_in(capsys)
    assert len(lines) == 22
    assert all(len(line["Running"]) == 1 for line in lines)
    assert [line["Running"][0] for line in lines[:2]] == [0, 1]
    assert not any("SecondsToLaunch" in line for line in lines)


def test_a_failed_evaluation_tells_no_metric(load: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    handlers = load(NOVABURST_PREFIX="not-deployed")
    with pytest.raises(Exception, match="NonExistentQueue"):
        handlers.on_wake({"Records": []}, None)
    assert metrics_in(capsys) == []


def test_a_failed_evaluation_is_logged_with_its_trigger_and_raised_so_that_lambda_counts_it(
    load: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    handlers = load(NOVABURST_PREFIX="not-deployed")
    with pytest.raises(Exception, match="NonExistentQueue"):
        handlers.on_wake({"Records": []}, None)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["level"], line["trigger"], line["fleet"]) == ("ERROR", "wake", "not-deployed")


def test_a_trigger_that_is_switched_off_is_not_deployed(load: Callable[..., Any]) -> None:
    app = app_of(load(NOVABURST_TRIGGERS="schedule"))
    assert [source.name for source in app.event_sources] == ["on_schedule"]


def test_names_and_intervals_come_from_the_settings(load: Callable[..., Any]) -> None:
    alarm, schedule, wake = app_of(load()).event_sources
    assert alarm.topic == "novatest-alarms"
    assert schedule.schedule_expression.to_string() == "rate(1 minute)"
    assert (wake.queue, wake.maximum_batching_window_in_seconds) == ("novatest-wake-queue", 1)


def test_a_wrong_setting_stops_the_deployment_with_its_name(load: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError, match="NOVABURST_MAX_WORKERS"):
        load(NOVABURST_MAX_WORKERS="200")
