"""`novaburst nova`: the web tier on a private OpenStack cloud, up, down and seen."""

import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Column

from novaburst.commands.nova_import import import_ami_command
from novaburst.commands.nova_key import key_command
from novaburst.commands.nova_options import FILE, cloud_option, handover, prefix_option, reach_options, settings
from novaburst.commands.options import text_of
from novaburst.commands.progress import Meter
from novaburst.commands.site import SITE_FIELDS, site_options, site_settings
from novaburst.settings import Settings, require_region
from novaburst.terminal import Console, Table, say
from web_tier.nova import glance
from web_tier.nova.connect import connected
from web_tier.nova.handover import hand_over
from web_tier.nova.inventory import inventory
from web_tier.nova.launch import carry_out
from web_tier.nova.mark import Mark
from web_tier.nova.observe import observe
from web_tier.nova.plan import Plan, plan_down, plan_up
from web_tier.nova.problem import NovaError
from web_tier.nova.ready import probe
from web_tier.nova.resources import Kind
from web_tier.nova.user_data import user_data
from web_tier.nova.wanted import ImageFile, Wanted

_FORMATS = ("qcow2", "raw", "vmdk", "vhd", "vhdx", "vdi", "iso")
# What `ssh-keygen` makes, the newest kind first.
_PUBLIC_KEYS = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")
# As OpenStack's services make them.
_ID_CHARACTERS = 36


class _Group(click.Group):
    """Says of every known problem what helps, on a line of its own."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NovaError as error:
            raise click.ClickException(f"{error.text}\nWhat helps: {error.remedy}") from error


@click.group("nova", cls=_Group)
def nova_command() -> None:
    """The web tier on a private OpenStack cloud."""


nova_command.add_command(import_ami_command)
nova_command.add_command(key_command)


@nova_command.command("up")
@cloud_option
@prefix_option
@click.option("--image-file", type=FILE, help="A cloud image on this machine, to be uploaded.")
@click.option("--disk-format", type=click.Choice(_FORMATS), help="Of the file; by default what it begins like.")
@click.option("--image", help="Instead, the name or id of an image that is there.")
@click.option("--public-key", type=FILE, help="For SSH; by default that of ~/.ssh.")
@click.option("--key-pair", help="Instead, the name of a key pair that is there.")
@click.option("--flavor", help="By default one of 512 MB and 5 GB, made where that is permitted.")
@click.option("--external-network", help="Where addresses come from; may be left out when there is but one.")
@click.option(
    "--ssh-from",
    multiple=True,
    metavar="CIDR",
    callback=lambda _, __, given: tuple(_range(text) for text in given),
    help="Who may reach SSH; again for more. By default nobody.",
)
@click.option(
    "--cidr",
    default="10.77.0.0/24",
    show_default=True,
    callback=lambda _, __, given: _range(given),
    help="Of the network behind the router.",
)
@click.option("--name-server", "name_servers", multiple=True, help="Instead of the cloud's; again for more.")
@site_options
@click.option("--replace-server", is_flag=True, help="Replace it if its image or user data changed; the address stays.")
@reach_options
@click.option(
    "--bring-key/--no-bring-key", default=True, help="Make an AWS key and bring it over SSH, when it has none."
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
def up_command(os_cloud: str | None, prefix: str | None, dry_run: bool, **options: Any) -> None:
    """Bring the web tier up, or complete it; run again, it changes nothing."""
    chosen = settings(prefix)
    wanted = _wanted(chosen, options)
    with connected(os_cloud) as cloud:
        image = wanted.image if isinstance(wanted.image, str) else None
        seen = observe(cloud, wanted.mark, image=image, key_pair=wanted.key_pair)
        plan = plan_up(wanted, seen)
        if dry_run:
            _print(plan)
            return
        for note in plan.notes:
            say(f"note: {note}", err=True)
        with Meter() as meter:
            ids = carry_out(cloud, plan, wanted, say, _progress(meter))
        if not plan.steps:
            say("nothing to do")
        address = cloud.network.get_ip(ids[Kind.FLOATING_IP]).floating_ip_address
        to = handover(ids[Kind.SERVER], address, chosen.prefix, options)
        sight = hand_over(cloud, to, say, bring_key=options["bring_key"])
    if sight.lacks_key:
        say("installed; it has no good AWS key yet: docs/openstack.md says how to bring it one")
    say(f"http://{address}/")


@nova_command.command("down")
@cloud_option
@prefix_option
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
def down_command(os_cloud: str | None, prefix: str | None, dry_run: bool) -> None:
    """Remove exactly what carries this deployment's mark."""
    mark = Mark(settings(prefix).prefix)
    with connected(os_cloud) as cloud:
        plan = plan_down(observe(cloud, mark))
        if dry_run:
            _print(plan)
            return
        carry_out(cloud, plan, None, say, lambda _sent, _size: None)
    say(f"nothing carries {mark.tag} any more" if plan.steps else "nothing to do")


