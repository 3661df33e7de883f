"""Nothing that this project ships, bakes, sends at boot or prints holds a secret."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.deploy import TEMPLATE
from novaburst.cli import main
from tests.unit.infra.iam import template
from web_tier.tokens import new_text

PROJECT = TEMPLATE.parents[1]
FOLDERS = (
    *(".chalice", ".ci", "bench", "deploy", "docs", "infra", "local_cloud", "novaburst", "scaling_lambda"),
    *("simulator", "tests", "web_tier", "worker_ami"),
)
# By the forms of those who issue them: AWS, PEM, GitHub, Slack, Google, ourselves; and an AWS secret beside its name.
SECRET = re.compile(
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|gh[pousr]_[A-Za-z0-9]{36}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[0-9A-Za-z_-]{35}"
    r"|nbt_[0-9A-Za-z_-]{43}"
    r"|(?i:secret_?(?:access_?)?key)[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}\b"
)
# Made up: AWS's own example, which opens nothing, and the keys of the embedded AWS, which asks for none.
MADE_UP = re.compile(r"(?:AKIA|ASIA)(?:IOSFODNN7EXAMPLE|LOCALCLOUD[A-Z]{6})|EXAMPLEKEY\b")


def files() -> Iterator[Path]:
    yield from (path for path in PROJECT.iterdir() if path.is_file())
    for folder in FOLDERS:
        for path in (PROJECT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and "deployments" not in path.parts:
                yield path


def secrets_in(text: str) -> list[str]:
    return [found[0] for found in SECRET.finditer(text) if not MADE_UP.search(found[0])]


def test_the_search_finds_each_form() -> None:
    for made in (
        "AKIA" + "Z" * 16,
        "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----",
        "ghp_" + "a" * 36,
        new_text(),
        '"aws_secret_access_key": "' + "a" * 40 + '"',
        "SecretAccessKey=" + "a" * 40,
    ):
        assert secrets_in(f"x {made} y"), made


def test_no_file_of_the_project_holds_a_secret() -> None:
    searched = list(files())
    assert len(searched) > 300
    found = {path: secrets_in(path.read_bytes().decode("utf-8", "replace")) for path in searched}
    assert {path.relative_to(PROJECT).as_posix(): secrets for path, secrets in found.items() if secrets} == {}


def test_no_key_is_among_what_an_instance_is_told_at_its_boot() -> None:
    # A worker has its role, and the web tier's key comes over SSH: user data can be read by every process there.
    data = template()["Resources"]["WorkerLaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    [text] = data["Fn::Base64"].values()
    assert re.findall(r"^ *([A-Z_]+)=", text, re.MULTILINE) == [
        "NOVABURST_PREFIX",
        "NOVABURST_IDLE_SECONDS",
        "NOVABURST_VISIBILITY_SECONDS",
        "AWS_DEFAULT_REGION",
    ]


def test_the_template_takes_no_secret_and_puts_out_none() -> None:
    document = template()
    assert not [name for name in document["Parameters"] if re.search(r"(?i)secret|token|password", name)]
    # CloudFormation shows outputs to whoever may describe the stack.
    assert not [name for name, one in document["Resources"].items() if one["Type"] == "AWS::IAM::AccessKey"]


@pytest.mark.parametrize("folder", ["provision", "systemd", "cloudwatch", "nginx"])
def test_the_bake_names_no_key_and_leaves_none(folder: str) -> None:
    for path in (PROJECT / "worker_ami" / folder).iterdir():
        if path.is_file():
            text = path.read_text()
            assert not re.search(r"(?i)AWS_(?:ACCESS|SECRET|SESSION)|aws_secret", text), path
    packer = (PROJECT / "worker_ami" / "packer.json").read_text()
    assert not re.search(r'"(?:access_key|secret_key|token|ssh_password)"', packer)
    # The bake's own key would let its owner into every worker.
    assert '"ssh_clear_authorized_keys": true' in packer
    assert "ssh_host_" in (PROJECT / "worker_ami" / "provision" / "cleanup.sh").read_text()


@pytest.mark.parametrize("arguments", [["scale"], ["scale", "--json"], ["scale", "--workers", "x"]])
def test_a_command_that_fails_prints_no_token(arguments: list[str], tmp_path: Path) -> None:
    token = "the-token-of-this-run"
    file = tmp_path / "token"
    file.write_text(token)
    # Nothing listens at the discard port of this machine.
    url = ["--url", "http://127.0.0.1:9"]
    variables = {"NOVABURST_SCALE_TOKEN": token, "AWS_SECRET_ACCESS_KEY": token}
    for given in ([], ["--token-file", str(file)]):
        finished = CliRunner(env=variables).invoke(main, [*arguments, *url, *given])
        assert finished.exit_code != 0
        assert token not in finished.output
