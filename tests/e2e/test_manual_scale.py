"""A person scales by hand: through the command line, the web tier and the deployed Lambda, to a real worker."""

import json
import subprocess
import time
from typing import Any

import requests

from tests.e2e.cloud import NOVABURST, Cloud, until


def scale(cloud: Cloud, *options: str) -> Any:
    token_file = str(cloud.state / "scale-token")
    command = [NOVABURST, "scale", "--url", cloud.url, "--token-file", token_file, "--json", *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def fleet(cloud: Cloud) -> Any:
    reply = requests.get(f"{cloud.url}/api/v1/fleet", timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_worker_started_by_hand_finds_nothing_to_do_and_ends_itself(cloud: Cloud) -> None:
    until(lambda: not fleet(cloud)["plan"]["have"], 60)
    planned = scale(cloud, "--workers", "1", "--dry-run")
    assert (planned["via"], planned["lambda_failure"], planned["plan"]["launch"]) == ("lambda", None, 1)
    # Each process of the web tier keeps the fleet's answer for two seconds.
    time.sleep(2.5)
    assert not fleet(cloud)["plan"]["have"]

    done = scale(cloud, "--workers", "1")
    assert done["via"] == "lambda"
    [instance] = done["outcome"]["launched"]
    until(cloud.workers, 20)

    def active() -> list[str]:
        return [one["id"] for one in fleet(cloud)["instances"] if one["state"] in {"pending", "running"}]

    # The fleet's answer is kept for two seconds.
    until(lambda: active() == [instance], 10, lambda: f"{active()} is not {instance}")
    assert fleet(cloud)["evaluations"][0]["did"] == {"launched": 1}

    until(lambda: not cloud.workers(), 40)
    until(lambda: not fleet(cloud)["plan"]["have"], 10)


def test_the_token_of_the_local_cloud_is_its_users_own_and_no_other_opens_the_door(cloud: Cloud) -> None:
    assert (cloud.state / "scale-token").stat().st_mode & 0o777 == 0o600
    assert "novaburst scale --workers 1" in cloud.wait_for_line("by hand", 10)
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        reply = requests.post(f"{cloud.url}/api/v1/scale", json={"workers": 1}, headers=headers, timeout=10)
        assert reply.status_code == 401
