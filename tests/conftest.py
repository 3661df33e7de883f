"""What all tests share: no real AWS can ever be reached from them."""

import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

from scaling_lambda.fleet import VIEW_SETTLES
from scaling_lambda.tokens import is_turning

# How long an example takes is the machine's business: several tests run side by side, and others beside them.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# The folders whose files take minutes, not seconds: what begins last should be short where several run side by side.
_LONGEST = ("tests/aws/worker_ami", "tests/browser", "tests/aws/local_cloud")
# The folders in which the deployed Lambda launches, by the clock on the wall.
_LAUNCHING = ("tests/e2e", "tests/fleet", "tests/faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest; within a file the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


@pytest.fixture(autouse=True)
def _no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "NOVABURST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(autouse=True)
def _not_while_nothing_may_be_launched(request: pytest.FixtureRequest) -> None:
    """Whoever expects a launch soon begins when the hour of the client tokens does not turn just then."""
    if request.node.nodeid.startswith(_LAUNCHING):
        while any(is_turning(datetime.now(UTC) + soon * VIEW_SETTLES) for soon in range(3)):
            time.sleep(1)


@pytest.fixture(autouse=True)
def _one_process_many_files() -> Iterator[None]:
    """What a test may change for its whole process is put back, so that no test depends on which one ran before it."""
    limit, folder, root = Image.MAX_IMAGE_PIXELS, Path.cwd(), logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    Image.MAX_IMAGE_PIXELS = limit
    os.chdir(folder)
    root.setLevel(level)
    root.handlers[:] = handlers
