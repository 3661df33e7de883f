"""`novaburst dlq` against moto: seen without being taken, and lost at no moment."""

import json
import threading
from typing import Any

import botocore.client
import pytest
from click.testing import CliRunner
from click.testing import Result as Ran

from novaburst import dead_letters
from novaburst.aws import s3_client, sqs_client
from novaburst.bounds import MAX_RESULT_BYTES
from novaburst.cli import main
from novaburst.contract import Request, Result, result_key, utc_now
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings

FUTURE = '{"v":2,"id":"future","batch":"b","where":"elsewhere"}'
RUBBISH = "nobody can read [this]"


class World:
    """The queues and buckets of one deployment."""

    def __init__(self, settings: Settings) -> None:
        self.dead, self.requests, self.responses = (
            Queue(sqs_client(), name)
            for name in (settings.dead_letter_queue, settings.request_queue, settings.response_queue)
        )
        self.in_bucket = Bucket(s3_client(), settings.in_bucket)
        self.out_bucket = Bucket(s3_client(), settings.out_bucket)

    def request(self, image: str) -> str:
        return Request(
            id=image, batch="b", bucket=self.in_bucket.name, key=image, name="cat.jpg", sent=utc_now()
        ).to_message()

    def bury(self, *bodies: str) -> None:
        assert self.dead.send(bodies) == []

    def label(self, image: str) -> None:
        label = Result(id=image, batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
        self.out_bucket.put(result_key(image), label.to_json().encode())

    def answer(self, image: str) -> Result:
        return Result.parse(self.out_bucket.get(result_key(image)))


@pytest.fixture
def world(aws: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("NOVABURST_PREFIX", aws.prefix)
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)
    return World(aws)


def run(*arguments: str, status: int = 0) -> Ran:
    ran = CliRunner(env={"COLUMNS": "250"}).invoke(main, ["dlq", *arguments])
    assert ran.exit_code == status, (ran.output, ran.exception)
    return ran


def bodies(queue: Queue) -> list[str]:
    """All messages of a queue, which may be taken again afterwards."""
    taken = []
    while batch := queue.receive(wait_seconds=0):
        taken += batch
    queue.set_visibility(taken, 0)
    return sorted(message.body for message in taken)


def test_letters_are_listed_with_their_reasons_and_stay_to_be_taken(world: World) -> None:
    world.in_bucket.put("a", b"jpeg")
    letters = [world.request("a"), world.request("gone"), FUTURE, RUBBISH]
    world.bury(*letters)
    rows = {row["image"]: row for row in json.loads(run("list", "--json").stdout)}
    assert sorted(row["body"] for row in rows.values()) == sorted(letters)
    assert [rows[image]["readable"] for image in ("a", "gone", "future", None)] == [True, True, False, False]
    assert "not in the in-bucket" in rows["gone"]["why"]
    assert "v: Input should be 1" in rows["future"]["why"]
    assert rows["a"]["received"] == 1
    assert 0 <= rows["a"]["age_seconds"] < 300
    assert world.dead.depth().visible == 4
    table = run("list").stdout
    for words in ("gone", "future", RUBBISH, "2 times"):
        assert words in table
    assert bodies(world.dead) == sorted(letters)


def test_an_empty_queue_says_so(world: World) -> None:
    assert "nothing" in run("list").stdout
    assert "0 sent back" in run("redrive").stdout


def test_a_page_takes_no_more_than_it_was_told(world: World) -> None:
    world.bury(*(world.request(f"i{number}") for number in range(25)))
    assert len(json.loads(run("list", "--json", "--at-most", "13").stdout)) == 13
    assert len(json.loads(run("list", "--json").stdout)) == 25


def test_what_somebody_else_holds_is_said(world: World) -> None:
    world.bury(world.request("a"))
    world.dead.receive(wait_seconds=0)
    assert "1 more" in run("list").stdout


def test_a_letter_that_is_seen_for_the_first_time_was_received_once(world: World) -> None:
    world.bury(world.request("a"))
    table = run("list").stdout
    assert "1 time" in table
    assert "1 times" not in table


def test_a_dry_run_moves_nothing(world: World) -> None:
    world.in_bucket.put("a", b"jpeg")
    world.bury(world.request("a"), FUTURE)
    assert "send back" in run("redrive", "--dry-run").stdout
    assert "worker_crashed" in run("answer", "--dry-run").stdout
    assert world.dead.depth().visible == 2
    assert world.requests.depth().backlog == 0
    assert list(world.out_bucket.keys()) == []


def test_redriven_requests_are_back_in_the_queue_word_for_word_and_the_rest_stays(world: World) -> None:
    for number in range(23):
        world.in_bucket.put(f"i{number:02}", b"jpeg")
    sent = [world.request(f"i{number:02}") for number in range(23)]
    world.bury(*sent, world.request("gone"), FUTURE)
    out = run("redrive", status=1).stdout
    assert "23 sent back" in out
    assert "2 left" in out
    assert bodies(world.requests) == sorted(sent)
    assert len(bodies(world.dead)) == 2


def test_what_has_its_label_is_told_again_and_not_redriven(world: World) -> None:
    world.in_bucket.put("a", b"jpeg")
    world.label("a")
    world.bury(world.request("a"))
    assert "1 told" in run("redrive").stdout
    assert world.requests.depth().backlog == world.dead.depth().backlog == 0
    [notice] = bodies(world.responses)
    assert Result.parse(notice).label == "cat"


def test_an_answer_that_is_far_too_long_is_not_read_and_not_overwritten(world: World) -> None:
    world.in_bucket.put("a", b"jpeg")
    long = Result(id="a", batch="b", name="x" * MAX_RESULT_BYTES, label="cat", score=1, worker="i-1")
    world.out_bucket.put(result_key("a"), long.to_json().encode())
    world.bury(world.request("a"))
    assert "its answer is there and cannot be read" in run("answer", "--dry-run").stdout.replace("\n", " ")
    assert f"the limit is {MAX_RESULT_BYTES}" in json.loads(run("list", "--json").stdout)[0]["why"]


def test_answered_letters_leave_a_result_and_a_notice_and_only_what_has_no_id_stays(world: World) -> None:
    world.in_bucket.put("a", b"jpeg")
    world.label("labelled")
    world.bury(world.request("a"), world.request("gone"), world.request("labelled"), FUTURE, RUBBISH)
    out = run("answer", "--detail", "the AMI was broken", status=1).stdout
    assert "3 answered, 1 told" in out
    assert bodies(world.dead) == [RUBBISH]
    codes = {
        image: (error := world.answer(image).error) and error.code for image in ("a", "gone", "future", "labelled")
    }
    assert codes == {
        "a": "worker_crashed",
        "gone": "object_missing",
        "future": "internal_error",
        "labelled": None,
    }
    notices = [Result.parse(body) for body in bodies(world.responses)]
    assert {notice.id for notice in notices} == set(codes)
    assert {notice.error.detail for notice in notices if notice.error} == {"the AMI was broken"}


def test_a_deployment_that_is_not_there_is_one_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "nowhere")
    ran = run("list", status=1)
    assert "prefix nowhere" in ran.stderr
    assert ran.stderr.count("\n") <= 3


