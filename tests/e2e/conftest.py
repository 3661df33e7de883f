"""The system that the end-to-end tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.cloud import Cloud, started


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One local cloud for all tests that leave it as they found it."""
    with started(tmp_path_factory.mktemp("cloud"), "--boot-seconds", "0", "--idle-seconds", "6") as running:
        yield running
