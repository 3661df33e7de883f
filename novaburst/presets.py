"""Presets: with `NOVABURST_PRESET=<name>` other variables have other defaults. Each tier and command reads it the same.

A variable that is set wins over its preset; an option of a command wins over both.
"""

import os
from collections.abc import Mapping

VARIABLE = "NOVABURST_PRESET"

# What the public course's clients and graders expect, where it is not the default already: the names that follow
# `NOVABURST_PREFIX` (there: the student's id), `app-tier-instance`, and messages of at most 1,024 bytes are.
_CSE546 = {
    # The fleet is to be back at none within seconds of the end.
    "NOVABURST_IDLE_SECONDS": "5",
    "NOVABURST_MIN_WORKERS": "0",
    # Their hundred requests at once are to call for all of the twenty.
    "NOVABURST_MAX_WORKERS": "20",
    "NOVABURST_IMAGES_PER_WORKER": "5",
    # Clients post to port 8000, which is nginx's: gunicorn listens behind it.
    "NOVABURST_BIND": "127.0.0.1:8001",
}
PRESETS: Mapping[str, Mapping[str, str]] = {"cse546": _CSE546}

# Those that the Lambda reads.
_OF_THE_LAMBDA = frozenset(
    {
        "NOVABURST_IDLE_SECONDS",
        "NOVABURST_IMAGES_PER_WORKER",
        "NOVABURST_MAX_WORKERS",
        "NOVABURST_MIN_WORKERS",
    }
)


class PresetError(ValueError):
    """There is no preset of that name; the text names the variable and those that there are."""


def defaults(environment: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The variables of the preset that the environment names, as the preset has them, whatever is set.

    Raises:
        PresetError: there is none of that name.
    """
    name = environment.get(VARIABLE)
    if not name:
        return {}
    if name not in PRESETS:
        raise PresetError(f"{VARIABLE}: {name!r} is no preset; there is {', '.join(PRESETS)}")
    return PRESETS[name]


def chosen(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of the preset that the environment names, each as it is set there or else as the preset has it.

    Raises:
        PresetError: there is none of that name.
    """
    return {variable: environment.get(variable) or value for variable, value in defaults(environment).items()}


def set_for_the_lambda(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the environment itself sets of the variables that a preset may have for the Lambda, preset or not."""
    return {variable: environment[variable] for variable in sorted(_OF_THE_LAMBDA) if environment.get(variable)}


def of_the_lambda(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What of the preset the scaling Lambda must be told, since it reads no preset itself.

    Raises:
        PresetError: there is none of that name.
    """
    return {variable: value for variable, value in chosen(environment).items() if variable in _OF_THE_LAMBDA}
