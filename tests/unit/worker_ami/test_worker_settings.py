"""The worker's settings fit the machine by themselves, and wrong ones are refused by name."""

import os

import pytest

from novaburst.settings import SettingsError
from scaling_lambda.settings import MAX_AGE_SECONDS
from worker_ami.worker.settings import WorkerSettings


def test_threads_follow_the_cores_and_held_follows_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0))
    assert WorkerSettings.load().threads == cores
    assert WorkerSettings.load().held == 32 * cores
    monkeypatch.setenv("NOVABURST_THREADS", "3")
    assert WorkerSettings.load().held == 96
    monkeypatch.setenv("NOVABURST_THREADS", "64")
    assert WorkerSettings.load().held == 1000
    monkeypatch.setenv("NOVABURST_HELD", "5")
    assert WorkerSettings.load().held == 5


def test_a_worker_ends_of_age_well_before_the_lambda_s_net_ends_it() -> None:
    assert WorkerSettings.load().max_age_seconds <= MAX_AGE_SECONDS - 600


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NOVABURST_ENGINE", "tensorflow"),
        ("NOVABURST_IDLE_SECONDS", "0"),
        ("NOVABURST_THREADS", "none"),
        ("NOVABURST_POLL_SECONDS", "21"),
        ("NOVABURST_HEARTBEAT_SECONDS", "31"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        WorkerSettings.load()
