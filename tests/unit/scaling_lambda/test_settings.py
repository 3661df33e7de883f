"""The Lambda's settings: defaults with a reason, and refusals that name the variable."""

from datetime import timedelta
from pathlib import Path

import pytest

from novaburst import bounds
from novaburst.settings import Settings as SharedSettings
from scaling_lambda import settings as lambda_settings
from scaling_lambda.policy import Policy
from scaling_lambda.settings import Settings, SettingsError


def test_without_any_variable_the_fleet_goes_from_zero_to_twenty() -> None:
    settings = Settings.load({})
    assert (settings.limits.minimum, settings.limits.maximum) == (0, 20)
    assert settings.limits.policy is Policy.PROPORTIONAL
    assert settings.triggers == {"alarm", "schedule", "wake"}


def test_an_instance_gets_ten_seconds_of_work_unless_said_otherwise() -> None:
    assert Settings.load({}).limits.images_per_worker == 2280
    eager = {"NOVABURST_TOLERABLE_WAIT_SECONDS": "2", "NOVABURST_IMAGES_PER_SECOND": "3"}
    assert Settings.load(eager).limits.images_per_worker == 6
    assert Settings.load({**eager, "NOVABURST_IMAGES_PER_WORKER": "1"}).limits.images_per_worker == 1


def test_a_slow_model_still_gets_one_image_an_instance() -> None:
    slow = {"NOVABURST_TOLERABLE_WAIT_SECONDS": "1", "NOVABURST_IMAGES_PER_SECOND": "0.1"}
    assert Settings.load(slow).limits.images_per_worker == 1


def test_names_are_those_of_the_other_tiers() -> None:
    ours, shared = Settings.load({"NOVABURST_PREFIX": "burst-x"}), SharedSettings.load(prefix="burst-x")
    assert ours.request_queue == shared.request_queue
    assert ours.wake_queue == shared.wake_queue


def test_the_net_comes_later_than_the_workers_own_idle_exit() -> None:
    assert lambda_settings.IDLE_SECONDS == bounds.IDLE_SECONDS
    for idle in ("1", "60", "3600"):
        confirm = Settings.load({"NOVABURST_IDLE_SECONDS": idle}).limits.confirm_after
        assert confirm > timedelta(seconds=int(idle))
        with pytest.raises(SettingsError, match=r"^NOVABURST_CONFIRM_SECONDS: must be "):
            Settings.load({"NOVABURST_IDLE_SECONDS": idle, "NOVABURST_CONFIRM_SECONDS": idle})
    sooner = {"NOVABURST_IDLE_SECONDS": "2", "NOVABURST_CONFIRM_SECONDS": "3"}
    assert Settings.load(sooner).limits.confirm_after == timedelta(seconds=3)
    assert Settings.load({"NOVABURST_IDLE_SECONDS": "3600"}).limits.idle_confirm_after == timedelta(seconds=3601)
    with pytest.raises(SettingsError, match=r"^NOVABURST_IDLE_CONFIRM_SECONDS: must be "):
        Settings.load({"NOVABURST_IDLE_SECONDS": "60", "NOVABURST_IDLE_CONFIRM_SECONDS": "60"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NOVABURST_PREFIX", "Not A Bucket"),
        ("NOVABURST_MAX_WORKERS", "21"),
        ("NOVABURST_MAX_WORKERS", "-1"),
        ("NOVABURST_MAX_WORKERS", "many"),
        ("NOVABURST_MIN_WORKERS", "21"),
        ("NOVABURST_IMAGES_PER_WORKER", "0"),
        ("NOVABURST_IMAGES_PER_SECOND", "nan"),
        ("NOVABURST_POLICY", "hope"),
        ("NOVABURST_TRIGGERS", "alarm,telepathy"),
        ("NOVABURST_SUBNET_IDS", "subnet-1,vpc-2"),
        ("NOVABURST_INSTANCE_TYPES", "c6i.large;c5.large"),
        ("NOVABURST_WATCH_SECONDS", "59"),
        ("NOVABURST_BOOT_GRACE_SECONDS", "True"),
        ("NOVABURST_PRICE_PER_HOUR", "free"),
        ("NOVABURST_SPOT", "yes"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: must be "):
        Settings.load({variable: value})


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(SettingsError, match="NOVABURST_MIN_WORKERS: must be a whole number from 0 to 3"):
        Settings.load({"NOVABURST_MIN_WORKERS": "4", "NOVABURST_MAX_WORKERS": "3"})


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.load({"NOVABURST_MAX_WORKERS": " "}).limits.maximum == 20


def test_lists_are_separated_by_commas() -> None:
    settings = Settings.load({"NOVABURST_INSTANCE_TYPES": "c6i.large, c5.large", "NOVABURST_TRIGGERS": "wake"})
    assert settings.places.instance_types == ("c6i.large", "c5.large")
    assert settings.triggers == {"wake"}


class _Recorded(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return default


def test_the_readme_names_every_setting() -> None:
    environment = _Recorded()
    Settings.load(environment)
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    assert len(environment.names) > 10
    assert [name for name in sorted(environment.names) if f"`{name}`" not in readme] == []
