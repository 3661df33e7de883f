"""What the worker's tests share: the real model, and a metadata service."""

from collections.abc import Iterator
from threading import Thread

import pytest

from tests.unit.worker_ami.baked import baked_model
from tests.unit.worker_ami.metadata import MetadataService
from worker_ami.worker.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    """EfficientNet-Lite0, as it was baked."""
    return baked_model()


@pytest.fixture
def service() -> Iterator[MetadataService]:
    """An instance's metadata service."""
    with MetadataService() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
