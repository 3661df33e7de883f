"""The variables with which boto3 means the embedded AWS, in a process's environment and in a shell."""

import os
import shlex
from collections.abc import MutableMapping

REGION = "us-east-1"
_OWN = "127.0.0.1,localhost"
# POSIX; one name at least, since zsh wants one.
_FORGET = r"unset AWS_PROFILE $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p')"
_WITHOUT_PROXY = f"no_proxy=${{no_proxy:-${{NO_PROXY:-}}}},{_OWN}\nNO_PROXY=$no_proxy"


def variables(endpoint: str) -> dict[str, str]:
    """What names the AWS at that address."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def turn(environment: MutableMapping[str, str], endpoint: str) -> None:
    """Let an environment mean the AWS at that address, whatever it meant before.

    A profile that is named there would be looked for, one service's own address would go before this one, and a proxy
    cannot reach this machine's loopback.
    """
    for name in [name for name in environment if name.startswith("AWS_")]:
        del environment[name]
    environment.update(variables(endpoint))
    given = environment.get("no_proxy") or environment.get("NO_PROXY")
    environment["no_proxy"] = environment["NO_PROXY"] = f"{given},{_OWN}" if given else _OWN


def lines(endpoint: str, more: dict[str, str]) -> str:
    """The same, and more variables, as lines for a shell to read."""
    assigned = [f"{name}={shlex.quote(value)}" for name, value in {**variables(endpoint), **more}.items()]
    return "\n".join([_FORGET, *assigned, _WITHOUT_PROXY, ""])
