"""The last stretch: from an address to a web tier that answers, with the AWS key brought to it on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openstack.connection import Connection

from novaburst.aws import iam_client
from web_tier.nova import ready
from web_tier.nova.access_keys import AccessKeys, Held
from web_tier.nova.delivery import DeliveryError, Destination, deliver, host_keys, reach
from web_tier.nova.problem import NovaError
from web_tier.nova.ready import Readiness, Sight

# Of the machine's console, shown when it stays silent, in lines.
_LAST_LINES = 15


@dataclass(frozen=True)
class Handover:
    """How to reach the new machine. `url` is its `/readyz`; `seconds` is how long each stage may take."""

    server_id: str
    address: str
    url: str
    seconds: float
    prefix: str
    # As whom the AWS key is brought, and with which private key (None: the agent's).
    user: str
    identity: Path | None


def hand_over(cloud: Connection, to: Handover, say: Callable[[str], None], *, bring_key: bool) -> Sight:
    """Wait until the web tier is ready; if it lacks an AWS key, bring it one, or leave that to others if told so.

    Raises:
        NovaError: it does not answer in time, lacks something else, or the key did not reach it.
        openstack.exceptions.SDKException: the console could not be read.
    """
    say(f"waiting for {to.url}, up to {to.seconds:.0f} s")
    seen = ready.wait(to.url, lambda sight: sight.readiness is not Readiness.SILENT, to.seconds)
    if seen.readiness is Readiness.SILENT:
        raise NovaError(f"nothing answers at {to.url} after {to.seconds:.0f} s{_console(cloud, to)}", _ASK_THE_MACHINE)
    # What it lacks may come by itself, and it judges no key before its clock is right.
    seen = ready.wait(to.url, lambda sight: sight.ready or sight.lacks_key, to.seconds)
    if not seen.lacks_key:
        _require_ready(seen, to, "the web tier")
    elif bring_key:
        others = _bring_key(cloud, to, say)
        seen = ready.wait(to.url, lambda sight: sight.ready, to.seconds)
        _require_ready(seen, to, "the web tier has its key and")
        for other in others:
            say(f"{other} is good, too: unless a machine uses it, `novaburst nova key --retire {other.id}`")
    return seen


def _bring_key(cloud: Connection, to: Handover, say: Callable[[str], None]) -> list[Held]:
    """Bring the machine a new key; the good ones that there were before."""
    say(f"bringing the AWS key to {to.address}")
    keys = AccessKeys(iam_client(), to.prefix, say)
    with undelivered_told():
        place = reached(cloud, to)
        held = keys.held()
        with keys.fresh(held) as key:
            deliver(key, place)
    return [key for key in held if key.active]


def _require_ready(seen: Sight, to: Handover, who: str) -> None:
    if not seen.ready:
        raise NovaError(
            f"{who} is not ready after {to.seconds:.0f} s ({seen})",
            f"Ask it what it lacks: curl {to.url}",
        )


_ASK_THE_MACHINE = (
    "See on the machine what its first boot came to: `cloud-init status --long`, /var/log/cloud-init-output.log. A "
    "machine that reaches no package index needs --name-server, --index-url or --wheels-url. Run the command again to "
    "go on waiting."
)


def becomes_ready(to: Handover) -> bool:
    """Whether the web tier is ready, or becomes so in its time."""
    return ready.wait(to.url, lambda sight: sight.ready, to.seconds).ready


def reached(cloud: Connection, to: Handover) -> Destination:
    """The machine as SSH has reached it, if it is the host whose keys its console showed.

    To be asked before a key is made: of one that was sent nobody may know later whether it arrived.

    Raises:
        DeliveryError: it could not be reached.
        openstack.exceptions.SDKException: the console could not be read.
    """
    place = Destination(to.address, to.user, to.identity, host_keys(_output(cloud, to)))
    reach(place)
    return place


@contextmanager
def undelivered_told() -> Iterator[None]:
    """Say of a key that did not arrive what helps.

    Raises:
        NovaError: it did not.
    """
    try:
        yield
    except DeliveryError as error:
        raise NovaError(
            str(error),
            "SSH must be open to this machine (--ssh-from), and --ssh-user and --identity must be right; run the "
            "command again then. Or bring a key yourself: docs/openstack.md says how.",
        ) from error


def _console(cloud: Connection, to: Handover) -> str:
    lines = [line for line in _output(cloud, to).splitlines() if line.strip()][-_LAST_LINES:]
    return "; its console ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def _output(cloud: Connection, to: Handover) -> str:
    return str(cloud.compute.get_server_console_output(to.server_id)["output"] or "")