def test_without_a_region_the_variable_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "AWS_DEFAULT_REGION" in run("list", status=1).stderr


def test_what_sqs_does_not_take_stays_among_the_dead_letters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for image in ("a", "b"):
        world.in_bucket.put(image, b"jpeg")
    world.bury(world.request("a"), world.request("b"))
    monkeypatch.setattr(Queue, "send", lambda queue, bodies: [0])
    assert "1 sent back" in run("redrive", status=1).stdout
    assert world.dead.depth().visible == 1


class Killed(BaseException):
    """The process is gone: nothing in it runs any more."""


class Killer:
    """Ends the command before its `at`-th call to AWS, so after the effect of the one before, as SIGKILL would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.at = 0, 0
        self._lock = threading.Lock()
        make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def call(client: Any, operation: str, parameters: Any) -> Any:
            with self._lock:
                self.calls += 1
                number = self.calls
            if self.at and number >= self.at:
                raise Killed
            return make(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def kill(self, command: str, at: int) -> bool:
        """Whether the command was killed before its end."""
        self.calls, self.at = 0, at
        try:
            CliRunner().invoke(main, ["dlq", command])
        except Killed:
            return True
        finally:
            self.at = 0
        return False


@pytest.mark.parametrize("command", ["redrive", "answer"])
def test_no_letter_is_lost_at_whichever_call_the_command_is_killed(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # What was taken is there again at once, as it would be later.
    monkeypatch.setattr(dead_letters, "HIDE_SECONDS", 0)
    killer = Killer(monkeypatch)
    images = ("a", "b", "labelled")
    for image in images:
        world.in_bucket.put(image, b"jpeg")
    killed_at = 0
    while True:
        for queue in (world.dead, world.requests, world.responses):
            while messages := queue.receive(wait_seconds=0):
                queue.delete(messages)
        world.out_bucket.delete([result_key(image) for image in images])
        world.label("labelled")
        world.bury(*map(world.request, images))
        if not killer.kill(command, killed_at + 1):
            break
        killed_at += 1
        there = {Request.parse(body).id for queue in (world.dead, world.requests) for body in bodies(queue)}
        answered = {image for image in images if world.out_bucket.exists(result_key(image))}
        assert there | answered == set(images), f"lost at call {killed_at}"
        run(command)
        assert bodies(world.dead) == []
        if command == "answer":
            assert {Result.parse(body).id for body in bodies(world.responses)} == set(images)
        else:
            assert {Request.parse(body).id for body in bodies(world.requests)} == {"a", "b"}
        assert world.answer("labelled").label == "cat"
    assert killed_at >= 10
