"""The VM takes an access key and nothing else, and keeps it where only the web tier's user can read it."""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import botocore.session
import pytest

from web_tier.nova.credentials import AccessKey, CredentialsError, store, take

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


@pytest.mark.parametrize("before", [None, "[default]\nwhat was there\n"])
def test_the_key_before_is_back_when_a_service_does_not_take_the_new_one(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "credentials"
    if before is not None:
        path.write_text(before)

    def fail(command: Sequence[str]) -> None:
        assert path.read_text() == KEY.text()
        if "restart" in command:
            raise subprocess.CalledProcessError(1, command)

    with pytest.raises(subprocess.CalledProcessError):
        take(KEY, path, OWNER, fail)
    assert path.read_text() == (before or KEY.text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


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
