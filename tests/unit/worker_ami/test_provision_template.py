"""What the bake in a root folder takes from Packer's template."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from worker_ami.chroot.__main__ import TEMPLATE
from worker_ami.chroot.template import TemplateError, read_provisioning


def _steps(kind: str) -> list[dict[str, Any]]:
    return [step for step in json.loads(TEMPLATE.read_text())["provisioners"] if step["type"] == kind]


def _changed(folder: Path, **changes: object) -> Path:
    """A template like ours, but for some keys of its last provisioner."""
    document = json.loads(TEMPLATE.read_text())
    document["provisioners"][-1] |= changes
    template = folder / "packer.json"
    template.write_text(json.dumps(document))
    return template


def test_the_scripts_run_in_the_order_of_the_template() -> None:
    provisioning = read_provisioning(TEMPLATE, {})
    named = _steps("shell")[-1]["scripts"]
    assert [f"{{{{template_dir}}}}/provision/{script.name}" for script in provisioning.scripts] == named
    assert all(script.is_file() for script in provisioning.scripts)


def test_the_sources_are_those_that_packer_copies_and_all_exist() -> None:
    provisioning = read_provisioning(TEMPLATE, {})
    (copy,) = _steps("file")
    assert [source.name for source in provisioning.sources] == [Path(source).name for source in copy["sources"]]
    assert all(source.exists() for source in provisioning.sources)
    assert provisioning.destination.rstrip("/") == provisioning.environment["SOURCE"]


def test_a_variable_given_by_hand_replaces_the_template_s_own() -> None:
    assert read_provisioning(TEMPLATE, {}).environment["ENGINE"] == "onnxruntime"
    assert read_provisioning(TEMPLATE, {"engine": "torch"}).environment["ENGINE"] == "torch"


def test_the_image_is_the_same_for_every_deployment() -> None:
    # One that was baked for `novaburst` shipped the logs of no other prefix: their roles may not write to its group.
    assert read_provisioning(TEMPLATE, {"prefix": "lab-7"}) == read_provisioning(TEMPLATE, {})


def test_the_release_is_that_of_the_source_image() -> None:
    assert read_provisioning(TEMPLATE, {}).debian == "12"
    assert read_provisioning(TEMPLATE, {"source_ami_name": "debian-13-amd64-*"}).debian == "13"


@pytest.mark.parametrize("variables", [{"prefx": "lab-7"}, {"source_ami_name": "ubuntu-24.04-*"}])
def test_a_variable_that_the_template_does_not_know_is_refused(variables: Mapping[str, str]) -> None:
    with pytest.raises(TemplateError):
        read_provisioning(TEMPLATE, variables)


@pytest.mark.parametrize(
    "changes", [{"environment_vars": ["A={{isotime}}"]}, {"environment_vars": ["A={{user `none`}}"]}, {"type": "file"}]
)
def test_a_template_that_this_reader_would_misread_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(TemplateError):
        read_provisioning(_changed(tmp_path, **changes), {})


def test_a_script_gets_its_variables_whole_whatever_they_hold(tmp_path: Path) -> None:
    script = tmp_path / "a script.sh"
    script.write_text('printf "%s" "$MODEL_OPTIONS"')
    template = _changed(tmp_path, execute_command="env {{ .Vars }} bash {{ .Path }}")
    options = '--labels "it\'s $HOME" --model x;y'
    command = read_provisioning(template, {"model_options": options}).command(str(script), {"MORE": "1"})
    assert subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout == options
