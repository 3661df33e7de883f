"""Whoever follows a batch while its store is lost, or restored from a copy, hears of every answer all the same."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.serving import WSGIRequestHandler, make_server

from novaburst.cli import main
from novaburst.client import Client
from novaburst.contract import Result, result_key
from tests.aws.web_tier.test_events import read
from web_tier.app import create_app
from web_tier.deployment import Deployment
from web_tier.images import Image, State
from web_tier.listener import Listener
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.sweeper import Sweeper
from web_tier.tier import tier_of


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class Machine:
    """A web tier with one batch, its buckets, and the copy of its disk that was made yesterday."""

    def __init__(self, settings: WebSettings, deployment: Deployment, copy: Path) -> None:
        self.settings = settings
        self._deployment = deployment
        self._copy = copy
        self.start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.app(environ, start_response)

    @property
    def store(self) -> Store:
        return tier_of(self.app).store

    def start(self) -> None:
        self.app = create_app(self.settings)

    def stop(self) -> None:
        tier_of(self.app).close()

    def copy(self) -> None:
        self.stop()
        shutil.copy(self.settings.store_path, self._copy)
        self.start()

    def lose(self) -> None:
        for file in self.settings.state_dir.glob("store.sqlite3*"):
            file.unlink()

    def restore(self) -> None:
        self.lose()
        shutil.copy(self._copy, self.settings.store_path)

    def answer(self, image_id: str) -> Result:
        """A worker's answer, in the bucket; its message is not sent yet."""
        result = Result(id=image_id, batch="b", name="cat.jpg", label="cat", score=1, worker="i-1")
        self._deployment.out_bucket.put(result_key(image_id), result.to_json().encode())
        return result

    def rebuild(self) -> None:
        ran = CliRunner().invoke(main, ["rebuild"])
        assert ran.exit_code == 0, ran.output

    def listen_and_sweep(self) -> None:
        listener = Listener(lambda: self._deployment.response_queue, self._deployment.out_bucket, self.store)
        self._deployment.response_queue.send([self.answer("late").to_message()])
        listener.poll(0)
        Sweeper(self._deployment, self.store, lambda: None, clock=lambda: time.time() + 60).sweep()


def lost_and_rebuilt(machine: Machine) -> None:
    machine.lose()
    machine.rebuild()
    machine.start()


def restored_and_rebuilt(machine: Machine) -> None:
    machine.restore()
    machine.rebuild()
    machine.start()


def restored_alone(machine: Machine) -> None:
    machine.restore()
    machine.start()
    machine.listen_and_sweep()


MISHAPS = pytest.mark.parametrize("mishap", [lost_and_rebuilt, restored_and_rebuilt, restored_alone])


@pytest.fixture
def machine(
    settings: WebSettings, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> Iterator[Machine]:
    """`first` was answered yesterday and `second` today; `third` was there yesterday, `late` was not."""
    monkeypatch.setenv("NOVABURST_PREFIX", settings.prefix)
    monkeypatch.setenv("NOVABURST_STATE_DIR", str(settings.state_dir))
    machine = Machine(settings, deployment, tmp_path_factory.mktemp("copy") / "store.sqlite3")
    machine.store.add_batch("b", time.time())
    for image_id in ("first", "second", "third"):
        machine.store.add_image(Image(image_id, "b", "cat.jpg", 5, State.QUEUED, time.time()))
    machine.store.record([machine.answer("first")], time.time())
    machine.copy()
    # A store that counts its changes has to count far beyond those that come after the mishap.
    for number in range(30):
        machine.store.add_batch(f"other-{number}", time.time())
    machine.store.add_image(Image("late", "b", "cat.jpg", 5, State.QUEUED, time.time()))
    machine.store.record([machine.answer("second")], time.time())
    yield machine
    machine.stop()


@pytest.fixture
def url(machine: Machine) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, machine, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def come_back(machine: Machine, mishap: Callable[[Machine], None]) -> None:
    """The web tier ends, the rest is answered, and the web tier is there again with another store."""
    machine.stop()
    for image_id in ("third", "late"):
        machine.answer(image_id)
    mishap(machine)


@MISHAPS
def test_a_client_that_iterates_gets_each_answer_once(
    machine: Machine, url: str, mishap: Callable[[Machine], None]
) -> None:
    with Client(url) as client:
        answers = client.iter_results("b")
        before = [next(answers).id, next(answers).id]
        come_back(machine, mishap)
        assert set(before) == {"first", "second"}
        assert sorted(str(answer.id) for answer in answers) == ["late", "third"]


@MISHAPS
def test_a_stream_that_goes_on_tells_what_was_not_told_before_it_ends(
    machine: Machine, mishap: Callable[[Machine], None]
) -> None:
    seen = machine.app.test_client().get("/api/v1/batches/b").json["revision"]
    come_back(machine, mishap)
    reply = machine.app.test_client().get("/api/v1/batches/b/events", headers={"Last-Event-ID": str(seen)})
    told = read(reply.text)
    assert {"third", "late"} <= {data["id"] for kind, _, data in told if kind == "image" and data["state"] == "done"}
    assert told[-1] == ("end", None, {"reason": "answered"})
