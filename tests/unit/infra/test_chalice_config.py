"""One prefix in all of `.chalice/`, whichever it is, and the variables of one deployment alone."""

import errno
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config

from infra.chalice_config import CHALICE, ChaliceConfigError, set_prefix, set_variables
from novaburst.presets import VARIABLE, of_the_lambda, set_for_the_lambda

# Where the files as they are in the repository have the prefix; the project's own names go on.
_IN_FILES = r"(?<=[\"/:])novaburst(?=\"|-req-queue|-wake-queue|-worker)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = shutil.copytree(CHALICE, tmp_path / "chalice", ignore=shutil.ignore_patterns("deployed", "deployments"))
    set_prefix("novaburst", copy)
    return copy


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.json")}


def values(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from values(item)
    elif isinstance(node, str):
        yield node


def test_queues_role_fleet_and_environment_are_then_that_prefixs_and_no_others(folder: Path) -> None:
    assert set_prefix("lab-7", folder)
    policy = json.loads((folder / "policy.json").read_text())
    named = {value for value in values(policy["Statement"]) if "lab-7" in value}
    assert named == {
        "lab-7",
        "arn:*:sqs:*:*:lab-7-req-queue",
        "arn:*:sqs:*:*:lab-7-wake-queue",
        "arn:*:iam::*:role/lab-7-worker",
    }
    left = {value for value in values(policy["Statement"]) if "novaburst" in value}
    assert left == {
        "arn:*:logs:*:*:log-group:/aws/lambda/novaburst-scaling-*",
        "novaburst:leave",
        "novaburst:marked",
        "novaburst:standby",
        "novaburst:warm",
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["environment_variables"]["NOVABURST_PREFIX"] == "lab-7"
    assert config["tags"] == {"novaburst:fleet": "lab-7"}
    assert config["app_name"] == "novaburst-scaling"


@pytest.mark.parametrize("prefix", ["lab-7", "novaburst-scaling", "worker", "req-queue"])
def test_any_prefix_can_be_taken_back_without_a_trace(folder: Path, prefix: str) -> None:
    before = texts(folder)
    set_prefix(prefix, folder)
    set_prefix("novaburst", folder)
    assert texts(folder) == before


def test_the_same_prefix_again_changes_nothing(folder: Path) -> None:
    before = texts(folder)
    assert not set_prefix("novaburst", folder)
    assert texts(folder) == before


@pytest.mark.parametrize("unwritable", ["config.json", "policy.json"])
@pytest.mark.parametrize("next_prefix", ["lab-7", "lab-8", "novaburst"])
def test_a_call_that_wrote_one_file_alone_is_made_up_for_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch, unwritable: str, next_prefix: str
) -> None:
    before = texts(folder)
    write = Path.write_text

    def fail(path: Path, text: str) -> int:
        if path.name == unwritable:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(ChaliceConfigError, match="No space left"):
        set_prefix("lab-7", folder)
    monkeypatch.undo()
    set_prefix(next_prefix, folder)
    assert texts(folder) == {name: re.sub(_IN_FILES, next_prefix, text) for name, text in before.items()}


def test_an_installation_without_the_checkout_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ChaliceConfigError, match="deploy from a checkout"):
        set_prefix("lab-7", tmp_path)


def deployed(folder: Path, **environment: str) -> bool:
    """What `novaburst deploy` does to the folder in this environment."""
    return set_variables(set_for_the_lambda(environment), of_the_lambda(environment), folder)


def effective(folder: Path, stage: str = "prod", function: str = "on_wake") -> dict[str, str]:
    """The variables that Chalice would give the function, without the `NOVABURST_` of their names."""
    on_disk = json.loads((folder / "config.json").read_text())
    config = Config(stage, function_name=function, config_from_disk=on_disk)
    found = config.environment_variables
    return {name.removeprefix("NOVABURST_"): value for name, value in found.items()}


COURSE = {VARIABLE: "cse546"}


@pytest.mark.parametrize("stage", ["prod", "dev", "local"])
def test_what_an_operator_sets_reaches_the_lambda_of_every_stage_whatever_the_stage_says(
    folder: Path, stage: str
) -> None:
    # With the course's preset and a maximum of 10 the Lambda of `prod` rose to 20.
    deployed(folder, **COURSE, NOVABURST_MAX_WORKERS="10")
    assert effective(folder, stage)["MAX_WORKERS"] == "10"
    assert effective(folder, stage)["IMAGES_PER_WORKER"] == "5"


def test_what_an_operator_sets_needs_no_preset_and_wins_over_a_function_s_own(folder: Path) -> None:
    file = folder / "config.json"
    document = json.loads(file.read_text())
    own = {"environment_variables": {"NOVABURST_MAX_WORKERS": "3"}}
    document["stages"]["prod"]["lambda_functions"] = {"on_wake": own}
    file.write_text(json.dumps(document))
    assert effective(folder)["MAX_WORKERS"] == "3"
    deployed(folder, NOVABURST_MAX_WORKERS="10")
    assert effective(folder)["MAX_WORKERS"] == effective(folder, function="on_alarm")["MAX_WORKERS"] == "10"


def test_a_stage_s_own_value_wins_over_a_preset_s(folder: Path) -> None:
    deployed(folder, **COURSE)
    assert effective(folder, "dev")["MAX_WORKERS"] == "4"
    assert effective(folder, "local")["MAX_WORKERS"] == "20"


def test_nothing_of_one_deployment_s_preset_is_left_for_the_next(folder: Path) -> None:
    before = texts(folder)
    assert deployed(folder, **COURSE, NOVABURST_MAX_WORKERS="10", NOVABURST_MIN_WORKERS="2")
    assert deployed(folder, **COURSE, NOVABURST_MAX_WORKERS="12")
    assert effective(folder)["MAX_WORKERS"] == "12"
    assert effective(folder)["MIN_WORKERS"] == "0"
    assert deployed(folder)
    assert texts(folder) == before


def test_the_same_deployment_again_changes_nothing_in_the_file(folder: Path) -> None:
    deployed(folder, **COURSE, NOVABURST_MAX_WORKERS="10")
    before = texts(folder)
    assert not deployed(folder, **COURSE, NOVABURST_MAX_WORKERS="10")
    assert texts(folder) == before


def test_what_a_person_writes_into_the_file_is_not_taken_for_a_preset_s(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text(file.read_text().replace('"NOVABURST_PREFIX"', '"NOVABURST_IDLE_SECONDS": "9", "NOVABURST_PREFIX"'))
    deployed(folder, **COURSE)
    assert effective(folder)["IDLE_SECONDS"] == "9"
    document = json.loads(file.read_text())
    document["environment_variables"]["NOVABURST_IMAGES_PER_WORKER"] = "7"
    document["environment_variables"]["NOVABURST_STANDBY"] = "1"
    file.write_text(json.dumps(document))
    deployed(folder)
    assert effective(folder) == {
        "PREFIX": "novaburst",
        "IDLE_SECONDS": "9",
        "IMAGES_PER_WORKER": "7",
        "STANDBY": "1",
        "MAX_WORKERS": "20",
    }


def test_a_prefix_can_change_between_two_presets(folder: Path) -> None:
    before = texts(folder)
    deployed(folder, **COURSE)
    set_prefix("lab-7", folder)
    deployed(folder)
    set_prefix("novaburst", folder)
    assert texts(folder) == before


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"environment_variables": {}, "stages": {"prod": 1}}'])
def test_a_file_that_is_not_ours_is_refused_in_words(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ChaliceConfigError, match=r"config\.json: not as this project has it"):
        deployed(folder, **COURSE)
    assert (folder / "config.json").read_text() == text
