"""A fresh cloud image, 512 MB, and the user data of `novaburst nova up` make the web tier; nobody logs in."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.photos import larger_photos
from tests.vm.cloud import PREFIX, until
from tests.vm.conftest import SCALE_TOKEN, TOKEN_FILE, Installed, Ready, is_ready
from tests.vm.machine import MEMORY_MIB
from web_tier.nova.access_keys import AccessKeys
from web_tier.nova.delivery import deliver
from web_tier.nova.rotation import Machine, Rotation


def test_until_the_key_comes_readyz_says_what_is_missing(installed: Installed) -> None:
    assert installed.readiness.status_code == 503
    assert "no AWS credentials" in installed.readiness.json()["detail"]


def test_cloud_init_ended_without_a_fault_and_takes_the_user_data_for_valid(ready: Ready) -> None:
    run = ready.story.machine.run
    assert "status: done" in run("cloud-init status --wait --long")
    assert "Valid cloud-config" in run("cloud-init schema --system")
    assert run("systemctl --failed --no-legend") == ""


def upload(ready: Ready, path: Path, token: str) -> requests.Response:
    return requests.post(
        f"{ready.story.machine.url}/api/v1/upload?wait=300",
        files={"photo": (path.name, path.read_bytes())},
        headers={"Authorization": f"Bearer {token}"},
        timeout=330,
    )


def test_without_a_token_nobody_is_let_in_from_the_first_boot_on(ready: Ready) -> None:
    photo = next(iter(larger_photos().values()))
    assert upload(ready, photo, "a guess").status_code == 401
    assert ready.story.machine.run(f"stat -c '%a %U' {TOKEN_FILE}") == "600 novaburst\n"


def test_a_photo_sent_to_the_vm_is_answered_with_its_label(ready: Ready, token: str) -> None:
    scaled = requests.post(
        f"{ready.story.machine.url}/api/v1/scale",
        json={"workers": 1},
        headers={"Authorization": f"Bearer {SCALE_TOKEN}"},
        timeout=120,
    )
    assert scaled.status_code == 200, scaled.text
    for label, path in larger_photos().items():
        began = time.monotonic()
        answer = upload(ready, path, token)
        assert answer.status_code == 200, answer.text
        [image] = answer.json()["images"]
        assert image["label"] == label
        ready.story.note(f"{path.name}, uploaded and labelled", time.monotonic() - began, "s")


def test_the_key_is_in_one_file_that_only_the_web_tier_can_read_and_nowhere_else(ready: Ready) -> None:
    run = ready.story.machine.run
    assert run("stat -c '%a %U' /etc/novaburst/credentials") == "600 novaburst\n"
    # The search would find itself if the secret stood in its own arguments.
    places = "/etc /home /opt/novaburst/venv/bin /root /run /tmp /usr/local /var"
    search = f"umask 077; cat >/dev/shm/secret <<'END'\n{ready.key.secret}\nEND\n"
    search += (
        f"grep -rlsFD skip -f /dev/shm/secret {places} /proc/[0-9]*/cmdline /proc/[0-9]*/environ; rm /dev/shm/secret"
    )
    assert run(search) == "/etc/novaburst/credentials\n"
    assert ready.key.secret not in ready.story.machine.console


def test_a_new_key_takes_over_while_a_photo_is_on_its_way(ready: Ready, token: str) -> None:
    story = ready.story
    machine = Machine(lambda: is_ready(story.machine), lambda: False, grace_seconds=5)
    keys = AccessKeys(story.cloud.iam, PREFIX, print)
    rotation = Rotation(keys, machine, print, sleep=lambda _: time.sleep(5))
    label, path = next(iter(larger_photos().items()))
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(upload, ready, path, token)
        new = rotation.rotate(lambda key: deliver(key, story.machine.destination))
        story.note("a new key for AWS, brought and in use", time.monotonic() - began, "s")
        [image] = sent.result().json()["images"]
    assert image["label"] == label
    assert f"aws_access_key_id = {new}\n" in story.machine.run("cat /etc/novaburst/credentials")
    listed = story.cloud.iam.list_access_keys(UserName=f"{PREFIX}-web")["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [new]


def test_clock_swap_mtu_and_upgrades_are_as_the_site_says(ready: Ready) -> None:
    run = ready.story.machine.run
    assert run("systemctl is-active chrony") == "active\n"
    assert "10.0.2.2" in run("chronyc -n sources")
    assert run("swapon --noheadings --show=NAME").split() == ["/swapfile"]
    assert run("cat /sys/class/net/e*/mtu") == "1400\n"
    assert run("sysctl -n net.ipv4.tcp_mtu_probing") == "1\n"
    assert 'APT::Periodic::Unattended-Upgrade "1"' in run("apt-config dump")
    assert run("systemctl is-enabled apt-daily-upgrade.timer") == "enabled\n"


def test_it_fits_into_its_memory(ready: Ready) -> None:
    story = ready.story
    lines = (line.split() for line in story.machine.run("cat /proc/meminfo").splitlines())
    mib = {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines}
    story.note("memory that the kernel gives", mib["MemTotal"], f"of {MEMORY_MIB} MiB")
    story.note("memory in use (total less available)", mib["MemTotal"] - mib["MemAvailable"], "MiB")
    story.note("swap in use", mib["SwapTotal"] - mib["SwapFree"], "MiB")
    for unit in ("novaburst-web", "novaburst-listener", "nginx", "chrony"):
        used = story.machine.run(f"systemctl show --property=MemoryCurrent --value {unit}")
        story.note(f"  of this {unit}, page cache included", int(used) / 1024**2, "MiB")
    story.note("disk in use", story.machine.run("df --output=used --block-size=M / | tail -n 1").strip())
    assert mib["MemAvailable"] > MEMORY_MIB / 10
    assert int(story.machine.run("journalctl --dmesg --no-pager | grep -ci 'out of memory' || true")) == 0


def test_after_a_restart_it_is_ready_again_without_anybody(ready: Ready) -> None:
    machine = ready.story.machine
    before = machine.boot()
    began = time.monotonic()
    machine.run("systemctl --no-block reboot")
    until(lambda: machine.boot() not in (None, before), 1200)
    # As NTP would: on a busy machine it falls minutes behind while it boots.
    machine.set_clock()
    until(lambda: is_ready(machine), 600)
    ready.story.note("told to restart to ready", time.monotonic() - began, "s")
    ready.story.note("  from its start, by the VM's own clock", machine.uptime(), "s")