@nova_command.command("status")
@cloud_option
@prefix_option
@click.option("--json", "as_json", is_flag=True, help="Print the resources as JSON.")
def status_command(os_cloud: str | None, prefix: str | None, as_json: bool) -> None:
    """Show what the deployment has, and whether its web tier answers."""
    mark = Mark(settings(prefix).prefix)
    with connected(os_cloud) as cloud:
        seen = observe(cloud, mark)
    items = inventory(seen)
    if as_json:
        click.echo(json.dumps([item.as_json() for item in items], indent=2))
        return
    console = Console()
    if not items:
        console.print(f"nothing carries {mark.tag}")
        return
    # An id that is cut short can be given to no other command.
    table = Table("resource", Column("id", min_width=_ID_CHARACTERS), "state", title=mark.tag)
    for item in items:
        table.add_row(item.kind, item.id, escape(item.state))
    console.print(table)
    for ip in seen.floating_ips:
        console.print(f"http://{ip.address}/: {probe(f'http://{ip.address}/readyz')}", soft_wrap=True)


def _range(text: str) -> str:
    """A range of addresses as Neutron keeps it: what is not kept as it was given would never be found again."""
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        raise click.BadParameter(f"{text}: {error}") from error


def _wanted(chosen: Settings, options: dict[str, Any]) -> Wanted:
    site = site_settings(
        chosen.prefix,
        require_region(),
        variables=options["variables"],
        **{name: options[name] for name in SITE_FIELDS},
    )
    key_pair: str | None = options["key_pair"]
    return Wanted(
        mark=Mark(chosen.prefix),
        user_data=user_data(site),
        image=_image(options["image"], options["image_file"], options["disk_format"]),
        public_key=None if key_pair else _public_key(options["public_key"]),
        key_pair=key_pair,
        external_network=options["external_network"],
        flavor=options["flavor"],
        ssh_from=options["ssh_from"],
        cidr=options["cidr"],
        name_servers=options["name_servers"],
        replace_server=options["replace_server"],
    )


def _image(name: str | None, file: Path | None, disk_format: str | None) -> ImageFile | str:
    if (name is None) == (file is None):
        raise click.UsageError("name an image that is there with --image, or a file with --image-file")
    if file is None:
        return str(name)
    return ImageFile(file, disk_format or glance.disk_format(file), glance.sha512(file))


def _public_key(file: Path | None) -> str | None:
    """The line in that file, or else in the first that SSH would have made."""
    candidates = [Path.home() / ".ssh" / name for name in _PUBLIC_KEYS] if file is None else [file]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    return None if path is None else text_of(path, "public key")


def _progress(meter: Meter) -> Callable[[int, int], None]:
    tasks: list[Any] = []

    def move(sent: int, size: int) -> None:
        if not tasks:
            tasks.append(meter.add("image, bytes", size))
        meter.move(tasks[0], to=sent)

    return move


def _print(plan: Plan) -> None:
    table = Table("what", "why")
    for step in plan.steps:
        table.add_row(escape(str(step)), escape(step.why))
    console = Console()
    console.print(table if plan.steps else "nothing to do")
    for note in plan.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
