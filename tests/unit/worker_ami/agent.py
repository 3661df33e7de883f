"""What systemd does before it starts the CloudWatch agent, told by the drop-in that the image has for it."""

import configparser
import shlex

from worker_ami.chroot.__main__ import TEMPLATE

FOLDER = TEMPLATE.parent / "cloudwatch"
CONFIGURATION = "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"


def drop_in() -> dict[str, str]:
    """Its directives by name."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # its documented way to keep the case of keys
    parser.read(FOLDER / "deployment.conf")
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


def prepare_command() -> list[str]:
    """The command of ExecStartPre, as systemd.service(5) reads its quotes and doubled dollars."""
    return [word.replace("$$", "$") for word in shlex.split(drop_in()["ExecStartPre"])]
