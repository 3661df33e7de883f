"""How the command line's options become what the VM is told."""

import pytest

from novaburst.commands.site import site_settings
from novaburst.settings import SettingsError

SECRET = "AKIA" + "A" * 16
WHEELS = "https://wheels.example/"


def test_what_is_not_given_keeps_its_default() -> None:
    site = site_settings(
        "lab-7", "us-east-1", variables=(), wheels_url=WHEELS, package=None, ntp_servers=(), swap_mib=None
    )
    assert (site.package, site.ntp_servers, site.swap_mib) == ("novaburst[web]", (), 1024)


def test_variables_become_the_web_tiers_environment() -> None:
    site = site_settings("lab-7", "us-east-1", variables=["NOVABURST_WEB_WORKERS=1"], wheels_url=WHEELS)
    assert site.environment == {"NOVABURST_WEB_WORKERS": "1"}


def test_a_variable_without_a_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be NAME=VALUE"):
        site_settings("lab-7", "us-east-1", variables=["NOVABURST_WEB_WORKERS"])


@pytest.mark.parametrize("variable", [f"NOVABURST_SCALING_FUNCTION={SECRET}", f"AWS_SECRET_ACCESS_KEY={SECRET}"])
def test_a_secret_is_refused_and_not_quoted(variable: str) -> None:
    with pytest.raises(SettingsError) as error:
        site_settings("lab-7", "us-east-1", variables=[variable], wheels_url=WHEELS)
    assert SECRET not in str(error.value)
