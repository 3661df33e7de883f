"""The three triggers as Chalice runs them, each an occasion for the same evaluation."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from chalice.app import Chalice
from chalice.test import Client

from novaburst.settings import Settings as SharedSettings
from scaling_lambda.settings import SettingsError


@pytest.fixture
def load(aws: SharedSettings, ec2: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Import the handlers as Lambda does with this environment."""

    def loaded(**environment: str) -> ModuleType:
        monkeypatch.setenv("NOVABURST_PREFIX", aws.prefix)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("scaling_lambda.handlers", None)
        handlers = importlib.import_module("scaling_lambda.handlers")
        monkeypatch.setattr(handlers, "clock", clock)
        # The logger outlives the module, and holds the closed standard output of an earlier test.
        handlers.log.registered_handler.stream = sys.stdout
        return handlers

    yield loaded
    sys.modules.pop("scaling_lambda.handlers", None)


def app_of(handlers: Any) -> Chalice:
    app = Chalice(app_name="novaburst-scaling")
    app.register_blueprint(handlers.blueprint)
    return app


def send(aws: SharedSettings, sqs: Any, count: int) -> None:
    url = sqs.get_queue_url(QueueName=aws.request_queue)["QueueUrl"]
    for _ in range(count):
        sqs.send_message(QueueUrl=url, MessageBody="{}")


def test_each_trigger_starts_workers_for_a_backlog(aws: SharedSettings, sqs: Any, load: Callable[..., Any]) -> None:
    send(aws, sqs, 3)
    handlers = load(NOVABURST_IMAGES_PER_WORKER="1", NOVABURST_WATCH_SECONDS="0")
    with Client(app_of(handlers)) as client:
        events = client.events
        answers = [
            client.lambda_.invoke("on_alarm", events.generate_sns_event("ALARM", subject="backlog")).payload,
            client.lambda_.invoke("on_schedule", events.generate_cw_event("aws.events", "Scheduled", {}, [])).payload,
            client.lambda_.invoke("on_wake", events.generate_sqs_event(['{"v":1}', "not even JSON"])).payload,
        ]
    # moto launches one instance a call; each of the three sees what the one before it has done.
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
    (line,) = [line for line in lines if line["message"] == "evaluation"]
    assert (line["trigger"], line["fleet"], line["level"]) == ("wake", "novatest", "INFO")
    assert line["observed"]["visible"] == 2
    assert "2 waiting" in line["plan"]["reason"]
    assert len(line["outcome"]["launched"]) == 1


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
