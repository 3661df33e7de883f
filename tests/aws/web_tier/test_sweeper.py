import itertools
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from novaburst.bounds import MESSAGE_RETENTION_SECONDS
from novaburst.contract import Request, Result, result_key
from novaburst.error_codes import ErrorCode
from web_tier.chores import start_chore
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.sweeper import Sweeper

START = 1_000_000.0


class World:
    """Time that passes when the test says so, in seconds, and the wake-ups of the Lambda."""

    def __init__(self) -> None:
        self.now = START
        self.wakes = 0

    def __call__(self) -> float:
        return self.now

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def sweeper(deployment: Deployment, store: Store, world: World) -> Sweeper:
    store.add_batch("b", START)
    return Sweeper(deployment, store, world.wake, clock=world)


@pytest.fixture
def enter(store: Store) -> Callable[[str, State], None]:
    def enter(image_id: str, state: State) -> None:
        store.add_image(Image(image_id, "b", "cat.jpg", 1, state, START))

    return enter


def result(image_id: str) -> bytes:
    return Result(id=image_id, batch="b", name="cat.jpg", label="cat", score=1, worker="i-1").to_json().encode()


def state(store: Store, image_id: str) -> State:
    found = store.image(image_id)
    assert found is not None
    return found.state


def test_what_a_crash_left_stored_and_not_queued_is_queued(
    deployment: Deployment,
    store: Store,
    sweeper: Sweeper,
    world: World,
    enter: Callable[[str, State], None],
) -> None:
    enter("a", State.RECEIVING)
    deployment.in_bucket.put("a", b"jpeg")
    sweeper.sweep()
    assert state(store, "a") is State.RECEIVING
    world.now += 31
    sweeper.sweep()
    sweeper.sweep()
    assert state(store, "a") is State.QUEUED
    [message] = deployment.request_queue.receive(wait_seconds=0)
    assert Request.parse(message.body).key == "a"
    assert world.wakes == 1


def test_an_image_that_never_arrived_is_given_up_only_when_no_put_can_bring_it_any_more(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.RECEIVING)
    world.now += 60
    sweeper.sweep()
    assert state(store, "a") is State.RECEIVING
    world.now += 600
    sweeper.sweep()
    assert state(store, "a") is State.REFUSED
    found = store.image("a")
    assert found is not None
    assert found.failure is not None
    assert found.failure.code == "object_missing"
    assert deployment.request_queue.depth().backlog == 0


def test_a_result_whose_message_was_missed_is_found_in_the_bucket(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.QUEUED)
    enter("b", State.QUEUED)
    deployment.out_bucket.put(result_key("a"), result("a"))
    sweeper.sweep()
    assert state(store, "a") is State.QUEUED
    world.now += 6
    sweeper.sweep()
    assert (state(store, "a"), state(store, "b")) == (State.ANSWERED, State.QUEUED)


