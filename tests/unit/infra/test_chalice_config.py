"""One prefix in all of `.chalice/`, whichever it is."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.chalice_config import CHALICE, ChaliceConfigError, set_prefix


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


def test_an_installation_without_the_checkout_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ChaliceConfigError, match="deploy from a checkout"):
        set_prefix("lab-7", tmp_path)
