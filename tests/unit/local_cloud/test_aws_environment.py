"""What the local cloud's processes, and shells beside it, take for AWS."""

import subprocess

import pytest

from local_cloud import aws_environment

HERE = "http://127.0.0.1:5000"
ELSEWHERE = {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "http://elsewhere", "AWS_SESSION_TOKEN": "token"}


def left(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("AWS_")}


def test_nothing_of_another_aws_is_left_in_an_environment() -> None:
    environment = {**ELSEWHERE, "HOME": "/root", "NO_PROXY": "internal"}
    aws_environment.turn(environment, HERE)
    assert left(environment) == aws_environment.variables(HERE)
    assert environment["HOME"] == "/root"
    assert environment["no_proxy"] == environment["NO_PROXY"] == "internal,127.0.0.1,localhost"


@pytest.mark.parametrize("elsewhere", [{}, ELSEWHERE])
def test_nothing_of_another_aws_is_left_in_a_shell(elsewhere: dict[str, str]) -> None:
    script = f"set -aeu\n{aws_environment.lines(HERE, {'NOVABURST_PREFIX': 'a b'})}env"
    bare = {"PATH": "/usr/bin:/bin", **elsewhere}
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=bare).stdout
    environment = dict(line.split("=", 1) for line in printed.splitlines())
    assert left(environment) == aws_environment.variables(HERE)
    assert environment["NOVABURST_PREFIX"] == "a b"
    assert environment["no_proxy"] == environment["NO_PROXY"] == ",127.0.0.1,localhost"
