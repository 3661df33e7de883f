import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import boto3
import pytest

from novaburst.contract import Guess, Result, result_key
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.listener import Listener
from web_tier.settings import WebSettings
from web_tier.store import Store


def label(image_id: str, text: str = "cat") -> Result:
    return Result(id=image_id, batch="b", name="cat.jpg", label=text, score=1, worker="i-1")


def depth(deployment: Deployment) -> int:
    return deployment.response_queue.depth().backlog


def test_results_are_entered_once_and_their_messages_deleted(
    deployment: Deployment, store: Store, listener: Listener
) -> None:
    store.add_batch("b", 1.0)
    for number in range(12):
        store.add_image(Image(str(number), "b", "cat.jpg", 1, State.QUEUED, 1.0))
    bodies = [label(str(number)).to_message() for number in range(12)]
    deployment.response_queue.send([*bodies, bodies[0]])
    news = 0
    while depth(deployment):
        news += listener.poll(0)
    assert news == 12
    assert store.counts("b").done == 12


def test_a_bad_message_is_dropped_and_the_good_ones_beside_it_are_taken(
    deployment: Deployment, store: Store, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    deployment.response_queue.send(["not json", '{"v":2}', label("a").to_message()])
    while depth(deployment):
        listener.poll(0)
    assert store.counts().done == 1
    assert caplog.text.count("is dropped") == 2


def test_a_result_that_was_cut_is_fetched_whole(deployment: Deployment, store: Store, listener: Listener) -> None:
    whole = Result(
        id="a",
        batch="b",
        name="猫" * 255,
        label="l" * 400,
        score=1,
        top5=(Guess(label="l" * 400, score=1),),
        worker="i-1",
    )
    deployment.out_bucket.put(result_key("a"), whole.to_json().encode())
    assert Result.parse(whole.to_message()).cut
    deployment.response_queue.send([whole.to_message()])
    listener.poll(0)
    found = store.image("a")
    assert found is not None
    assert found.result == whole


def test_a_cut_result_without_its_object_is_better_than_none(
    deployment: Deployment, store: Store, listener: Listener
) -> None:
    deployment.response_queue.send([label("a", "l" * 1000).to_message()])
    listener.poll(0)
    assert store.counts().done == 1


def test_messages_stay_in_the_queue_when_the_store_fails(
    deployment: Deployment, store: Store, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.response_queue.send([label("a").to_message()])

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "record", full)
    with pytest.raises(sqlite3.OperationalError):
        listener.poll(0)
    assert depth(deployment) == 1


def test_a_failing_queue_is_waited_out_until_the_stop(
    deployment: Deployment, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=deployment.response_queue.url)
    stop = threading.Event()
    thread = threading.Thread(target=listener.listen, args=(stop,))
    thread.start()
    while "next try" not in caplog.text:
        thread.join(0.01)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_several_listeners_share_the_queue_and_none_misses_a_result(
    deployment: Deployment, store: Store, settings: WebSettings
) -> None:
    deployment.response_queue.send([label(f"i{number}").to_message() for number in range(60)])
    news: list[int] = []

    def listen() -> None:
        own = Store(settings.store_path)
        one = Listener(lambda: deployment.response_queue, deployment.out_bucket, own)
        news.append(sum(one.poll(0) for _ in range(6)))
        own.close()

    threads = [threading.Thread(target=listen) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(news) == 60
    assert store.counts().done == 60


def test_others_receive_while_results_are_entered(
    deployment: Deployment, store: Store, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.response_queue.send([label(f"i{number}").to_message() for number in range(60)])
    # Nobody gets on until three have some.
    entering, three, record = threading.Semaphore(2), threading.Event(), store.record

    def recording(results: Iterable[Result], now: float) -> int:
        if not entering.acquire(blocking=False):
            three.set()
        assert three.wait(60)
        return record(results, now)

    monkeypatch.setattr(store, "record", recording)
    stop = threading.Event()
    thread = threading.Thread(target=listener.listen, args=(stop,))
    thread.start()
    while store.counts().done < 60 and thread.is_alive():
        thread.join(0.01)
    stop.set()
    thread.join(30)
    assert store.counts().done == 60


def test_a_fault_that_was_not_foreseen_ends_the_listener(
    deployment: Deployment, store: Store, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.response_queue.send([label("a").to_message()])

    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "record", broken)
    with pytest.raises(ZeroDivisionError):
        listener.listen(threading.Event())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_with_status_0_on_a_signal_even_without_aws(tmp_path: Path, number: signal.Signals) -> None:
    environment = os.environ | {"NOVABURST_STATE_DIR": str(tmp_path), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with subprocess.Popen(
        [sys.executable, "-m", "web_tier.listener"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening to" in line:
                break
        process.send_signal(number)
        assert process.wait(30) == 0


def test_the_process_does_not_start_without_a_region(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AWS_DEFAULT_REGION"}
    finished = subprocess.run(
        [sys.executable, "-m", "web_tier.listener"],
        env=environment | {"NOVABURST_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "AWS_DEFAULT_REGION" in finished.stderr
