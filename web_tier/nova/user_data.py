"""cloud-init user data that turns a fresh Debian or Ubuntu VM into the web tier.

It carries no secret: the AWS key comes over SSH once the machine is up (`web_tier.nova.credentials`), and until then
`/readyz` answers 503. Units and nginx site are not in it either: the VM takes them from the installed distribution.
"""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from novaburst.settings import SettingsError
from scaling_lambda.settings import Settings as ScalingSettings
from scaling_lambda.settings import SettingsError as ScalingSettingsError
from web_tier.settings import WebSettings

_FILES = Path(__file__).with_name("cloud_init")

# Nova takes at most 65,535 characters of base64.
MAX_USER_DATA_BYTES = 65_535 // 4 * 3
# What the VM takes from its distribution's archive.
PACKAGES = ("ca-certificates", "chrony", "nginx", "python3-venv", "unattended-upgrades")

_VARIABLE = re.compile(r"NOVABURST_[A-Z0-9_]+|AWS_ENDPOINT_URL(_[A-Z0-9_]+)?|AWS_CA_BUNDLE")
# Fields of SiteSettings, places that the systemd units set, and the one token that is a secret.
_NOT_HERE = frozenset({"NOVABURST_PREFIX", "NOVABURST_STATE_DIR", "NOVABURST_SCALE_TOKEN"})
# Read alike by sh and by systemd once it stands between double quotes.
_PLAIN = re.compile(r"[A-Za-z0-9 _.:;,/@%+=~?&\[\]-]*")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
_ACCESS_KEY = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")


def _source(address: str) -> str:
    """An address from which root's packages may come: nobody between may change them, and no password stands in it."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https address")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password: every process of the VM can read its user data")
    if parts.scheme == "http" and not _private(parts.hostname):
        raise ValueError("must be https, unless it is the IP address of a private network")
    return address


def _package(requirement: str) -> str:
    """A requirement; the address in it, if it names one, must be a source."""
    _, at, address = requirement.partition("@")
    if at:
        _source(address.strip())
    return requirement


def _private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


class _Dumper(yaml.SafeDumper):
    """Writes files as they are, line by line, for whoever reads the user data."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)

_Source = Annotated[str, StringConstraints(pattern=r"^[!-~]+$"), AfterValidator(_source)]
_Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]


