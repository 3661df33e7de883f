"""Brings the AWS key from the operator's machine to the VM, over SSH, once the web tier is installed there."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from web_tier.nova.credentials import NOT_TAKEN, AccessKey

_SSH = "/usr/bin/ssh"
_PYTHON = ("sudo", "/opt/novaburst/venv/bin/python")
# cloud-init writes the host's public keys to the console between these, in the form of known_hosts.
_HOST_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\s(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_HOST_KEY = re.compile(r"(?:ssh-|ecdsa-)\S+ [A-Za-z0-9+/]+={0,2}")
# In seconds: to reach the VM, and for the services on it to take the key.
_CONNECT_SECONDS = 15
_TIMEOUT_SECONDS = 180


class DeliveryError(RuntimeError):
    """The VM has surely not taken the key; the text says why."""


class DoubtfulDeliveryError(RuntimeError):
    """The VM may have taken the key, or not; the text says why nobody knows."""


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


def reach(to: Destination) -> None:
    """Prove that the VM lets us in and has the web tier; nothing secret is sent.

    Raises:
        DeliveryError: it could not be reached, is not the one expected, or lets nobody in.
    """
    try:
        finished = _run(to, (*_PYTHON, "--version"))
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(f"{to.address} lets nobody in within {_TIMEOUT_SECONDS} s") from error
    if finished.returncode:
        raise DeliveryError(f"{to.address} does not let us in: {_last_words(finished)}")


def deliver(key: AccessKey, to: Destination) -> None:
    """Send the key; on return the web tier has it.

    Args:
        key: of the deployment's web-tier user.
        to: the VM, on which the web tier is installed: its `/readyz` answers 503.

    Raises:
        DeliveryError: nothing was sent, or the VM itself says that it did not take the key.
        DoubtfulDeliveryError: it was sent, or partly, and no word came back of what has become of it.
    """
    try:
        finished = _run(to, (*_PYTHON, "-m", "web_tier.nova.credentials"), key.text())
    except subprocess.TimeoutExpired as error:
        raise DoubtfulDeliveryError(f"{to.address} did not answer within {_TIMEOUT_SECONDS} s") from error
    if not finished.returncode:
        return
    words = _last_words(finished)
    # SSH's own status is 255, for a connection that broke as for one that never was.
    if finished.returncode == 1 and words.startswith(NOT_TAKEN):
        raise DeliveryError(f"{to.address} did not take the key: {words}")
    raise DoubtfulDeliveryError(f"no word came from {to.address} that it has taken the key: {words}")


def _run(to: Destination, command: Sequence[str], text: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command on the VM and give it the text, if it is the host whose keys are known.

    Raises:
        DeliveryError: they are not, or SSH could not be started: nothing was sent.
        subprocess.TimeoutExpired: it did not end in time.
    """
    if not to.host_keys:
        raise DeliveryError(f"the host keys of {to.address} are not known, so nothing secret is sent there")
    name = to.address if to.port == 22 else f"[{to.address}]:{to.port}"
    ssh = [_SSH, "-p", str(to.port), "-l", to.user, "-F", "none"]
    try:
        # What is left of it when it cannot be removed is no secret, and no reason to doubt the answer.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            known = Path(folder) / "known_hosts"
            known.write_text("".join(f"{name} {line}\n" for line in to.host_keys))
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
                ssh += ["-o", f"{option}={value}"]
            return subprocess.run(  # noqa: S603 - no shell here, and every value is an option's or a fixed word
                [*ssh, to.address, *command],
                input=text,
                capture_output=True,
                text=True,
                # Whatever a banner or a service says, in whatever encoding, is no reason to doubt the answer, either.
                errors="replace",
                check=False,
                timeout=_TIMEOUT_SECONDS,
            )
    except OSError as error:
        raise DeliveryError(f"SSH to {to.address} could not be started: {type(error).__name__}") from error


def _last_words(finished: "subprocess.CompletedProcess[str]") -> str:
    words = finished.stderr.strip().splitlines()
    return words[-1] if words else f"exit status {finished.returncode}"
