"""The VM takes an access key and nothing else, and keeps it where only the web tier's user can read it."""

import errno
import io
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import botocore.session
import pytest

from web_tier.nova import credentials
from web_tier.nova.credentials import AccessKey, CredentialsError, HalfTakenError, store, take

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
OWNER = (os.getuid(), os.getgid())


def test_what_is_sent_is_what_the_aws_libraries_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(AccessKey.parse(KEY.text()), tmp_path / "credentials", OWNER)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    found = botocore.session.Session().get_credentials()
    assert (found.access_key, found.secret_key) == (KEY.id, KEY.secret)


def test_the_file_is_its_owners_alone_and_replaces_the_key_before(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("old")
    path.chmod(0o644)
    store(KEY, path, OWNER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == KEY.text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["credentials"]


def test_both_services_take_the_new_key_the_web_tier_without_a_restart(tmp_path: Path) -> None:
    commands: list[Sequence[str]] = []
    take(KEY, tmp_path / "credentials", OWNER, commands.append)
    assert [command[1:] for command in commands] == [
        ["reload-or-restart", "novaburst-web.service"],
        ["restart", "novaburst-listener.service"],
    ]


class Services:
    """The services' supervisor, which fails as told, and what the web tier has read when it was reloaded."""

    def __init__(self, path: Path, *failures: Exception | None) -> None:
        self._path = path
        self._failures = list(failures)
        self.has: str | None = None

    def run(self, command: Sequence[str]) -> None:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        if "reload-or-restart" in command:
            self.has = content(self._path)


def content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


FAILED = subprocess.CalledProcessError(1, ["systemctl"])
MISSING = FileNotFoundError("systemctl")


@pytest.mark.parametrize("before", [None, "[default]\nwhat was there\n"])
@pytest.mark.parametrize("failures", [[FAILED], [None, FAILED], [MISSING], [None, MISSING]])
def test_what_was_there_before_is_back_and_in_use_when_a_service_does_not_take_the_new_key(
    tmp_path: Path, before: str | None, failures: list[Exception | None]
) -> None:
    path = tmp_path / "credentials"
    if before is not None:
        path.write_text(before)
    services = Services(path, *failures)
    with pytest.raises((subprocess.CalledProcessError, FileNotFoundError)):
        take(KEY, path, OWNER, services.run)
    assert content(path) == services.has == before
    assert before is None or stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("failures", [[FAILED, FAILED], [None, FAILED, MISSING], [None, FAILED, None, FAILED]])
def test_when_the_services_do_not_take_the_key_before_either_nobody_is_told_that_the_new_one_is_not_in_use(
    tmp_path: Path, failures: list[Exception | None]
) -> None:
    path = tmp_path / "credentials"
    path.write_text("[default]\nwhat was there\n")
    with pytest.raises(HalfTakenError):
        take(KEY, path, OWNER, Services(path, *failures).run)
    assert content(path) == "[default]\nwhat was there\n"


def test_a_key_that_cannot_be_stored_leaves_the_one_before_and_bothers_no_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"
    path.write_text("what was there")

    def full(_old: Path, _new: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    commands: list[Sequence[str]] = []
    with pytest.raises(OSError, match="No space left"):
        take(KEY, path, OWNER, commands.append)
    assert (path.read_text(), commands) == ("what was there", [])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (HalfTakenError("no way back"), "the key may be in use: no way back"),
        (FAILED, "the key was not taken: Command"),
        (MISSING, "the key was not taken: systemctl"),
    ],
)
def test_its_last_words_say_whether_the_key_is_certainly_not_in_use(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(credentials, "take", fail)
    monkeypatch.setattr(credentials, "USER", pwd.getpwuid(os.getuid()).pw_name)
    monkeypatch.setattr(sys, "stdin", io.StringIO(KEY.text()))
    with pytest.raises(SystemExit, match=words):
        credentials.main([])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3cret",
        KEY.text().replace("[default]", "[other]"),
        KEY.text() + "credential_process = /bin/s3cret\n",
        KEY.text() + "[other]\n",
        "[DEFAULT]\nx = y\n" + KEY.text(),
        "[default]\naws_access_key_id = s3cret\n",
        "[default]\naws_access_key_id = s3cret\naws_secret_access_key =\n",
        "[default]\naws_secret_access_key\ns3cret",
    ],
)
def test_anything_but_a_key_is_refused_and_none_of_it_is_quoted(text: str) -> None:
    with pytest.raises(CredentialsError) as refused:
        AccessKey.parse(text)
    assert "s3cret" not in str(refused.value)


def test_a_keys_representation_does_not_hold_its_secret() -> None:
    assert KEY.secret not in f"{KEY} {KEY!r}"
