"""`novaburst deploy`: the AWS resources, created or brought up to date from the command line."""

import json
from collections.abc import Mapping

import botocore.exceptions
import click

from infra import chalice_config
from infra.deploy import DeployError, deploy, stack_name
from infra.upgrade import Upgrade, UpgradeError, replace_outdated
from novaburst import presets
from novaburst.bounds import HEARTBEAT_SECONDS, IDLE_SECONDS
from novaburst.settings import Settings, require_region
from novaburst.terminal import Console, Table
from scaling_lambda.settings import Settings as LambdaSettings
from scaling_lambda.settings import SettingsError as LambdaSettingsError

# The template's parameters that have an option of their own, by option name.
_PARAMETERS = {
    "image_id": "ImageId",
    "instance_type": "InstanceType",
    "root_device_name": "RootDeviceName",
    "security_group_id": "SecurityGroupId",
    "idle_seconds": "IdleSeconds",
    "visibility_timeout": "VisibilityTimeout",
    "max_receive_count": "MaxReceiveCount",
    "retention_days": "RetentionDays",
    "operator_email": "OperatorEmail",
}
_IDLE = "NOVABURST_IDLE_SECONDS"


@click.command("deploy")
@click.option("--prefix", help="Starts the name of every resource; NOVABURST_PREFIX by default.")
@click.option("--image-id", help="The workers' AMI, as `packer build worker_ami/packer.json` printed it.")
@click.option("--instance-type", help="Of the workers.")
@click.option("--root-device-name", help="Of the AMI, to be encrypted.")
@click.option("--security-group-id", help="Of the workers; by default the default VPC's own.")
@click.option("--idle-seconds", type=click.IntRange(1, 3600), help="For which a worker without work stays.")
@click.option(
    "--visibility-timeout", type=click.IntRange(2 * HEARTBEAT_SECONDS, 43200), help="Of the request queue, in seconds."
)
@click.option("--max-receive-count", type=click.IntRange(6, 1000), help="Receives before a request is a dead letter.")
@click.option("--retention-days", type=click.IntRange(1, 3650), help="For which images and results are kept.")
@click.option("--operator-email", help="Told of the alarms that a person must see, once AWS has had it confirmed.")
@click.option("--json", "as_json", is_flag=True, help="Print the outputs as one JSON object.")
def deploy_command(prefix: str | None, as_json: bool, **options: str | int | None) -> None:
    """Create or update the AWS resources of one deployment; what is not given stays as it is.

    A first deployment on AWS needs --image-id. `.chalice/` is then made that of the same prefix and preset, for
    `chalice deploy`: it has what this call's environment says of the fleet's bounds, and nothing of the call before.
    Workers of an older image or older settings are replaced.
    """
    settings = Settings.load(**({} if prefix is None else {"prefix": prefix}))
    require_region()
    told = presets.of_the_lambda()
    chosen = presets.set_for_the_lambda()
    # The workers' idle time is the Lambda's, too: its net must come later.
    if options["idle_seconds"] is not None:
        chosen[_IDLE] = str(options["idle_seconds"])
    options["idle_seconds"] = chosen.get(_IDLE) or told.get(_IDLE)
    try:
        # A value that the Lambda would refuse at its start is refused before anything is made.
        LambdaSettings.load({**told, **chosen})
        outputs = deploy(settings.prefix, _given(options))
        # The stack keeps an idle time that an earlier call has given, and the Lambda is told of it again.
        if outputs["IdleSeconds"] != str(IDLE_SECONDS):
            told = {_IDLE: outputs["IdleSeconds"], **told}
        changed = chalice_config.set_prefix(settings.prefix, chalice_config.CHALICE)
        changed |= chalice_config.set_variables(chosen, told, chalice_config.CHALICE)
        if changed:
            click.echo(f"{chalice_config.CHALICE} is now that of {settings.prefix}: run chalice deploy", err=True)
        _say(replace_outdated(settings.prefix))
    except (
        DeployError,
        LambdaSettingsError,
        UpgradeError,
        chalice_config.ChaliceConfigError,
        botocore.exceptions.BotoCoreError,
    ) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(outputs, indent=2))
        return
    table = Table("output", "value", title=f"stack {stack_name(settings.prefix)}")
    for name, value in sorted(outputs.items()):
        table.add_row(name, value)
    Console().print(table)


def _say(upgrade: Upgrade) -> None:
    for done, why, instances in (
        ("ended", "they stood by", upgrade.ended),
        ("sent away", "they finish what they hold, and others take their place", upgrade.sent_away),
        ("left alone", "a person keeps them by the tag novaburst:keep", upgrade.kept),
    ):
        if instances:
            names = ", ".join(instances)
            click.echo(f"workers of an older launch template {done}: {names} ({why})", err=True)


def _given(options: Mapping[str, str | int | None]) -> dict[str, str]:
    return {_PARAMETERS[name]: str(value) for name, value in options.items() if value is not None}
