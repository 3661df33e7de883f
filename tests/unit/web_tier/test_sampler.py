import threading
from pathlib import Path

import pytest

from scaling_lambda.observe import ObservationError
from web_tier.history import History
from web_tier.sampler import Sampler
from web_tier.store import Store


@pytest.mark.parametrize("error", [ObservationError("no counts"), KeyError("Attributes")])
def test_a_sample_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("web_tier.sampler._BUSY_SECONDS", 0.01)
    monkeypatch.setattr("web_tier.sampler._QUIET_SECONDS", 0.0)
    asked = threading.Semaphore(0)

    def fleet() -> None:
        asked.release()
        raise error

    store = Store(tmp_path / "store.sqlite3")
    sampler = Sampler(fleet, store, History(store.database))  # type: ignore[arg-type]
    sampler.start()
    assert all(asked.acquire(timeout=10) for _ in range(3))
    sampler.close()
    store.close()
