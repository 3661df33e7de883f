"""`novaburst nova key`: a new AWS key for the web tier, without an outage."""

from typing import Any

import click
from openstack.connection import Connection

from novaburst.aws import iam_client
from novaburst.bounds import MAX_WAIT_SECONDS, PRESIGNED_SECONDS
from novaburst.commands.nova_options import cloud_option, handover, prefix_option, reach_options, settings
from novaburst.terminal import say
from web_tier.nova.access_keys import AccessKeys
from web_tier.nova.connect import connected
from web_tier.nova.delivery import deliver
from web_tier.nova.handover import Handover, becomes_ready, reached, undelivered_told
from web_tier.nova.mark import Mark
from web_tier.nova.observe import observe
from web_tier.nova.problem import NovaError
from web_tier.nova.ready import probe
from web_tier.nova.rotation import Machine, Rotation

# What began with the old key ends within this time, in seconds: forms that it has signed, and before them the requests
# to the processes that a reload replaces.
_GRACE_SECONDS = PRESIGNED_SECONDS + MAX_WAIT_SECONDS


@click.command("key")
@cloud_option
@prefix_option
@reach_options
@click.option(
    "--grace",
    default=_GRACE_SECONDS,
    show_default=True,
    type=click.IntRange(0),
    help="How long the old key stays good, in seconds: for uploads and forms under way; 0 if it got into wrong hands.",
)
@click.option("--retire", metavar="KEY-ID", help="Only end this key, if the web tier does not need it.")
def key_command(os_cloud: str | None, prefix: str | None, *, grace: int, retire: str | None, **options: Any) -> None:
    """Give the web tier a new AWS key, and delete the one before once nothing needs it any more.

    Your own AWS key makes and deletes keys of the web tier's user; SSH must be open to you. Who waits for an answer
    keeps waiting, and no upload is lost. Ended in the middle it leaves two good keys: `--retire` ends one later.
    """
    chosen = settings(prefix)
    with connected(os_cloud) as cloud, undelivered_told():
        to = _machine(cloud, chosen.prefix, options)
        keys = AccessKeys(iam_client(), chosen.prefix, say)
        machine = Machine(lambda: becomes_ready(to), lambda: probe(to.url).lacks_key, grace)
        rotation = Rotation(keys, machine, say)
        if retire is not None:
            rotation.retire(retire)
            return
        place = reached(cloud, to)
        say(rotation.rotate(lambda key: deliver(key, place)))


def _machine(cloud: Connection, prefix: str, options: dict[str, Any]) -> Handover:
    seen = observe(cloud, Mark(prefix))
    if not (seen.servers and seen.floating_ips):
        raise NovaError(f"{prefix} has no server with an address in this cloud", "`novaburst nova up` makes one.")
    return handover(seen.servers[0].id, seen.floating_ips[0].address, prefix, options)
