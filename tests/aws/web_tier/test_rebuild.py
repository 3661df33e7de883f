"""The store made anew from the buckets: lost, damaged, or from yesterday's disk."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.client
import pytest
from click.testing import CliRunner
from click.testing import Result as Ran

from novaburst.cli import main
from novaburst.contract import Request, Result, new_id, result_key
from web_tier.attempts import derived_id
from web_tier.batches import Batches
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.listener import Listener
from web_tier.rebuild import moment_of
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.sweeper import Sweeper


@pytest.fixture(autouse=True)
def _environment(settings: WebSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", settings.prefix)
    monkeypatch.setenv("NOVABURST_STATE_DIR", str(settings.state_dir))


def run(*arguments: str, status: int = 0) -> Ran:
    ran = CliRunner().invoke(main, ["rebuild", *arguments])
    assert ran.exit_code == status, (ran.output, ran.exception)
    return ran


def answer(deployment: Deployment, image: str, batch: str = "b") -> Result:
    result = Result(id=image, batch=batch, name="猫.jpg", label="cat", score=1, worker="i-1")
    deployment.out_bucket.put(result_key(image), result.to_json().encode())
    return result


def upload(deployment: Deployment, image: str, **metadata: str) -> None:
    deployment.in_bucket.put(image, b"four", metadata=metadata)


def lose(settings: WebSettings) -> None:
    for file in settings.state_dir.glob("store.sqlite3*"):
        file.unlink()


def contents(settings: WebSettings) -> dict[str, Image]:
    with closing(Store(settings.store_path)) as store:
        return {image.id: image for batch in ("b", "c") for image in store.all_of(batch)}


def test_a_lost_store_comes_back_with_names_batches_times_and_sizes(
    settings: WebSettings, deployment: Deployment
) -> None:
    done, waiting = new_id(), new_id()
    upload(deployment, done, name="%E7%8C%AB.jpg", batch="b")
    upload(deployment, waiting, name="%E7%8C%AB%20.png", batch="c")
    result = answer(deployment, done)
    assert "1 results entered, 1 images to be queued again, 0 results not readable, 0 uploads" in run().stdout
    images = contents(settings)
    assert (images[done].state, images[done].result, images[done].name) == (State.ANSWERED, result, "猫.jpg")
    assert (images[done].size, images[done].batch) == (4, "b")
    assert images[done].received == moment_of(done)
    assert (images[waiting].state, images[waiting].name, images[waiting].size) == (State.RECEIVING, "猫 .png", 4)
    assert "0 results entered, 0 images" in run().stdout


def test_what_waits_is_queued_and_answered_like_any_other(settings: WebSettings, deployment: Deployment) -> None:
    waiting = new_id()
    upload(deployment, waiting, name="cat.jpg", batch="b")
    run()
    with closing(Store(settings.store_path)) as store:
        Sweeper(deployment, store, lambda: None, clock=lambda: time.time() + 60).sweep()
        [message] = deployment.request_queue.receive(wait_seconds=0)
        assert Request.parse(message.body).batch == "b"
        deployment.response_queue.send([answer(deployment, waiting).to_message()])
        Listener(lambda: deployment.response_queue, deployment.out_bucket, store).poll(0)
        assert store.counts("b").done == 1


def test_an_upload_of_days_ago_has_its_own_time_again_and_is_queued_once(
    settings: WebSettings, deployment: Deployment
) -> None:
    now = time.time()
    uploaded = round(now) - 5 * 86_400.0
    upload(deployment, waiting := derived_id(uploaded, 0, "key"), name="cat.jpg", batch="b")
    run()
    assert contents(settings)[waiting].received == uploaded
    with closing(Store(settings.store_path)) as store:
        for hours in range(4):
            Sweeper(deployment, store, lambda: None, clock=lambda: now + 3600 * hours).sweep()  # noqa: B023 # at once
    assert deployment.request_queue.depth().backlog == 1


def test_a_store_from_yesterday_keeps_what_it_has_and_gets_what_came_since(
    settings: WebSettings, deployment: Deployment, tmp_path: Path
) -> None:
    old, pending, late = new_id(), new_id(), new_id()
    with closing(Store(settings.store_path)) as store:
        store.add_batch("b", 5.0)
        store.add_image(Image(old, "b", "old.jpg", 7, State.QUEUED, 5.0))
        store.add_image(Image(pending, "b", "pending.jpg", 7, State.QUEUED, 5.0))
        store.record([answer(deployment, old)], 6.0)
    before = contents(settings)[old]
    answer(deployment, pending)
    answer(deployment, late, "c")
    assert "2 results entered" in run().stdout
    images = contents(settings)
    assert images[old] == before
    assert (images[pending].state, images[pending].received) == (State.ANSWERED, 5.0)
    assert images[late].batch == "c"


def test_a_batch_that_was_deleted_stays_so(settings: WebSettings, deployment: Deployment) -> None:
    gone, waiting = new_id(), new_id()
    answer(deployment, gone)
    upload(deployment, waiting, batch="b")
    with closing(Store(settings.store_path)) as store:
        store.add_batch("b", 1.0)
        Batches(store.database, deployment.in_bucket, deployment.out_bucket).delete("b")
    assert "0 results entered, 0 images" in run().stdout
    assert contents(settings) == {}


def test_objects_that_are_no_uploads_or_name_no_batch_are_left_alone(
    settings: WebSettings, deployment: Deployment
) -> None:
    upload(deployment, "archive/cat.jpg", batch="b")
    upload(deployment, str(uuid4()))
    upload(deployment, str(uuid4()), batch="../etc")
    deployment.out_bucket.put("notes.txt", b"hello")
    deployment.out_bucket.put("some notes.json", b"{}")
    assert "0 images to be queued again, 0 results not readable, 2 uploads of no known batch" in run().stdout


def test_a_result_of_a_later_version_is_said_and_does_not_hide_the_others(
    settings: WebSettings, deployment: Deployment
) -> None:
    future, good = new_id(), new_id()
    deployment.out_bucket.put(result_key(future), b'{"v":2}')
    answer(deployment, good)
    assert "1 results entered, 0 images to be queued again, 1 results not readable" in run(status=1).stdout
    assert set(contents(settings)) == {good}


def test_a_damaged_store_is_set_aside_and_made_anew(settings: WebSettings, deployment: Deployment) -> None:
    image = new_id()
    answer(deployment, image)
    settings.store_path.write_bytes(b"this is no database at all" * 100)
    assert "would be set aside" in run("--dry-run").stderr
    assert settings.store_path.read_bytes().startswith(b"this is no")
    assert "set aside as" in run().stderr
    assert set(contents(settings)) == {image}
    [aside] = settings.state_dir.glob("store.sqlite3.damaged-*")
    assert aside.read_bytes().startswith(b"this is no")


def test_a_dry_run_counts_the_same_and_writes_nothing(settings: WebSettings, deployment: Deployment) -> None:
    answer(deployment, new_id())
    upload(deployment, new_id(), batch="b")
    words = "1 results entered, 1 images to be queued again"
    assert words in run("--dry-run").stdout
    assert not settings.store_path.exists()
    Store(settings.store_path).close()
    assert words in run("--dry-run").stdout
    assert contents(settings) == {}
    assert words in run().stdout


def test_more_than_a_page_comes_back_whole(settings: WebSettings, deployment: Deployment, monkeypatch: Any) -> None:
    monkeypatch.setattr("web_tier.rebuild._PAGE", 10)
    for _ in range(25):
        answer(deployment, new_id())
        upload(deployment, new_id(), batch="c")
    assert "25 results entered, 25 images to be queued again" in run().stdout
    assert len(contents(settings)) == 50


def test_an_id_that_tells_no_time_has_its_results_time(settings: WebSettings, deployment: Deployment) -> None:
    image = str(uuid4())
    answer(deployment, image)
    run()
    [found] = contents(settings).values()
    assert time.time() - 600 < found.received <= time.time()
    assert found.received == found.answered


class Killed(BaseException):
    """The process is gone."""


def test_killed_at_any_call_to_aws_and_repeated_it_ends_with_everything(
    settings: WebSettings, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [new_id() for _ in range(4)]
    for image in images[:2]:
        answer(deployment, image)
    for image in images[2:]:
        upload(deployment, image, batch="c")
    make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    left = 0

    def call(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return make(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        for calls in range(7):
            left = calls
            lose(settings)
            try:
                CliRunner().invoke(main, ["rebuild"])
            except Killed:
                left = 1000
                run()
            assert set(contents(settings)) == set(images), f"killed at call {calls + 1}"


def test_a_bucket_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "nowhere")
    assert "NoSuchBucket" in run(status=1).stderr


def test_root_makes_no_file_that_the_web_tier_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert "call this as that user" in run(status=1).stderr
