"""An EC2 instance as its host sees it, and what is read from its user data."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import dotenv
import yaml

# Where the AMI's systemd unit reads the worker's settings (EnvironmentFile), written by cloud-init from the user data.
ENVIRONMENT_FILE = "/etc/novaburst/worker.env"


@dataclass(frozen=True)
class InstanceView:
    """What EC2 says about one instance at one moment; `metadata_tags` is None unless its launch enabled them."""

    id: str
    # Its place among those of its launch, from 0 on.
    launch_index: int
    state: str
    type: str
    image_id: str
    region: str
    zone: str
    account: str
    private_address: str
    role: str | None
    metadata_tags: Mapping[str, str] | None
    user_data: str


class UserDataError(ValueError):
    """User data from which cloud-init could not set up the worker; the text says why."""


def worker_environment(user_data: str) -> dict[str, str]:
    """The variables of the environment file that a `#cloud-config` document writes; none without such a document.

    Raises:
        UserDataError: a `#cloud-config` document that is not valid, or a file encoding other than base64.
    """
    if not user_data.startswith("#cloud-config"):
        return {}
    try:
        document = yaml.safe_load(user_data) or {}
    except yaml.YAMLError as error:
        raise UserDataError(f"user data is not YAML: {error}") from error
    files = document.get("write_files", []) if isinstance(document, dict) else []
    environment: dict[str, str] = {}
    for entry in files:
        if entry.get("path") == ENVIRONMENT_FILE:
            environment |= parse_environment_file(_content(entry))
    return environment


def parse_environment_file(text: str) -> dict[str, str]:
    """The variables of a systemd EnvironmentFile; a line without `=` is ignored, as systemd does."""
    values = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _content(entry: Mapping[str, str]) -> str:
    content, encoding = entry.get("content", ""), entry.get("encoding", "text/plain")
    if encoding in {"b64", "base64"}:
        return base64.b64decode(content).decode()
    if encoding != "text/plain":
        raise UserDataError(f"write_files of {entry['path']}: encoding {encoding} is not known here")
    return content
