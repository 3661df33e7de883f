"""`novaburst nova import-ami`: an EC2 image becomes an image of the private cloud."""

from collections.abc import Callable
from pathlib import Path

import click
from botocore.exceptions import BotoCoreError, ClientError

from novaburst.aws import ec2_client, iam_client, s3_client
from novaburst.commands.nova_options import cloud_option, prefix_option, settings
from novaburst.commands.progress import Meter
from novaburst.settings import require_region
from novaburst.terminal import say
from web_tier.nova.connect import connected
from web_tier.nova.import_ami import Aws, Watcher, fetch, present, store
from web_tier.nova.import_ami_export import Export, Format
from web_tier.nova.import_ami_role import Place


@click.command("import-ami")
@click.argument("ami")
@cloud_option
@prefix_option
@click.option("--name", help="The image's name in the private cloud; the AMI's id by default.")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    default="vmdk",
    show_default=True,
    help="Of the export.",
)
@click.option(
    "--folder",
    default=Path(".novaburst/images"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the image lies on its way.",
)
def import_ami_command(
    ami: str, *, os_cloud: str | None, prefix: str | None, name: str | None, form: str, folder: Path
) -> None:
    """Export AMI from EC2 through S3 and put it into Glance; interrupted, it goes on where it was."""
    place = Place(settings(prefix).prefix, require_region())
    wanted = Format(form)
    # The private cloud first: an export takes up to an hour, which nobody should wait for in vain.
    with connected(os_cloud) as cloud, Meter() as meter:
        image_id = present(cloud, ami, wanted)
        if image_id is None:
            watcher = Watcher(
                say=lambda text: say(text, err=True),
                exporting=_tell_of_exports(meter),
                fetching=_count(meter, "from S3, bytes"),
                sending=_count(meter, "to Glance, bytes"),
            )
            try:
                aws = Aws(ec2_client(), s3_client(), iam_client())
                disk = fetch(aws, ami, place, wanted, folder, watcher=watcher)
            except (BotoCoreError, ClientError, OSError) as error:
                raise click.ClickException(str(error)) from error
            image_id = store(cloud, disk, name or ami, watcher)
            disk.path.unlink()
    say(image_id)


def _count(meter: Meter, what: str) -> Callable[[int, int], None]:
    tasks: list[int] = []

    def move(done: int, total: int) -> None:
        if not tasks:
            tasks.append(meter.add(what, total))
        meter.move(tasks[0], to=done)  # type: ignore[arg-type] # rich's TaskID is an int

    return move


def _tell_of_exports(meter: Meter) -> Callable[[Export], None]:
    last = ""

    def tell(export: Export) -> None:
        nonlocal last
        words = f"export {export.task}: {export.progress or '0'} %, {export.message or export.status}"
        if words != last:
            meter.say(words)
        last = words

    return tell
