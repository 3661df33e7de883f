import pytest
from click.testing import CliRunner

from local_cloud.command import default_idle_seconds, default_workers
from local_cloud.up import LocalCloud, Options
from novaburst.cli import main
from novaburst.presets import PRESETS, VARIABLE, PresetError, chosen, of_the_lambda
from novaburst.settings import Settings, SettingsError
from scaling_lambda.settings import Settings as ScalingSettings
from web_tier.settings import WebSettings
from worker_ami.worker.settings import WorkerSettings


@pytest.fixture
def _course(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "cse546")


def test_without_a_preset_nothing_is_other_than_it_is() -> None:
    assert chosen({"NOVABURST_IDLE_SECONDS": "7"}) == {}
    assert chosen({VARIABLE: ""}) == {}


def test_a_preset_that_is_none_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "cse999")
    with pytest.raises(SettingsError, match=r"NOVABURST_PRESET: 'cse999' is no preset; there is cse546"):
        WebSettings.load()
    result = CliRunner().invoke(main, ["plan", "--visible", "1"])
    assert (result.exit_code, "NOVABURST_PRESET" in result.stderr) == (1, True)


@pytest.mark.usefixtures("_course")
def test_each_tier_reads_the_preset() -> None:
    web = WebSettings.load()
    assert web.bind == "127.0.0.1:8001"
    assert (web.scaling().limits.images_per_worker, web.scaling().limits.maximum) == (5, 20)
    assert WorkerSettings.load().idle_seconds == 5
    assert default_idle_seconds() == 5
    assert default_workers() == 20


@pytest.mark.usefixtures("_course")
def test_what_is_set_wins_over_the_preset_and_an_override_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", "15")
    monkeypatch.setenv("NOVABURST_IDLE_SECONDS", "9")
    monkeypatch.setenv("NOVABURST_BIND", "")
    assert of_the_lambda()["NOVABURST_MAX_WORKERS"] == "15"
    assert WebSettings.load().scaling().limits.maximum == 15
    assert WebSettings.load().bind == "127.0.0.1:8001"
    assert WorkerSettings.load().idle_seconds == 9
    assert WorkerSettings.load(idle_seconds=3).idle_seconds == 3


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What each local cloud that would have been started by `novaburst up` was told."""
    told: list[Options] = []
    monkeypatch.setattr(LocalCloud, "run", lambda cloud: told.append(cloud._options))
    return told


@pytest.mark.parametrize("preset", ["", "cse546"])
def test_up_takes_an_option_before_a_variable_and_a_variable_before_the_preset(
    started: list[Options], preset: str
) -> None:
    variables = {VARIABLE: preset, "NOVABURST_MAX_WORKERS": "3", "NOVABURST_IDLE_SECONDS": "7"}
    options = ["--max-workers", "2", "--idle-seconds", "4"]
    assert CliRunner(env=variables).invoke(main, ["up"]).exit_code == 0
    assert CliRunner(env=variables).invoke(main, ["up", *options]).exit_code == 0
    unset = {VARIABLE: preset, "NOVABURST_MAX_WORKERS": "", "NOVABURST_IDLE_SECONDS": ""}
    assert CliRunner(env=unset).invoke(main, ["up"]).exit_code == 0
    assert [(told.max_workers, told.idle_seconds) for told in started[:2]] == [(3, 7), (2, 4)]
    assert started[2].idle_seconds == (5 if preset else 30)


@pytest.mark.parametrize("preset", ["", "cse546"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [("NOVABURST_MAX_WORKERS", "many"), ("NOVABURST_MAX_WORKERS", "21"), ("NOVABURST_IDLE_SECONDS", "0")],
)
def test_up_refuses_a_wrong_variable_by_its_name(
    started: list[Options], preset: str, variable: str, value: str
) -> None:
    result = CliRunner(env={VARIABLE: preset, variable: value}).invoke(main, ["up"])
    assert (result.exit_code, started) == (2, [])
    assert variable in result.stderr


@pytest.mark.usefixtures("_course")
def test_the_names_are_the_courses_for_a_students_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABURST_PREFIX", "1234567890")
    settings = Settings.load()
    assert (settings.in_bucket, settings.out_bucket) == ("1234567890-in-bucket", "1234567890-out-bucket")
    assert (settings.request_queue, settings.response_queue) == ("1234567890-req-queue", "1234567890-resp-queue")


@pytest.mark.usefixtures("_course")
def test_the_courses_hundred_requests_call_for_the_whole_fleet() -> None:
    limits = ScalingSettings.load(of_the_lambda()).limits
    assert 100 / limits.images_per_worker >= limits.maximum == 20


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_what_some_tier_reads_to_what_it_accepts(name: str) -> None:
    fields = {*WebSettings.model_fields, *WorkerSettings.model_fields}
    for variable, value in PRESETS[name].items():
        if variable in of_the_lambda({VARIABLE: name}):
            assert ScalingSettings.load({variable: value})
        else:
            assert variable.removeprefix("NOVABURST_").lower() in fields


def test_the_lambda_is_told_its_own_variables_only() -> None:
    assert "NOVABURST_BIND" not in of_the_lambda({VARIABLE: "cse546"})
    with pytest.raises(PresetError):
        of_the_lambda({VARIABLE: "x"})
