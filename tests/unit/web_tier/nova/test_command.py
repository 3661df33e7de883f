"""What `novaburst nova` refuses before it asks any cloud."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from novaburst.commands.nova import nova_command
from web_tier.nova.problem import NovaError
from web_tier.nova.resources import Observation


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return CliRunner()


@pytest.mark.parametrize(
    "option",
    [["--ssh-from", "192.0.2.7/24"], ["--ssh-from", "everyone"], ["--cidr", "10.0.0.0/40"], ["--cidr", "fd00::/64"]],
)
def test_a_range_of_addresses_that_neutron_would_refuse_or_change_is_refused(
    runner: CliRunner, option: list[str]
) -> None:
    ended = runner.invoke(nova_command, ["up", "--image", "debian", *option])
    assert ended.exit_code == 2
    assert option[1] in ended.output


@pytest.mark.parametrize("options", [[], ["--image", "debian", "--image-file", "image.qcow2"]])
def test_an_image_is_named_or_a_file_but_not_both_and_not_neither(
    runner: CliRunner, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.qcow2").write_bytes(b"QFI\xfb")
    ended = runner.invoke(nova_command, ["up", "--wheels-url", "https://wheels.example/", *options])
    assert ended.exit_code == 2
    assert "--image-file" in ended.output


def test_a_public_key_that_is_no_text_is_refused_in_words(runner: CliRunner, tmp_path: Path) -> None:
    key = tmp_path / "picture"
    key.write_bytes(b"\xff\xd8\xff\xe0")
    arguments = ["up", "--wheels-url", "https://wheels.example/", "--image", "debian", "--public-key", str(key)]
    ended = runner.invoke(nova_command, arguments)
    assert (ended.exit_code, ended.output) == (1, f"Error: {key} holds no public key: it is no text\n")


def test_without_a_machine_there_is_nothing_to_bring_a_key_to(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novaburst.commands.nova_key.connected", nullcontext)
    monkeypatch.setattr("novaburst.commands.nova_key.observe", lambda _cloud, _mark: Observation())
    ended = runner.invoke(nova_command, ["key", "--prefix", "lab-7"])
    assert ended.exit_code == 1
    assert ended.output.startswith("Error: lab-7 has no server with an address")


def test_a_problem_is_told_with_what_helps(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str | None) -> None:
        raise NovaError("no cloud is configured", "Name one with --os-cloud.")

    monkeypatch.setattr("novaburst.commands.nova.connected", refuse)
    ended = runner.invoke(nova_command, ["status"])
    assert ended.exit_code == 1
    assert ended.output == "Error: no cloud is configured\nWhat helps: Name one with --os-cloud.\n"
