"""Starting and stopping the local cloud as a newcomer does, mistakes included."""

import socket
import subprocess
from pathlib import Path

import psutil
import requests

from tests.e2e.cloud import NOVABURST, Cloud, free_port, started, until
from tests.photos import larger_photos

# What the shell of somebody with another AWS, behind a proxy, may hold.
ELSEWHERE = {
    "AWS_PROFILE": "work",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1",
    "AWS_SESSION_TOKEN": "token",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
}


def refused(*options: str) -> str:
    finished = subprocess.run(
        [NOVABURST, "up", *options], capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL
    )
    assert finished.returncode == 1
    assert len(finished.stderr.strip().splitlines()) == 1, finished.stderr
    return finished.stderr


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in refused("--port", str(port), "--state", str(tmp_path))


def test_a_second_start_on_the_same_state_folder_is_said_in_one_line(cloud: Cloud) -> None:
    assert "in use by process" in refused("--port", str(free_port()), "--state", str(cloud.state))


def test_commands_that_speak_to_aws_are_told_of_the_embedded_one(cloud: Cloud) -> None:
    listed = f"set -a; . {cloud.state}/aws.env; {NOVABURST} dlq list"
    assert f". {cloud.state}/aws.env" in cloud.wait_for_line("its AWS", 10)
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path.cwd()), **ELSEWHERE}
    said = subprocess.run(["sh", "-c", listed], capture_output=True, text=True, check=False, timeout=60, env=bare)
    assert "the dead-letter queue has nothing to show" in said.stdout, said.stderr


def test_ctrl_c_ends_every_process_and_closes_every_port(tmp_path: Path) -> None:
    with started(tmp_path, "--boot-seconds", "0", "--idle-seconds", "60", environment=ELSEWHERE) as cloud:
        file = larger_photos()["daisy"]
        with file.open("rb") as content:
            url = f"{cloud.url}/api/v1/upload?wait=60"
            assert requests.post(url, files={"photo": content}, timeout=90).status_code == 200
        assert cloud.workers()
        assert cloud.stop() == 0
        assert len(cloud.ever_seen) >= 5
        assert not [process for process in cloud.ever_seen if process.is_running()]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", cloud.port)) != 0
        # What it names is anybody's port now.
        assert not (tmp_path / "aws.env").exists()


def test_a_killed_supervisor_leaves_nothing_running(tmp_path: Path) -> None:
    with started(tmp_path, "--boot-seconds", "0") as cloud:
        psutil.Process(cloud.process.pid).kill()
        until(lambda: not [p for p in cloud.ever_seen if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], 40)
