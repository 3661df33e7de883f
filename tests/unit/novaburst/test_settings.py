"""Settings: names from one prefix, and refusals that name the variable."""

import pytest

from novaburst.settings import Settings, SettingsError


def test_one_prefix_names_every_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "lab-7")
    settings = Settings.load()
    assert settings.in_bucket == "lab-7-in-bucket"
    assert settings.out_bucket == "lab-7-out-bucket"
    assert settings.request_queue == "lab-7-req-queue"
    assert settings.response_queue == "lab-7-resp-queue"
    assert settings.dead_letter_queue == "lab-7-req-dlq"


@pytest.mark.parametrize("prefix", ["Upper", "under_score", "-dash", "x" * 60, "a b"])
def test_a_prefix_that_cannot_stand_in_a_bucket_name_is_refused_by_its_variable(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", prefix)
    with pytest.raises(SettingsError, match=r"NOVABURST_PREFIX: .*pattern"):
        Settings.load()


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "")
    assert Settings.load().prefix == "novaburst"
