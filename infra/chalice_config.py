"""The prefix and the preset in `.chalice/`: Chalice reads settings and policy from files, which know no variables."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

CHALICE = Path(__file__).parents[1] / ".chalice"
_FILES = ("config.json", "policy.json")
# What the prefix is part of, or all of; everything else that is called novaburst is the project's own name.
_PLACES = (
    r'(?<="NOVABURST_PREFIX": "){}(?=")',
    r'(?<=novaburst:fleet": "){}(?=")',
    r'(?<=[:/]){}(?=-(?:req-queue|wake-queue|worker)")',
)


# The variables of every stage.
_VARIABLES = re.compile(r'^(  "environment_variables": )(\{[^{}]*\})', re.MULTILINE)


class ChaliceConfigError(ValueError):
    """`.chalice/` is not as this project has it; the text says what is missing."""


def set_prefix(prefix: str, folder: Path = CHALICE) -> bool:
    """Make the Lambda's settings and policy those of the deployment `prefix`; False if they were already.

    The policy then names this deployment's queues, role and fleet, and no other's: wildcards that fit every prefix
    would let one deployment's Lambda end another's workers.

    Raises:
        ChaliceConfigError: a file is missing, or names no prefix.
    """
    try:
        texts = {name: (folder / name).read_text() for name in _FILES}
    except OSError as error:
        raise ChaliceConfigError(
            f"{error.filename}: {error.strerror}; deploy from a checkout of the project"
        ) from error
    found = re.search(r'"NOVABURST_PREFIX": "([^"]+)"', texts["config.json"])
    if found is None:
        raise ChaliceConfigError(f"{folder / 'config.json'}: no NOVABURST_PREFIX")
    present = found.group(1)
    if present == prefix:
        return False
    places = "|".join(place.format(re.escape(present)) for place in _PLACES)
    for name, text in texts.items():
        (folder / name).write_text(re.sub(places, prefix, text))
    return True


def set_variables(variables: Mapping[str, str], folder: Path = CHALICE) -> bool:
    """Set these variables of the Lambda in every stage, beside those that are there; False if they were set already.

    Raises:
        ChaliceConfigError: the file has no such variables.
    """
    file = folder / "config.json"
    text = file.read_text()
    found = _VARIABLES.search(text)
    if found is None:
        raise ChaliceConfigError(f"{file}: no environment_variables")
    present = json.loads(found.group(2))
    wanted = {**present, **variables}
    if present == wanted:
        return False
    file.write_text(text[: found.start(2)] + json.dumps(wanted) + text[found.end(2) :])
    return True
