"""The prefix and the preset in `.chalice/`: Chalice reads settings and policy from files, which know no variables."""

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHALICE = Path(__file__).parents[1] / ".chalice"
_FILES = ("config.json", "policy.json")
_A_PREFIX = "[a-z0-9][a-z0-9-]{1,40}"
# What the prefix is part of, or all of; everything else that is called novaburst is the project's own name.
_PLACES = re.compile(
    rf'(?<="NOVABURST_PREFIX": "){_A_PREFIX}(?=")'
    rf'|(?<=novaburst:fleet": "){_A_PREFIX}(?=")'
    rf'|(?<=[:/]){_A_PREFIX}(?=-(?:req-queue|wake-queue|worker)")'
)
_VARIABLES = "environment_variables"
# What `set_variables` changed there, and what was there before.
_RECORD = "set_by_novaburst_deploy"


class ChaliceConfigError(ValueError):
    """`.chalice/` is not as this project has it; the text says what is missing."""


def set_prefix(prefix: str, folder: Path = CHALICE) -> bool:
    """Make the Lambda's settings and policy those of the deployment `prefix`; False if they were already.

    The policy then names this deployment's queues, role and fleet, and no other's: wildcards that fit every prefix
    would let one deployment's Lambda end another's workers.

    Raises:
        ChaliceConfigError: a file is missing or cannot be written, or names no prefix.
    """
    try:
        texts = {name: (folder / name).read_text() for name in _FILES}
    except OSError as error:
        raise ChaliceConfigError(
            f"{error.filename}: {error.strerror}; deploy from a checkout of the project"
        ) from error
    if re.search(rf'"NOVABURST_PREFIX": "{_A_PREFIX}"', texts["config.json"]) is None:
        raise ChaliceConfigError(f"{folder / 'config.json'}: no NOVABURST_PREFIX")
    # Whichever prefix each file has now: a call that was interrupted between them left two.
    wanted = {name: _PLACES.sub(prefix, text) for name, text in texts.items()}
    if wanted == texts:
        return False
    try:
        for name, text in wanted.items():
            (folder / name).write_text(text)
    except OSError as error:
        raise ChaliceConfigError(f"{error.filename}: {error.strerror}") from error
    return True


def set_variables(chosen: Mapping[str, str], defaults: Mapping[str, str], folder: Path = CHALICE) -> bool:
    """Give the Lambda these variables, and take back what the call before gave it; False if nothing changed.

    What was there before comes back first, so that nothing of one deployment stays for the next. What a person has
    written into the file since is theirs, and stays.

    Args:
        chosen: win over whatever the file says, in every stage.
        defaults: for what the file does not say; a stage's own value wins, as Chalice has it.
        folder: `.chalice/`.

    Raises:
        ChaliceConfigError: the file cannot be read or written, or has no such variables.
    """
    file = folder / "config.json"
    try:
        document = json.loads(file.read_text())
        wanted = copy.deepcopy(document)
        everywhere, *others = _places(wanted)
        for place in (everywhere, *others):
            _take_back(place)
        missing = {name: value for name, value in defaults.items() if name not in everywhere[_VARIABLES]}
        _write(everywhere, {**missing, **chosen})
        for place in others:
            _write(place, {name: value for name, value in chosen.items() if name in place[_VARIABLES]})
        if wanted == document:
            return False
        file.write_text(json.dumps(wanted, indent=2) + "\n")
    except OSError as error:
        raise ChaliceConfigError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise ChaliceConfigError(f"{file}: not as this project has it: {error!r}") from error
    return True


def _places(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What has variables: the document, which must, and those stages, and functions in them, that have their own."""
    stages = list(document.get("stages", {}).values())
    functions = [one for stage in stages for one in stage.get("lambda_functions", {}).values()]
    if _VARIABLES not in document:
        raise ValueError(f"no {_VARIABLES}")
    return [document, *(place for place in (*stages, *functions) if _VARIABLES in place)]


def _write(place: dict[str, Any], values: Mapping[str, str]) -> None:
    """Set variables, and remember beside them what was there; Chalice ignores the key."""
    variables = place[_VARIABLES]
    record = {name: {"set": value, "before": variables.get(name)} for name, value in values.items()}
    changes = {name: one for name, one in record.items() if one["before"] != one["set"]}
    variables.update(values)
    if changes:
        place[_RECORD] = changes


def _take_back(place: dict[str, Any]) -> None:
    variables = place[_VARIABLES]
    for name, one in place.pop(_RECORD, {}).items():
        if variables.get(name) != one["set"]:
            continue
        if one["before"] is None:
            del variables[name]
        else:
            variables[name] = one["before"]
