import runpy
from pathlib import Path

import pytest

from novaburst.settings import SettingsError
from web_tier import gunicorn_config
from web_tier.app import create_app
from web_tier.settings import WebSettings


def test_a_wrong_setting_is_refused_with_its_variables_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WAIT_SECONDS", "soon")
    with pytest.raises(SettingsError, match="NOVABURST_MAX_WAIT_SECONDS"):
        WebSettings.load()


def test_gunicorn_does_not_start_on_a_wrong_setting_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_BIND", "nowhere")
    with pytest.raises(SystemExit, match="NOVABURST_BIND"):
        runpy.run_path(gunicorn_config.__file__)


def test_gunicorn_outlasts_the_longest_wait_and_holds_the_courses_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WAIT_SECONDS", "900")
    monkeypatch.setenv("NOVABURST_BIND", "127.0.0.1:8123")
    config = runpy.run_path(gunicorn_config.__file__)
    assert config["timeout"] > 900
    assert config["bind"] == "127.0.0.1:8123"
    assert config["threads"] >= 100
    assert not config.get("preload_app")


def test_the_application_needs_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SettingsError, match="AWS_DEFAULT_REGION"):
        create_app(WebSettings(state_dir=tmp_path))


def test_a_wrong_setting_of_the_scaling_decision_stops_the_web_tier_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # It decides by them when the Lambda cannot, and must not find out on that day.
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "200")
    with pytest.raises(SystemExit, match="NOVABURST_MAX_WORKERS"):
        runpy.run_path(gunicorn_config.__file__)


def test_the_scaling_decision_is_for_the_web_tiers_own_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "lab-7")
    assert WebSettings.load().scaling().request_queue == "lab-7-req-queue"
    assert WebSettings.load(prefix="lab-8").scaling().request_queue == "lab-8-req-queue"


@pytest.mark.parametrize("text", ["my-token", "A" * 64, "0" * 63])
def test_a_token_in_place_of_its_hash_is_refused_and_not_repeated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_SCALE_TOKEN_SHA256", text)
    with pytest.raises(SettingsError, match="NOVABURST_SCALE_TOKEN_SHA256") as caught:
        WebSettings.load()
    assert text not in str(caught.value)


def test_gunicorn_does_not_start_without_the_file_of_tokens_that_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOVABURST_TOKEN_FILE", str(tmp_path / "tokens.json"))
    with pytest.raises(SystemExit, match="NOVABURST_TOKEN_FILE"):
        runpy.run_path(gunicorn_config.__file__)
