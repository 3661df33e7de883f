"""The client and the command line against the web tier's own API, and the examples of docs/clients.md."""

import hashlib
import json
import os
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError as AwsError
from click.testing import CliRunner
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from novaburst.cli import main
from novaburst.client import Client, ClientError, Journal
from novaburst.client.files import File
from tests.aws.web_tier.conftest import Fleet
from web_tier.deployment import Deployment
from web_tier.feeder import Feeder
from web_tier.references import References
from web_tier.settings import WebSettings
from web_tier.store import Store

GUIDE = Path("docs/clients.md").read_text()
TOKEN = "a token"
CATS = [f"archive/{number:02}.jpg" for number in range(7)]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Served:
    """The address of the web tier, and what plays the listener's part of queueing what was given by reference."""

    url: str
    feeder: Feeder
    stop: threading.Event


@pytest.fixture
def settings(settings: WebSettings) -> WebSettings:
    return settings.model_copy(update={"scale_token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()})


@pytest.fixture
def served(
    app: Flask, working_fleet: Fleet, deployment: Deployment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    monkeypatch.setattr("web_tier.references.PAGE", 3)
    monkeypatch.setattr("web_tier.results._AT_ONCE", 2)
    references = References(store.database, deployment.in_bucket)
    feeder = Feeder(references, store, lambda: deployment.request_queue, deployment.in_bucket.name, lambda: None)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stop = threading.Event()
    try:
        yield Served(f"http://127.0.0.1:{server.server_port}", feeder, stop)
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def feeding(served: Served, deployment: Deployment) -> Iterator[None]:
    for key in CATS:
        deployment.in_bucket.put(key, b"label:tabby")
    thread = threading.Thread(target=_feed, args=(served,))
    thread.start()
    yield
    served.stop.set()
    thread.join()


def _feed(served: Served) -> None:
    while not served.stop.wait(0.05):
        try:
            served.feeder.feed(served.stop)
        except AwsError as error:
            # moto's queues answer 500 now and then when several threads use one.
            if error.response["Error"]["Code"] != "500":
                raise


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    for name in ("cat.jpg", "photos/1.jpg", "photos/2.jpg", "more/3.jpg", "more/deep/4.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"label:tabby")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def test_batches_are_listed_page_by_page_for_the_operator_and_deleted(served: Served, photos: Path) -> None:
    with Client(served.url) as client:
        made = [client.submit([photos / "cat.jpg"]).batch, *(client.open_batch() for _ in range(60))]
        assert {batch.id for batch in client.batches(TOKEN)} == set(made)
        with pytest.raises(ClientError) as refused:
            list(client.batches(None))
        assert refused.value.status == 401
        client.wait(made[0], 60)
        client.delete(made[0])
        with pytest.raises(ClientError) as gone:
            client.batch(made[0])
        assert gone.value.status == 404
        assert made[0] not in {batch.id for batch in client.batches(TOKEN)}


def test_a_batch_that_is_still_being_filled_is_not_taken_for_complete(
    served: Served, deployment: Deployment, photos: Path
) -> None:
    for key in CATS:
        deployment.in_bucket.put(key, b"label:tabby")
    with Client(served.url) as client:
        batch = client.by_reference(bucket=deployment.in_bucket.name, prefix="archive/")
        assert (batch.total, batch.filling, batch.complete) == (3, True, False)
        feeder = threading.Thread(target=_feed, args=(served,))
        feeder.start()
        assert sorted(answer.name for answer in client.iter_results(batch.id)) == [key[8:] for key in CATS]
        assert client.wait(batch.id, 60).done == len(CATS)
        assert len(list(client.results(batch.id))) == len(CATS)
        served.stop.set()
        feeder.join()


def test_keys_that_are_there_and_a_bucket_that_is_not_the_deployments(served: Served, feeding: None) -> None:
    with Client(served.url) as client:
        batch = client.by_reference(keys=CATS[:2])
        assert client.wait(batch.id, 60).done == 2
        with pytest.raises(ClientError) as refused:
            client.by_reference(bucket="elsewhere", prefix="archive/")
        assert refused.value.status == 403


def test_the_command_line_classifies_by_reference(
    served: Served, deployment: Deployment, feeding: None, photos: Path
) -> None:
    prefix = f"s3://{deployment.in_bucket.name}/archive/"
    arguments = ["submit", "--url", served.url, "--by-reference"]
    result = CliRunner().invoke(main, [*arguments, prefix, "--json"])
    assert result.exit_code == 0, result.output
    assert [image["label"] for image in json.loads(result.stdout)["images"]] == ["tabby"] * len(CATS)
    later = CliRunner().invoke(main, [*arguments, prefix, "--no-wait"])
    assert later.exit_code == 0
    assert "novaburst results" in later.stdout
    nothing = CliRunner().invoke(main, [*arguments, f"{prefix}none/"])
    assert nothing.exit_code == 3
    assert "404" in nothing.stderr


def test_a_file_whose_name_is_no_text_is_classified_with_the_others(served: Served, photos: Path) -> None:
    Path(os.fsdecode(b"photos/caf\xe9.jpg")).write_bytes(b"label:tabby")
    result = CliRunner().invoke(main, ["submit", "--url", served.url, "photos", "--csv"])
    assert result.exit_code == 0, result.output
    assert [row.split(",")[:2] for row in sorted(result.stdout.splitlines()[1:])] == [
        ["photos/1.jpg", "tabby"],
        ["photos/2.jpg", "tabby"],
        ["photos/caf\ufffd.jpg", "tabby"],
    ]


def test_a_file_that_is_named_twice_goes_once_and_its_lost_answer_is_asked_for_again(
    served: Served, photos: Path, tmp_path: Path
) -> None:
    named = ["photos/1.jpg", "photos/*.jpg", str(photos / "photos")]
    with Journal(tmp_path / "journal") as journal, Client(served.url) as client:
        _lose_the_answers(client, named, journal)
        submission = client.submit(named, journal=journal)
        assert (submission.taken, client.batch(submission.batch).total) == (2, 2)


def test_a_request_with_a_file_that_can_be_read_no_more_does_not_keep_the_others(
    served: Served, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = File.read

    def read(file: File) -> bytes:
        if file.name == "1.jpg":
            raise PermissionError(None, "no", str(file.path))
        return whole(file)

    with Journal(tmp_path / "journal") as journal, Client(served.url) as client:
        _lose_the_answers(client, ["photos"], journal)
        monkeypatch.setattr(File, "read", read)
        submission = client.submit(["photos"], journal=journal)
        assert (submission.taken, submission.failed) == (1, 1)


def _lose_the_answers(client: Client, named: list[str], journal: Journal) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "answered", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            client.submit(named, journal=journal)


def test_the_guides_python_examples_print_each_files_label(served: Served, photos: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        with redirect_stdout(StringIO()) as said:
            exec(example.replace("http://127.0.0.1:8000", served.url), {})  # noqa: S102 - our own guide
        assert "1.jpg tabby\n" in said.getvalue()


def test_the_guides_commands_do_what_they_say(
    served: Served, feeding: None, deployment: Deployment, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVABURST_URL", served.url)
    commands = [line for line in GUIDE.splitlines() if re.match(r"novaburst (submit|results)", line)]
    assert len(commands) == 5
    batch = ""
    for command in commands:
        words = command.replace("novaburst-in-bucket", deployment.in_bucket.name).replace("BATCH", batch)
        arguments = shlex.split(re.sub(r">\S+", "", words), comments=True)[1:]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, (command, result.output)
        assert "tabby" in result.stdout or "--no-wait" in arguments
        if found := re.search(r"results (\S+) --follow", result.stdout):
            batch = found[1]
