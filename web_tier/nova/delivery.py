"""Brings the AWS key from the operator's machine to the VM, over SSH, once the web tier is installed there."""

import logging
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from web_tier.nova.credentials import AccessKey

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

log = logging.getLogger(__name__)

_SSH = "/usr/bin/ssh"
_COMMAND = ("sudo", "/opt/novaburst/venv/bin/python", "-m", "web_tier.nova.credentials")
# cloud-init writes the host's public keys to the console between these, in the form of known_hosts.
_HOST_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\s(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_HOST_KEY = re.compile(r"(?:ssh-|ecdsa-)\S+ [A-Za-z0-9+/]+={0,2}")
# In seconds: to reach the VM, and for the services on it to take the key.
_CONNECT_SECONDS = 15
_TIMEOUT_SECONDS = 180


class DeliveryError(RuntimeError):
    """The key did not reach the VM; the text says why and what to do."""


@dataclass(frozen=True)
class Destination:
    """The VM as SSH reaches it."""

    address: str
    # The image's own: debian, ubuntu.
    user: str
    # The private key whose public half Nova gave the VM; None leaves it to the agent.
    identity: Path | None
    # Lines of known_hosts: who the VM must prove to be before it is given a secret.
    host_keys: tuple[str, ...]
    port: int = 22


def host_keys(console: str) -> tuple[str, ...]:
    """The VM's public host keys, by its console log, which comes through the cloud's own API; empty when none is there.

    A log of several boots holds them several times: the last ones count.
    """
    blocks = _HOST_KEYS.findall(console)
    return tuple(_HOST_KEY.findall(blocks[-1])) if blocks else ()


@contextmanager
def fresh_access_key(iam: "IAMClient", prefix: str) -> Iterator[AccessKey]:
    """A new key of the deployment's web-tier user, which is deleted again when what is done with it fails.

    Raises:
        DeliveryError: IAM made none; the text says what to do.
    """
    user = f"{prefix}-web"
    try:
        made = iam.create_access_key(UserName=user)["AccessKey"]
    except iam.exceptions.NoSuchEntityException as error:
        raise DeliveryError(f"there is no user {user}: run `novaburst deploy` for {prefix} first") from error
    except iam.exceptions.LimitExceededException as error:
        raise DeliveryError(
            f"user {user} has two access keys already: delete the one that is not in use "
            f"(`aws iam list-access-keys --user-name {user}` says how old they are)"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise DeliveryError(f"no access key for {user}: {error}") from error
    try:
        yield AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
    except BaseException:
        try:
            iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
        except (BotoCoreError, ClientError):
            log.exception("key %s of %s is of no use and could not be deleted", made["AccessKeyId"], user)
        raise


def deliver(key: AccessKey, to: Destination, folder: Path) -> None:
    """Send the key; on return the web tier has it.

    Args:
        key: of the deployment's web-tier user.
        to: the VM, on which the web tier is installed: its `/readyz` answers 503.
        folder: a private one, for SSH to read the host keys from.

    Raises:
        DeliveryError: the VM could not be reached, is not the one expected, or did not take the key.
    """
    if not to.host_keys:
        raise DeliveryError(f"the host keys of {to.address} are not known, so nothing secret is sent there")
    name = to.address if to.port == 22 else f"[{to.address}]:{to.port}"
    known = folder / "known_hosts"
    known.write_text("".join(f"{name} {line}\n" for line in to.host_keys))
    command = [_SSH, "-p", str(to.port), "-l", to.user, "-F", "none"]
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT_SECONDS),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
    }
    if to.identity is not None:
        options |= {"IdentitiesOnly": "yes", "IdentityFile": str(to.identity)}
    for option, value in options.items():
        command += ["-o", f"{option}={value}"]
    try:
        finished = subprocess.run(  # noqa: S603 - no shell here, and every value is an option's or a fixed word
            [*command, to.address, *_COMMAND],
            input=key.text(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeliveryError(f"the key was not sent to {to.address}: {type(error).__name__}") from error
    if finished.returncode:
        words = finished.stderr.strip().splitlines()
        raise DeliveryError(f"{to.address} did not take the key: {words[-1] if words else finished.returncode}")