class SiteSettings(BaseModel):
    """What the user data of one deployment's VM says.

    Raises:
        pydantic.ValidationError: a value is wrong, or would put a secret into the user data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Starts the name of every AWS resource.
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    # Of AWS.
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    # Further variables of the web tier: NOVABURST_*, AWS_ENDPOINT_URL*, AWS_CA_BUNDLE.
    environment: Mapping[str, str] = Field(default_factory=dict)
    # What pip installs: a requirement, for which there must be wheels or an index, or `novaburst[web] @ https://...whl`.
    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][ -~]*$"), AfterValidator(_package)] = (
        "novaburst[web]"
    )
    # A page of links to wheels, for what no index has; alone, without an index, it must hold every dependency.
    wheels_url: _Source | None = None
    # A package index; by default pip's own unless there is a page of wheels.
    index_url: _Source | None = None
    # A file of pip constraints, such as this project's constraints.txt.
    constraints_url: _Source | None = None
    # Without them, the distribution's pool.
    ntp_servers: tuple[_Host, ...] = ()
    # In MiB; 0 for none. pip and apt need it on a machine of 512 MB.
    swap_mib: Annotated[int, Field(ge=0, le=4096)] = 1024
    # In bytes. None leaves what the network's DHCP says, which OpenStack computes from its own tunnels; to be set where
    # the way to AWS takes less than that.
    mtu: Annotated[int, Field(ge=1280, le=9216)] | None = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        # The public index has no such project, so whoever registered the name there would be root on the VM.
        if not (self.wheels_url or self.index_url or "@" in self.package):
            raise ValueError(
                "say where the package comes from: a page of wheels, an index, or novaburst[web] @ https://...whl"
            )
        return self

    @model_validator(mode="after")
    def _check_environment(self) -> Self:
        for name, value in self.environment.items():
            if not _VARIABLE.fullmatch(name) or name in _NOT_HERE:
                raise ValueError(f"{name} has no place in the user data")
            if not _PLAIN.fullmatch(value):
                raise ValueError(f"{name}: must be of letters, digits and simple signs")
            if name.startswith("AWS_ENDPOINT_URL") and urlsplit(value).username is not None:
                raise ValueError(f"{name}: must not hold a user name or password")
        own = {name.removeprefix("NOVABURST_").lower(): value for name, value in self.environment.items()}
        try:
            WebSettings.load(**{name: value for name, value in own.items() if name in WebSettings.model_fields})
            ScalingSettings.load({**self.environment, "NOVABURST_PREFIX": self.prefix})
        except (SettingsError, ScalingSettingsError) as error:
            raise ValueError(str(error)) from error
        if _ACCESS_KEY.search(self.model_dump_json()):
            raise ValueError("an AWS access key must not stand in the user data")
        return self


def user_data(site: SiteSettings) -> str:
    """The user data as text, not yet in base64; the same settings give the same text.

    Raises:
        ValueError: it is longer than Nova takes.
    """
    config: dict[str, Any] = {
        "package_update": True,
        "packages": list(PACKAGES),
        "ssh_pwauth": False,
        "ntp": {
            "enabled": True,
            "ntp_client": "chrony",
            **({"servers": [*site.ntp_servers]} if site.ntp_servers else {}),
        },
        "write_files": [
            _file("/etc/novaburst/web.env", _environment(site)),
            _file("/etc/novaburst/pip.conf", _pip(site)),
            _file("/etc/apt/apt.conf.d/52novaburst", _shipped("apt.conf")),
            _file("/etc/sysctl.d/60-novaburst.conf", _shipped("sysctl.conf")),
            _file("/usr/local/sbin/novaburst-install", _shipped("install.sh"), "0755"),
        ],
        "runcmd": [["/usr/local/sbin/novaburst-install", site.package]],
    }
    if site.swap_mib:
        config["swap"] = {"filename": "/swapfile", "size": site.swap_mib * 1024**2}
    if site.mtu is not None:
        config["bootcmd"] = [["sh", "-c", _shipped("mtu.sh"), "mtu", str(site.mtu)]]
    text = "#cloud-config\n" + yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=120)
    if len(text.encode()) > MAX_USER_DATA_BYTES:
        raise ValueError(f"the user data has {len(text.encode())} bytes, Nova takes {MAX_USER_DATA_BYTES}")
    return text


def _environment(site: SiteSettings) -> str:
    variables = {
        "NOVABURST_PREFIX": site.prefix,
        "AWS_DEFAULT_REGION": site.region,
        # OpenStack's metadata service stands at the same address as EC2's, and has no credentials to give.
        "AWS_EC2_METADATA_DISABLED": "true",
        **site.environment,
    }
    return "".join(f'{name}="{value}"\n' for name, value in variables.items())


def _pip(site: SiteSettings) -> str:
    options = {"disable-pip-version-check": "true", "no-cache-dir": "true", "no-input": "true", "retries": "10"}
    if site.index_url:
        options["index-url"] = site.index_url
    elif site.wheels_url:
        options["no-index"] = "true"
    if site.wheels_url:
        options["find-links"] = site.wheels_url
    if site.constraints_url:
        options["constraint"] = site.constraints_url
    plain = {
        urlsplit(address).netloc
        for address in (site.index_url, site.wheels_url, site.constraints_url)
        if address and address.startswith("http://")
    }
    if plain:
        options["trusted-host"] = " ".join(sorted(plain))
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())


def _shipped(name: str) -> str:
    return (_FILES / name).read_text()


def _file(path: str, content: str, permissions: str = "0644") -> dict[str, str]:
    return {"path": path, "content": content, "permissions": permissions}
