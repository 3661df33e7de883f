"""What a VM is told at its first boot is valid to cloud-init, says each thing once, and holds no secret."""

import configparser
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.web_tier.nova.cloud_init import schema
from web_tier.nova.user_data import MAX_USER_DATA_BYTES, SiteSettings, user_data

FULL = SiteSettings(
    prefix="lab-7",
    region="eu-central-1",
    environment={"NOVABURST_WEB_WORKERS": "1", "NOVABURST_INSTANCE_TYPES": "c6i.large, m6i.large"},
    package="novaburst[web] @ https://wheels.example/novaburst-0.1.0-py3-none-any.whl",
    wheels_url="http://10.0.0.5/wheels/",
    index_url="https://index.example/simple",
    constraints_url="http://10.0.0.5/constraints.txt",
    ntp_servers=("10.0.0.1", "ntp.example"),
    mtu=1400,
)
WHEEL = "novaburst[web] @ https://wheels.example/novaburst-0.1.0-py3-none-any.whl"
PLAIN = SiteSettings(prefix="lab-7", region="us-east-1", package=WHEEL)


def config(site: SiteSettings) -> Any:
    return yaml.safe_load(user_data(site))


def file(site: SiteSettings, path: str) -> str:
    [content] = [file["content"] for file in config(site)["write_files"] if file["path"] == path]
    return str(content)


def pip(site: SiteSettings) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(file(site, "/etc/novaburst/pip.conf"))
    return dict(parser["global"])


def site(**values: Any) -> SiteSettings:
    return SiteSettings(**{"prefix": "lab-7", "region": "us-east-1", "package": WHEEL, **values})


@pytest.mark.parametrize("chosen", [PLAIN, FULL, site(swap_mib=0)])
def test_cloud_inits_own_schema_takes_it_and_knows_every_key(chosen: SiteSettings) -> None:
    known = {key for module in schema()["$defs"].values() for key in module.get("properties", {})}
    jsonschema.Draft4Validator(schema()).validate(config(chosen))
    assert set(config(chosen)) <= known


def test_cloud_init_recognises_it_by_its_first_line_and_nova_takes_its_length() -> None:
    assert user_data(FULL).startswith("#cloud-config\n")
    assert len(user_data(FULL).encode()) < MAX_USER_DATA_BYTES / 4


def test_the_same_settings_give_the_same_text() -> None:
    assert user_data(FULL) == user_data(FULL.model_copy())


def test_it_is_refused_here_rather_than_by_nova_when_it_is_too_long() -> None:
    with pytest.raises(ValueError, match="Nova takes"):
        user_data(site(package=WHEEL + " " * MAX_USER_DATA_BYTES))


def test_units_and_nginx_site_come_from_the_installed_distribution_and_are_not_written_twice() -> None:
    text = user_data(FULL)
    assert "ExecStart" not in text
    assert "proxy_pass" not in text
    assert "-m web_tier.nova.machine" in text


def test_the_variables_reach_sh_and_systemd_alike() -> None:
    lines = file(FULL, "/etc/novaburst/web.env").splitlines()
    # systemd's EnvironmentFile takes what stands between double quotes, and shlex splits as sh does.
    variables = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    assert variables == {
        "NOVABURST_PREFIX": "lab-7",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **FULL.environment,
    }


