"""The worker as a process: its exit status is what the machine acts on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from novaburst.contract import Request, Result, new_id, result_key, utc_now
from novaburst.settings import Settings
from tests.photos import larger_photos
from tests.poisoned import FOLDER as POISON_FOLDER
from tests.poisoned import poison
from tests.unit.worker_ami.baked import FOLDER, baked_model
from tests.unit.worker_ami.metadata import INSTANCE, MetadataService

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def metadata() -> Iterator[MetadataService]:
    """The metadata service of the worker's instance."""
    with MetadataService() as service:
        thread = Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture
def environment(metadata: MetadataService) -> Iterator[dict[str, str]]:
    """A deployment behind real sockets, and the environment of a worker on one of its instances."""
    baked_model()
    settings = Settings.load(prefix="novatest")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3, sqs = boto3.client("s3", endpoint_url=endpoint), boto3.client("sqs", endpoint_url=endpoint)
    for bucket in (settings.in_bucket, settings.out_bucket):
        s3.create_bucket(Bucket=bucket)
    for queue in (settings.request_queue, settings.response_queue):
        sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "2"})
    yield {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        # One thread that deletes: of two at once moto, without the mends of local_cloud, may lose one.
        "NOVABURST_THREADS": "1",
        **metadata.environment,
        "NOVABURST_PREFIX": settings.prefix,
        "NOVABURST_MODEL_DIR": str(FOLDER),
        "NOVABURST_POLL_SECONDS": "1",
        "NOVABURST_VISIBILITY_SECONDS": "2",
        "NOVABURST_HEARTBEAT_SECONDS": "1",
    }
    server.stop()


