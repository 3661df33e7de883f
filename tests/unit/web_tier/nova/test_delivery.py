"""The key goes to the VM that the console has shown, by standard input, and its failures say what to do.

A program in ssh's place: the real one carries the key to a real VM in tests/vm.
"""

from pathlib import Path

import pytest

from web_tier.nova import delivery
from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import DeliveryError, Destination, DoubtfulDeliveryError, deliver, host_keys, reach

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGz"
ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
VM = Destination("192.0.2.7", "debian", Path("/keys/id"), (ED25519,))
CONSOLE = f"""\
[   12.3] cloud-init[400]: Cloud-init v. 22.4.2 running 'modules:final'\r
-----BEGIN SSH HOST KEY KEYS-----\r
{ECDSA} root@web\r
{ED25519} root@web\r
-----END SSH HOST KEY KEYS-----\r
Debian GNU/Linux 12 web ttyS0\r
"""


def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\n{program}\n")
    ssh.chmod(0o755)
    monkeypatch.setattr(delivery, "_SSH", str(ssh))


def test_the_console_says_who_the_vm_is() -> None:
    assert host_keys(CONSOLE) == (ECDSA, ED25519)
    assert host_keys("FAKE CONSOLE OUTPUT") == ()


def test_the_keys_of_the_latest_boot_count() -> None:
    assert host_keys(CONSOLE.replace(ED25519, "ssh-ed25519 AAAAold") + CONSOLE) == (ECDSA, ED25519)


def test_the_secret_goes_through_standard_input_and_into_no_argument_or_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path, monkeypatch, f"cat >{tmp_path}/input; echo $@ >{tmp_path}/seen; env >>{tmp_path}/seen")
    deliver(KEY, VM)
    assert (tmp_path / "input").read_text() == KEY.text()
    seen = (tmp_path / "seen").read_text()
    assert KEY.secret not in seen
    assert "-m web_tier.nova.credentials" in seen


@pytest.mark.parametrize(("port", "name"), [(22, "192.0.2.7"), (8422, "[192.0.2.7]:8422")])
def test_it_is_sent_only_to_the_host_that_has_the_keys_of_the_console(
    port: int, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = "for option; do case $option in UserKnownHostsFile=*) known=${option#*=};; esac; done"
    play(tmp_path, monkeypatch, f"{find}; cp $known {tmp_path}/known_hosts; echo $@ >{tmp_path}/seen")
    deliver(KEY, Destination("192.0.2.7", "debian", None, (ECDSA, ED25519), port))
    assert "StrictHostKeyChecking=yes" in (tmp_path / "seen").read_text()
    assert (tmp_path / "known_hosts").read_text() == f"{name} {ECDSA}\n{name} {ED25519}\n"


def test_a_host_whose_keys_nobody_knows_is_sent_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path, monkeypatch, f"touch {tmp_path}/called")
    with pytest.raises(DeliveryError, match="host keys"):
        deliver(KEY, Destination("192.0.2.7", "debian", None, ()))
    assert not (tmp_path / "called").exists()


def test_a_refusal_is_told_in_the_vms_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path, monkeypatch, "cat >/dev/null; echo noise >&2; echo 'the key was not taken: no disk' >&2; exit 1")
    with pytest.raises(DeliveryError, match=r"192\.0\.2\.7 did not take the key: the key was not taken: no disk"):
        deliver(KEY, VM)


@pytest.mark.parametrize(
    "program",
    [
        "cat >/dev/null; echo 'Connection to 192.0.2.7 closed by remote host.' >&2; exit 255",
        "echo 'the key was not taken: who says so?' >&2; exit 255",
        "cat >/dev/null; echo 'the key may be in use: systemctl' >&2; exit 1",
        "cat >/dev/null; echo 'Traceback' >&2; exit 1",
        "cat >/dev/null; kill -9 $$",
    ],
)
def test_any_other_end_says_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    play(tmp_path, monkeypatch, program)
    with pytest.raises(DoubtfulDeliveryError, match=r"no word came from 192\.0\.2\.7 that it has taken the key: ."):
        deliver(KEY, VM)


def test_a_machine_that_does_not_answer_in_time_may_have_taken_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path, monkeypatch, "cat >/dev/null; exec sleep 60")
    monkeypatch.setattr(delivery, "_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(DoubtfulDeliveryError, match="did not answer within"):
        deliver(KEY, VM)


def test_a_banner_in_another_encoding_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(tmp_path, monkeypatch, "cat >/dev/null; printf 'Zugang nur f\\374r Befugte\\n' >&2")
    deliver(KEY, VM)


def test_before_a_key_is_made_it_is_proved_that_the_machine_lets_us_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path, monkeypatch, f"echo $@ >{tmp_path}/seen")
    reach(VM)
    assert (tmp_path / "seen").read_text().endswith("192.0.2.7 sudo /opt/novaburst/venv/bin/python --version\n")


@pytest.mark.parametrize(
    ("program", "timeout", "words"),
    [
        ("echo 'Permission denied (publickey).' >&2; exit 255", 60, "does not let us in: Permission denied"),
        ("exec sleep 60", 0.2, "lets nobody in within"),
    ],
)
def test_a_machine_that_lets_nobody_in_is_known_as_such_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, timeout: float, words: str
) -> None:
    play(tmp_path, monkeypatch, program)
    monkeypatch.setattr(delivery, "_TIMEOUT_SECONDS", timeout)
    with pytest.raises(DeliveryError, match=words):
        reach(VM)


def test_a_machine_without_ssh_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_SSH", str(tmp_path / "none"))
    with pytest.raises(DeliveryError, match="FileNotFoundError"):
        deliver(KEY, VM)