@given(st.text(st.sampled_from("aZ0 _.:,/@%=~?&[]-$`\"'\\\n;|<>*(){}#!é"), max_size=12))
def test_a_value_either_arrives_as_it_was_or_is_refused(value: str) -> None:
    try:
        chosen = site(environment={"AWS_CA_BUNDLE": value})
    except ValidationError:
        return
    [line] = [line for line in file(chosen, "/etc/novaburst/web.env").splitlines() if line.startswith("AWS_CA_BUNDLE")]
    assert shlex.split(line) == [f"AWS_CA_BUNDLE={value}"]
    # What sh, unlike shlex and systemd, would expand.
    assert not set(value) & set("$`")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "token"),
        ("NOVABURST_SCALE_TOKEN", "token"),
        ("AWS_ENDPOINT_URL", "https://user:password@aws.example"),
        ("AWS_CA_BUNDLE", "/AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_no_secret_gets_into_the_user_data(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        site(environment={name: value})


def test_an_access_key_in_the_wrong_place_is_refused() -> None:
    with pytest.raises(ValidationError, match="access key"):
        site(package="novaburst[web] @ https://wheels.example/x.whl?X=AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize(
    "environment",
    [
        {"NOVABURST_PREFIX": "other"},
        {"NOVABURST_STATE_DIR": "/srv"},
        {"LD_PRELOAD": "x.so"},
        {"NOVABURST_WEB_WORKERS": "none"},
        {"NOVABURST_MAX_WORKERS": "21"},
        {"NOVABURST_BIND": "$(reboot)"},
    ],
)
def test_a_variable_that_the_web_tier_would_refuse_or_that_is_not_its_own_is_refused_before_a_vm_is_made(
    environment: dict[str, str],
) -> None:
    with pytest.raises(ValidationError, match=next(iter(environment))):
        site(environment=environment)


@pytest.mark.parametrize("field", ["wheels_url", "index_url", "constraints_url"])
@pytest.mark.parametrize(
    "address",
    [
        "http://wheels.example/",
        "http://8.8.8.8/",
        "https://user:pw@wheels.example/",
        "file:///wheels",
        "wheels/",
        "https://a b/",
    ],
)
def test_root_installs_nothing_from_an_address_that_others_can_answer_or_that_holds_a_password(
    field: str, address: str
) -> None:
    with pytest.raises(ValidationError, match=field):
        site(**{field: address})


@pytest.mark.parametrize("package", ["--index-url=https://x", "novaburst[web] @ http://wheels.example/x.whl", "x\ny"])
def test_the_package_is_neither_an_option_nor_from_an_address_that_others_can_answer(package: str) -> None:
    with pytest.raises(ValidationError, match="package"):
        site(package=package)


def test_the_package_is_never_looked_for_where_anybody_may_have_taken_its_name() -> None:
    with pytest.raises(ValidationError, match="where the package comes from"):
        SiteSettings(prefix="lab-7", region="us-east-1")


def test_pip_uses_its_own_index_unless_it_is_given_wheels_or_another() -> None:
    assert not {"index-url", "no-index", "find-links", "trusted-host"} & set(pip(PLAIN))
    wheels = pip(site(wheels_url="http://10.0.0.5:8080/wheels/"))
    assert (wheels["no-index"], wheels["find-links"]) == ("true", "http://10.0.0.5:8080/wheels/")
    assert wheels["trusted-host"] == "10.0.0.5:8080"
    both = pip(FULL)
    assert "no-index" not in both
    assert (both["index-url"], both["find-links"]) == ("https://index.example/simple", "http://10.0.0.5/wheels/")
    assert both["constraint"] == "http://10.0.0.5/constraints.txt"


def test_chrony_keeps_the_clock_with_the_sites_servers_or_the_distributions() -> None:
    assert config(PLAIN)["ntp"] == {"enabled": True, "ntp_client": "chrony"}
    assert config(FULL)["ntp"]["servers"] == ["10.0.0.1", "ntp.example"]
    assert "chrony" in config(PLAIN)["packages"]


def test_a_machine_of_512_mb_gets_swap_unless_it_is_told_not_to() -> None:
    assert config(PLAIN)["swap"] == {"filename": "/swapfile", "size": 1024**3}
    assert "swap" not in config(site(swap_mib=0))


def test_security_updates_come_by_themselves() -> None:
    assert "unattended-upgrades" in config(PLAIN)["packages"]
    assert 'Unattended-Upgrade "1"' in file(PLAIN, "/etc/apt/apt.conf.d/52novaburst")


def test_the_networks_own_mtu_stays_unless_one_is_named() -> None:
    assert "bootcmd" not in config(PLAIN)
    [command] = config(FULL)["bootcmd"]
    assert command[-1] == "1400"


def test_the_mtu_is_set_on_the_interface_towards_the_world(tmp_path: Path) -> None:
    ip = tmp_path / "ip"
    ip.write_text(
        '#!/bin/sh\ncase "$*" in *route*) echo "default via 10.0.0.1 dev ens3 proto dhcp src 10.0.0.9 metric 100";;'
        f' *) echo "$@" >>{tmp_path}/calls;; esac\n'
    )
    ip.chmod(0o755)
    [command] = config(FULL)["bootcmd"]
    subprocess.run(command, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (tmp_path / "calls").read_text() == "link set dev ens3 mtu 1400\n"


def test_the_scripts_are_sound_to_shellcheck() -> None:
    scripts = sorted(Path("web_tier/nova/cloud_init").resolve().glob("*.sh"))
    assert scripts
    subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), "--shell=sh", "--exclude=SC1091", *scripts], check=True
    )