def start(environment: dict[str, str], **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "worker_ami.worker"],
        env=environment | more,
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(worker: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and the log of a worker that ends by itself."""
    _, log = worker.communicate(timeout=30)
    lines = [line for line in log.splitlines() if line.startswith("{")]
    return worker.returncode, [json.loads(line) for line in lines]


def test_an_idle_worker_says_finished_with_status_zero(environment: dict[str, str]) -> None:
    status, log = end(start(environment, NOVABURST_IDLE_SECONDS="1"))
    assert status == 0
    assert log[-1]["message"] == "finished"
    assert {line["instance"] for line in log} == {INSTANCE}


def test_a_worker_that_was_not_the_first_of_its_launch_stays_idle_for_a_sixth_of_the_time(
    environment: dict[str, str], metadata: MetadataService
) -> None:
    metadata.notices["ami-launch-index"] = "3"
    status, log = end(start(environment, NOVABURST_IDLE_SECONDS="18"))
    assert status == 0
    [idle] = [int(line["message"].split()[2]) for line in log if line["message"].startswith("idle for ")]
    # A busy machine sees it late, but not as late as by the whole time.
    assert 3 <= idle < 9


def test_a_worker_told_to_stop_ends_within_its_grace_with_status_zero(environment: dict[str, str]) -> None:
    worker = start(environment, NOVABURST_IDLE_SECONDS="600")
    assert worker.stderr is not None
    assert "ready" in worker.stderr.readline()
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    status, log = end(worker)
    assert status == 0
    assert time.monotonic() - began < 5
    assert log[0]["message"] == "SIGTERM: stopping"


def test_a_worker_whose_unit_gives_it_a_port_and_a_log_folder_uses_both(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ask(environment, [larger_photos()["daisy"].read_bytes(), b""])
    more = {"NOVABURST_STATUS_PORT": str(port), "LOGS_DIRECTORY": str(tmp_path), "NOVABURST_IDLE_SECONDS": "600"}
    worker = start(environment, **more)
    assert worker.stderr is not None
    lines: list[str] = []
    while sum('"answered"' in line for line in lines) < 2:
        lines.append(worker.stderr.readline())
    state = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).json()
    worker.send_signal(signal.SIGTERM)
    status, log = end(worker)
    assert status == 0
    assert (state["model"], state["instance"]) == ("efficientnet_lite0", INSTANCE)
    assert (state["processed"], state["errors"]) == (2, {"empty_file": 1})
    assert state.keys() >= {"version", "engine", "held", "idle_seconds"}
    (metrics,) = (line for line in log if line["message"] == "metrics")
    assert (metrics["Images"], metrics["Errors.empty_file"]) == (2, 1)
    kept = [json.loads(line) for line in (tmp_path / "worker.log").read_text().splitlines()]
    assert kept == [json.loads(line) for line in lines] + log


def test_a_worker_whose_spot_instance_is_taken_away_ends_with_status_zero(
    environment: dict[str, str], metadata: MetadataService
) -> None:
    metadata.notices = {"spot/instance-action": '{"action": "terminate", "time": "2026-11-25T12:00:00Z"}'}
    status, log = end(start(environment, NOVABURST_IDLE_SECONDS="600"))
    assert status == 0
    assert "spot/instance-action" in log[1]["message"]


def ask(environment: dict[str, str], contents: list[bytes]) -> list[str]:
    """Store and queue images as a client would; their ids."""
    endpoint = environment["AWS_ENDPOINT_URL"]
    s3, sqs = boto3.client("s3", endpoint_url=endpoint), boto3.client("sqs", endpoint_url=endpoint)
    settings = Settings.load(prefix=environment["NOVABURST_PREFIX"])
    url = sqs.get_queue_url(QueueName=settings.request_queue)["QueueUrl"]
    ids = []
    for content in contents:
        image_id = new_id()
        s3.put_object(Bucket=settings.in_bucket, Key=image_id, Body=content)
        request = Request(id=image_id, batch="b", bucket=settings.in_bucket, key=image_id, name="n", sent=utc_now())
        sqs.send_message(QueueUrl=url, MessageBody=request.to_message())
        ids.append(image_id)
    return ids


def answer(environment: dict[str, str], image_id: str) -> str | None:
    """The label of an image, or the code of its error."""
    settings = Settings.load(prefix=environment["NOVABURST_PREFIX"])
    s3 = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    stored = s3.get_object(Bucket=settings.out_bucket, Key=result_key(image_id))
    result = Result.parse(stored["Body"].read())
    return result.error.code if result.error else result.label


def test_an_image_that_aborts_its_worker_is_answered_at_its_second_delivery_and_harms_no_other(
    environment: dict[str, str],
) -> None:
    environment |= {"PYTHONPATH": str(POISON_FOLDER), "NOVABURST_IDLE_SECONDS": "4"}
    daisy = larger_photos()["daisy"].read_bytes()
    ids = ask(environment, [daisy, daisy, poison("abort"), daisy, daisy, daisy])
    crashed, first_log = end(start(environment))
    assert crashed == -signal.SIGABRT
    status, second_log = end(start(environment))
    assert status == 0
    assert [answer(environment, image_id) for image_id in ids] == [*["daisy"] * 2, "worker_crashed", *["daisy"] * 3]
    deliveries = {line["image"]: line["deliveries"] for line in first_log + second_log if "deliveries" in line}
    assert deliveries[ids[2]] == 2
    assert max(deliveries.values()) == 2


def test_an_image_that_hangs_is_given_up_and_then_answered_at_its_second_delivery(environment: dict[str, str]) -> None:
    environment |= {"PYTHONPATH": str(POISON_FOLDER), "NOVABURST_IDLE_SECONDS": "3", "NOVABURST_IMAGE_SECONDS": "1"}
    (image_id,) = ask(environment, [poison("hang")])
    status, log = end(start(environment, NOVABURST_GRACE_SECONDS="1"))
    assert status == 1
    assert "computed for more than 1 s" in log[-1]["traceback"]
    status, log = end(start(environment))
    assert status == 0
    assert answer(environment, image_id) == "worker_crashed"
    assert {line["deliveries"] for line in log if "deliveries" in line} == {2}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NOVABURST_IDLE_SECONDS", "soon", "NOVABURST_IDLE_SECONDS"),
        ("AWS_DEFAULT_REGION", "", "AWS_DEFAULT_REGION"),
        ("NOVABURST_MODEL_DIR", "/nonexistent", "is not a model folder"),
        ("NOVABURST_PREFIX", "nobody", "QueueDoesNotExist"),
    ],
)
def test_a_worker_that_cannot_start_says_why_and_fails(
    environment: dict[str, str], variable: str, value: str, said: str
) -> None:
    status, log = end(start(environment, **{variable: value}))
    assert status == 1
    assert log[-1]["level"] == "CRITICAL"
    assert said in json.dumps(log[-1])
