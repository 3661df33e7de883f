"""What the worker's tests share: the real model."""

import pytest

from tests.unit.worker_ami.baked import baked_model
from worker_ami.worker.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    """EfficientNet-Lite0, as it was baked."""
    return baked_model()