def test_many_missed_results_are_found_by_one_listing_among_all_others(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    for number in range(100, 140):
        enter(f"i{number}", State.QUEUED)
    for number in (50, 100, 120, 139, 150):
        deployment.out_bucket.put(result_key(f"i{number}"), result(f"i{number}"))
    world.now += 6
    sweeper.sweep()
    assert {found.id for found in store.latest(50)} == {"i100", "i120", "i139"}


def test_an_image_is_looked_after_less_and_less_often(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.QUEUED)
    world.now += 6
    sweeper.sweep()
    deployment.out_bucket.put(result_key("a"), result("a"))
    world.now += 5
    sweeper.sweep()
    assert state(store, "a") is State.QUEUED
    world.now += 5
    sweeper.sweep()
    assert state(store, "a") is State.ANSWERED


def test_a_sweep_that_fails_is_logged_and_the_next_one_goes_on(
    deployment: Deployment,
    sweeper: Sweeper,
    world: World,
    enter: Callable[[str, State], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    enter("a", State.QUEUED)
    world.now += 6
    boto3.client("s3").delete_bucket(Bucket=deployment.out_bucket.name)
    stop = threading.Event()
    thread = start_chore("sweep", sweeper.sweep, 0.01, stop)
    thread.join(0.5)
    assert thread.is_alive()
    stop.set()
    thread.join(5)
    assert "not finished" in caplog.text or "NoSuchBucket" in caplog.text


def test_a_queued_image_whose_object_and_message_are_gone_is_answered(
    store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.QUEUED)
    world.now += 800
    sweeper.sweep()
    assert state(store, "a") is State.QUEUED
    world.now += 800
    sweeper.sweep()
    found = store.image("a")
    assert found is not None
    assert found.failure is not None
    assert found.failure.code == ErrorCode.OBJECT_MISSING


def test_a_queued_image_that_still_waits_is_left_alone_until_its_message_has_expired(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.QUEUED)
    deployment.in_bucket.put("a", b"jpeg")
    world.now += 3600
    sweeper.sweep()
    assert deployment.request_queue.depth().backlog == 0
    world.now += MESSAGE_RETENTION_SECONDS
    sweeper.sweep()
    [message] = deployment.request_queue.receive(wait_seconds=0)
    assert Request.parse(message.body).id == "a"
    assert world.wakes == 1


def test_an_expired_message_is_sent_anew_once_in_each_time_that_messages_are_kept_whoever_sweeps(
    deployment: Deployment,
    store: Store,
    sweeper: Sweeper,
    world: World,
    settings: WebSettings,
) -> None:
    names = [f"image-{number}" for number in range(5)]
    for name in names:
        store.add_image(Image(name, "b", "cat.jpg", 1, State.QUEUED, START))
        deployment.in_bucket.put(name, b"jpeg")
    before = store.images(names)
    for days in (1, 2):
        world.now += MESSAGE_RETENTION_SECONDS - 24 * 3600
        for _ in range(13):
            world.now += 2 * 3600
            sweeper.sweep()
        with closing(Store(settings.store_path)) as anew:
            Sweeper(deployment, anew, world.wake, clock=world).sweep()
        assert deployment.request_queue.depth().backlog == 5 * days
    # To people nothing has changed.
    assert [(one.received, one.revision) for one in store.images(names).values()] == [
        (one.received, one.revision) for one in before.values()
    ]


def test_an_image_that_was_queued_late_is_not_taken_for_one_whose_message_has_expired(
    deployment: Deployment, sweeper: Sweeper, world: World, enter: Callable[[str, State], None]
) -> None:
    enter("a", State.RECEIVING)
    deployment.in_bucket.put("a", b"jpeg")
    world.now += MESSAGE_RETENTION_SECONDS + 60
    for _ in range(4):
        sweeper.sweep()
        world.now += 3600
    assert deployment.request_queue.depth().backlog == 1


def test_when_a_call_of_sqs_fails_what_the_calls_before_took_is_not_sent_twice(
    deployment: Deployment,
    sweeper: Sweeper,
    world: World,
    enter: Callable[[str, State], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(25):
        enter(f"image-{number:02}", State.QUEUED)
        deployment.in_bucket.put(f"image-{number:02}", b"jpeg")
    client = deployment.request_queue._client
    send, calls = client.send_message_batch, itertools.count(1)

    def fail_once(**arguments: Any) -> Any:
        if next(calls) == 3:
            raise EndpointConnectionError(endpoint_url="sqs")
        return send(**arguments)

    monkeypatch.setattr(client, "send_message_batch", fail_once)
    world.now += MESSAGE_RETENTION_SECONDS + 60
    with pytest.raises(EndpointConnectionError):
        sweeper.sweep()
    assert deployment.request_queue.depth().backlog == 20
    world.now += 3600
    sweeper.sweep()
    assert deployment.request_queue.depth().backlog == 25


def test_what_sqs_does_not_take_is_said_and_comes_again(
    deployment: Deployment,
    store: Store,
    sweeper: Sweeper,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("a", "b", "c"):
        store.add_image(Image(name, "b", "cat.jpg", 1, State.RECEIVING, START))
        deployment.in_bucket.put(name, b"jpeg")
    send = deployment.request_queue.send
    world.now += 31
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment.request_queue, "send", lambda bodies: [*send([bodies[0], bodies[2]]), 1])
        sweeper.sweep()
    assert [state(store, name) for name in ("a", "b", "c")] == [State.QUEUED, State.RECEIVING, State.QUEUED]
    assert "SQS did not take 1 of 3 requests" in caplog.text
    world.now += 120
    sweeper.sweep()
    assert state(store, "b") is State.QUEUED


def test_missed_results_are_asked_for_side_by_side(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"image-{number}" for number in range(16)]
    for name in names:
        store.add_image(Image(name, "b", "cat.jpg", 1, State.QUEUED, START))
        deployment.out_bucket.put(result_key(name), result(name))
    # No object is handed out before four are being asked for.
    asking, get = threading.Barrier(4), deployment.out_bucket.get

    def get_beside_others(key: str, **limits: int) -> bytes:
        asking.wait(60)
        return get(key, **limits)

    monkeypatch.setattr(deployment.out_bucket, "get", get_beside_others)
    world.now += 60
    sweeper.sweep()
    assert {state(store, name) for name in names} == {State.ANSWERED}


def test_where_s3_leaves_some_questions_open_all_others_are_acted_on(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"image-{number:03}" for number in range(90)]
    for name in names[:40]:
        store.add_image(Image(name, "b", "cat.jpg", 1, State.RECEIVING, START))
        deployment.in_bucket.put(name, b"jpeg")
    for name in names[40:]:
        store.add_image(Image(name, "b", "cat.jpg", 1, State.QUEUED, START))
        # It lies in the in-bucket no more: its result alone tells it from one that was lost.
        deployment.out_bucket.put(result_key(name), result(name))
    busy = {"image-007", "image-077.json"}

    def sometimes(call: Callable[..., Any]) -> Callable[..., Any]:
        def ask(**arguments: Any) -> Any:
            if arguments["Key"] in busy:
                raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")
            return call(**arguments)

        return ask

    s3 = deployment.in_bucket._client
    monkeypatch.setattr(s3, "head_object", sometimes(s3.head_object))
    monkeypatch.setattr(s3, "get_object", sometimes(s3.get_object))
    world.now += 1000
    with pytest.raises(ClientError, match="SlowDown"):
        sweeper.sweep()
    assert {name for name in names if state(store, name) is State.RECEIVING} == {"image-007"}
    assert [name for name in names[40:] if state(store, name) is not State.ANSWERED] == ["image-077"]
    assert state(store, "image-077") is State.QUEUED
    busy.clear()
    world.now += 1000
    sweeper.sweep()
    assert state(store, "image-007") is State.QUEUED
    assert state(store, "image-077") is State.ANSWERED


def test_results_are_found_while_the_request_queue_is_away(
    deployment: Deployment,
    store: Store,
    sweeper: Sweeper,
    world: World,
    enter: Callable[[str, State], None],
) -> None:
    enter("a", State.RECEIVING)
    deployment.in_bucket.put("a", b"jpeg")
    enter("b", State.QUEUED)
    deployment.out_bucket.put(result_key("b"), result("b"))
    boto3.client("sqs").delete_queue(QueueUrl=deployment.request_queue.url)
    world.now += 60
    with pytest.raises(ClientError):
        sweeper.sweep()
    assert state(store, "b") is State.ANSWERED


def test_a_sweep_does_not_ask_on_while_s3_is_away(
    deployment: Deployment, store: Store, sweeper: Sweeper, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        store.add_image(Image(f"image-{number}", "b", "cat.jpg", 1, State.RECEIVING, START))
    asked: list[str] = []

    def away(**arguments: Any) -> Any:
        asked.append(arguments["Key"])
        raise EndpointConnectionError(endpoint_url="s3")

    monkeypatch.setattr(deployment.in_bucket._client, "head_object", away)
    world.now += 1000
    with pytest.raises(EndpointConnectionError):
        sweeper.sweep()
    assert len(asked) < 40
    assert store.counts().pending == 200
