"""Two processes of the web tier, three listeners, and a restart in the middle of the results."""

import json
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from tests.e2e.cloud import Cloud, until
from tests.photos import imagenet_photos

IMAGES = 240
# Waited for, never measured.
SECONDS = 240


@pytest.fixture
def three_listeners(cloud: Cloud) -> Iterator[None]:
    """Two more beside the one that runs, with its settings."""
    first = until(lambda: next(iter(cloud.running("web_tier.listener")), None), 60)
    command, environment = [sys.executable, "-m", "web_tier.listener"], first.environ()
    more = [subprocess.Popen(command, env=environment) for _ in range(2)]
    yield
    for listener in more:
        listener.terminate()
        assert listener.wait(60) == 0


class Follower(ABC):
    """A client that follows a batch through restarts; how often it was told that an image is answered, by image."""

    def __init__(self, batch_url: str) -> None:
        self.url = batch_url
        self.told: Counter[str] = Counter()
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def _follow(self) -> None:
        complete = False
        while not complete:
            try:
                complete = self._go_on()
            except requests.RequestException:
                continue

    @abstractmethod
    def _go_on(self) -> bool:
        """Take what is new; whether the batch is complete."""


class Poller(Follower):
    """Asks for what has changed since the last answer."""

    revision = 0

    def _go_on(self) -> bool:
        batch = requests.get(self.url, params={"since": self.revision}, timeout=10).json()
        self.told.update(image["id"] for image in batch["images"] if image["state"] != "pending")
        self.revision = batch["revision"]
        return not (batch["more"] or batch["counts"]["pending"])


class Reader(Follower):
    """Reads the events, and after a break goes on behind the last revision, as browsers do."""

    last: str | None = None

    def _go_on(self) -> bool:
        headers = {} if self.last is None else {"Last-Event-ID": self.last}
        with requests.get(f"{self.url}/events", headers=headers, stream=True, timeout=30) as stream:
            kind = ""
            for line in stream.iter_lines(decode_unicode=True):
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last = value
                elif name == "event":
                    kind = value
                elif name == "data" and kind == "image":
                    image = json.loads(value)
                    self.told.update([image["id"]] * (image["state"] != "pending"))
                elif name == "data" and kind == "end":
                    return True
        return False


@pytest.mark.usefixtures("three_listeners")
def test_each_result_is_seen_once_and_none_is_missed_through_a_restart(cloud: Cloud) -> None:
    # A master and two workers; an earlier test may just have restarted them.
    until(lambda: len(cloud.running("web_tier.gunicorn_config")) >= 3, 60)
    content = imagenet_photos()[1].path.read_bytes()
    files = [("photo", (f"{number}.jpg", content)) for number in range(IMAGES)]
    uploaded = requests.post(f"{cloud.url}/api/v1/upload", files=files, timeout=SECONDS).json()
    batch = f"{cloud.url}{uploaded['url']}"
    poller, reader = Poller(batch), Reader(batch)
    until(lambda: sum(poller.told.values()) >= IMAGES // 10, SECONDS)
    before = sum("web tier      ended" in line for line in cloud.output)
    min(cloud.running("gunicorn"), key=lambda process: process.create_time()).terminate()
    for follower in (poller, reader):
        follower.thread.join(SECONDS)
        assert not follower.thread.is_alive()
    until(lambda: sum("web tier      ended" in line for line in cloud.output) > before, 60)
    expected = dict.fromkeys((image["id"] for image in uploaded["images"]), 1)
    assert len(expected) == IMAGES
    assert poller.told == expected
    # Of images that changed at once only the last one's event has the revision: a break between them repeats some.
    assert reader.told.keys() == expected.keys()
    counts = until(lambda: _counts(batch), 60)
    assert counts == {"total": IMAGES, "done": IMAGES, "failed": 0, "pending": 0}


def _counts(batch: str) -> dict[str, int] | None:
    try:
        counts: dict[str, int] = requests.get(batch, timeout=10).json()["counts"]
    except requests.ConnectionError:
        return None
    return counts
