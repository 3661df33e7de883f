"""The VM takes an access key and nothing else, and keeps it where only the web tier's user can read it."""

import os
import stat
from pathlib import Path

import botocore.session
import pytest

from web_tier.nova.credentials import AccessKey, CredentialsError, store

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
