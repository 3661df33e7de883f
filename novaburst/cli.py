"""The `novaburst` command: each subcommand is imported only when it is called, since a tier installs only its own."""

import errno
import importlib
import io
import os
import sys

import click

from novaburst.control_characters import visible
from novaburst.presets import PresetError
from novaburst.settings import SettingsError

_COMMANDS = {
    "deploy": ("infra.command", "deploy_command"),
    "dlq": ("novaburst.commands.dlq", "dlq_command"),
    "estimate": ("simulator.command", "estimate_command"),
    "nova": ("novaburst.commands.nova", "nova_command"),
    "plan": ("novaburst.commands.plan", "plan_command"),
    "rebuild": ("novaburst.commands.rebuild", "rebuild_command"),
    "results": ("novaburst.commands.results", "results_command"),
    "scale": ("novaburst.commands.scale", "scale_command"),
    "simulate": ("simulator.command", "simulate_command"),
    "status": ("novaburst.commands.status", "status_command"),
    "submit": ("novaburst.commands.submit", "submit_command"),
    "token": ("novaburst.commands.token", "token_command"),
    "up": ("local_cloud.command", "up_command"),
    "watch": ("novaburst.commands.watch", "watch_command"),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`novaburst {cmd_name}` needs {error.name}, which is not installed here: "
                "pip install --requirement requirements-dev.txt"
            ) from error
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (SettingsError, PresetError) as error:
            raise click.ClickException(visible(str(error), keep="\n")) from error
        except click.ClickException as error:
            # It may quote a file's name or a server's words; to click's types the message is final.
            vars(error)["message"] = visible(error.message, keep="\n")
            raise
        except OSError as error:
            # A reader of a pipe who has gone is click's own to deal with.
            if error.errno != errno.EPIPE and _output_is_lost():
                raise click.ClickException(f"the output cannot be written: {error.strerror}") from error
            raise


def _output_is_lost() -> bool:
    """Whether standard output takes nothing, as on a full disk; what is left for it is dropped then."""
    try:
        print(end="", flush=True)
    except OSError:
        # Else Python would try once more at its end, and complain in its own way.
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no file of ours
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return True
    return False


@click.group(cls=_LazyGroup)
@click.version_option(package_name="novaburst")
def main() -> None:
    """Image classification bursts: a private cloud takes the traffic, AWS takes the work."""
    # A name with a letter that the output's encoding lacks is no reason to lose the others.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
