"""`novaburst plan`: what-if questions, answered by the scaling decision itself, offline."""

import json
import socket
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from novaburst.cli import main
from scaling_lambda.policy import HARD_MAXIMUM


def run(*options: str) -> Any:
    return CliRunner().invoke(main, ["plan", *options])


def plan(*options: str) -> Any:
    result = run(*options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


BURST = ("--visible", "500", "--in-flight", "3", "--pending", "1", "--running", "2")


def test_a_burst_launches_at_once_what_it_needs_beyond_what_boots_and_runs() -> None:
    answer = plan(*BURST, "--images-per-worker", "1")
    assert (answer["want"], answer["have"], answer["launch"]) == (20, 3, 17)
    assert "500 waiting, 3 in flight" in answer["reason"]


def test_the_step_policy_launches_one() -> None:
    assert plan(*BURST, "--policy", "step", "--images-per-worker", "1")["launch"] == 1


def test_what_is_not_given_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_POLICY", "step")
    assert plan(*BURST)["launch"] == 1
    assert plan(*BURST, "--policy", "proportional", "--images-per-worker", "100")["want"] == 6
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "3")
    assert plan(*BURST)["launch"] == 0
    assert plan(*BURST, "--max-workers", "4")["launch"] == 1
    monkeypatch.setenv("NOVABURST_MIN_WORKERS", "2")
    assert plan()["launch"] == 2
    assert plan("--min-workers", "0")["launch"] == 0


def test_delayed_messages_are_work_too() -> None:
    assert plan("--delayed", "1")["launch"] == 1


def test_idle_instances_are_marked_and_never_ended_at_first_sight() -> None:
    answer = plan("--running", "2", "--pending", "1")
    assert [action["instance"] for action in answer["mark"]] == ["running-1", "running-2"]
    assert answer["terminate"] == []


def test_what_stands_by_is_started_before_anything_is_launched() -> None:
    answer = plan("--visible", "5", "--images-per-worker", "1", "--running", "1", "--stopped", "3")
    assert (len(answer["start"]), answer["launch"]) == (3, 1)


def test_a_minimum_stays_warm_while_the_rest_may_go() -> None:
    answer = plan("--running", "3", "--min-workers", "2")
    assert len(answer["keep_warm"]) == 2
    assert len(answer["mark"]) == 1


@given(st.lists(st.integers(0, 5000), min_size=6, max_size=6), st.sampled_from(["proportional", "step"]))
def test_no_question_is_answered_with_more_than_the_hard_maximum(numbers: list[int], policy: str) -> None:
    names = ("--visible", "--in-flight", "--delayed", "--max-workers", "--min-workers", "--pending")
    options = [text for name, n in zip(names, numbers, strict=True) for text in (name, str(n))]
    options[-1] = str(numbers[-1] % 25)
    answer = plan(*options, "--policy", policy, "--images-per-worker", "1")
    assert answer["launch"] == 0 or answer["have"] + answer["launch"] <= HARD_MAXIMUM


def test_people_get_a_table_with_the_reason_and_the_cost() -> None:
    result = run(*BURST, "--images-per-worker", "1")
    assert result.exit_code == 0
    for words in ("launch", "17", "500 waiting", "cost", "USD"):
        assert words in result.stdout


def test_no_network_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert plan(*BURST, "--images-per-worker", "1")["launch"] == 17


@pytest.mark.parametrize(
    "options", [("--visible", "-1"), ("--visible", "many"), ("--images-per-worker", "0"), ("--policy", "wild")]
)
def test_a_question_that_makes_no_sense_is_refused_by_its_option(options: tuple[str, str]) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert options[0] in result.stderr


def test_a_wrong_setting_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "200")
    result = run()
    assert result.exit_code == 1
    assert "NOVABURST_MAX_WORKERS" in result.stderr
