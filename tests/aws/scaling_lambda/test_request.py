"""The function that the web tier's manual trigger invokes."""

from collections.abc import Callable
from typing import Any

import pytest
from chalice.app import Chalice
from chalice.test import Client


@pytest.fixture
def handlers(load: Callable[..., Any]) -> Any:
    return load(NOVABURST_MAX_WORKERS="4")


def test_a_person_gets_workers_without_a_backlog_through_chalices_own_function(handlers: Any) -> None:
    app = Chalice(app_name="novaburst-scaling")
    app.register_blueprint(handlers.blueprint)
    with Client(app) as client:
        answer = client.lambda_.invoke("on_request", {"workers": 3}).payload
    assert (answer["plan"]["want"], answer["plan"]["launch"]) == (3, 3)
    assert answer["outcome"]["launched"]


def test_a_person_cannot_ask_for_more_than_the_maximum(handlers: Any) -> None:
    assert handlers.on_request({"workers": 500, "dry_run": True}, None)["plan"]["launch"] == 4


def test_a_dry_run_changes_nothing(handlers: Any, ec2: Any) -> None:
    answer = handlers.on_request({"workers": 2, "dry_run": True}, None)
    assert answer["plan"]["launch"] == 2
    assert answer["outcome"]["launched"] == []
    assert ec2.describe_instances()["Reservations"] == []


@pytest.mark.parametrize(
    "event",
    [
        {"workers": "3"},
        {"workers": True},
        {"workers": -1},
        {"workers": 2.5},
        {"dry_run": "false"},
        {"dry_run": 0},
        {"dryrun": True},
    ],
)
def test_an_event_that_is_not_understood_launches_nothing(handlers: Any, ec2: Any, event: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be like"):
        handlers.on_request(event, None)
    assert ec2.describe_instances()["Reservations"] == []
