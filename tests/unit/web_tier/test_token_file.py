import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from web_tier.token_file import TokenFileError, WatchedTokens, change, prepare, read
from web_tier.tokens import Scope, Token, Tokens, digest, new_text

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def token(name: str, text: str = "", expires: datetime | None = None) -> Token:
    return Token(name=name, sha256=digest(text or name), scopes=(Scope.UPLOAD,), created=NOW, expires=expires)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    change(path, lambda tokens: tokens.with_token(token("lab", "text")))
    return path


def test_what_is_written_is_read_again_by_its_owner_alone(path: Path) -> None:
    assert read(path).find("text") == token("lab", "text")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "text" not in path.read_text()
    assert list(path.parent.iterdir()) == [path]


def test_a_token_is_found_by_its_text_and_not_by_its_hash_or_name() -> None:
    tokens = Tokens(tokens=(token("lab", "text"),))
    assert tokens.find("text") is not None
    assert [tokens.find(text) for text in ("lab", digest("text"), "Text", "text ", "")] == [None] * 5


def test_no_two_texts_are_the_same_and_each_is_long_enough() -> None:
    texts = {new_text() for _ in range(1000)}
    assert len(texts) == 1000
    assert min(map(len, texts)) >= 43


def test_a_token_ends_at_its_moment() -> None:
    ends = token("lab", expires=NOW)
    assert not ends.expired(NOW - timedelta(seconds=1))
    assert ends.expired(NOW)
    assert not token("lab").expired(NOW + timedelta(days=10_000))


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o660, 0o644])
def test_a_file_that_others_may_read_or_change_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(TokenFileError, match="chmod 600"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "tokens": []}',
        '{"tokens": [{"name": "lab"}]}',
        '{"tokens": [], "more": 1}',
    ],
)
def test_what_is_no_file_of_tokens_is_refused(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(TokenFileError, match="mend it"):
        read(path)


def test_a_refusal_repeats_no_hash(path: Path) -> None:
    path.write_text(path.read_text().replace("upload", "everything"))
    with pytest.raises(TokenFileError) as caught:
        read(path)
    assert digest("text") not in str(caught.value)


def test_two_of_one_name_are_refused(path: Path) -> None:
    twice = Tokens.model_construct(tokens=(token("lab", "a"), token("lab", "b")))
    path.write_text(twice.model_dump_json())
    with pytest.raises(TokenFileError, match="names"):
        read(path)


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match="novaburst token new"):
        read(tmp_path / "none")
    with pytest.raises(TokenFileError, match="make this folder"):
        change(tmp_path / "none" / "tokens.json", lambda tokens: tokens)


def test_a_change_is_seen_at_once_and_nothing_is_read_without_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = WatchedTokens(path)
    first = watched()
    assert watched() is first
    change(path, lambda tokens: tokens.with_token(token("home")))
    assert watched().names() == ["lab", "home"]
    change(path, lambda tokens: tokens.without(["lab"]))
    assert watched().find("text") is None
    # A write in place, of the same length.
    path.write_text(path.read_text().replace('"home"', '"hume"'))
    assert watched().names() == ["hume"]


def test_a_file_that_went_bad_lets_nobody_in_by_what_it_said_before_until_it_is_mended(path: Path) -> None:
    watched = WatchedTokens(path)
    good = path.read_bytes()
    watched()
    for spoil in (lambda: path.chmod(0o644), lambda: path.write_text("{"), path.unlink):
        spoil()
        for _ in range(2):
            with pytest.raises(TokenFileError):
                watched()
        path.write_bytes(good)
        path.chmod(0o600)
        assert watched().names() == ["lab"]


def test_of_many_changes_at_once_none_is_lost(path: Path) -> None:
    def add(number: int) -> None:
        change(path, lambda tokens: tokens.with_token(token(f"t{number}")))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read(path).names()) == {"lab", *(f"t{number}" for number in range(12))}


def test_the_file_keeps_its_owner_when_root_changes_it(path: Path) -> None:
    status = path.stat()
    change(path, lambda tokens: tokens.without(["lab"]))
    assert (path.stat().st_uid, path.stat().st_gid) == (status.st_uid, status.st_gid)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        change(path, lambda tokens: tokens)
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)


def test_a_prepared_file_lets_nobody_in_until_there_is_a_first_token(tmp_path: Path) -> None:
    path, owner = tmp_path / "state" / "tokens.json", (os.getuid(), os.getgid())
    prepare(path, owner)
    watched = WatchedTokens(path)
    assert watched().tokens == ()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    change(path, lambda tokens: tokens.with_token(token("lab")))
    prepare(path, owner)
    assert watched().names() == ["lab"]


def test_a_prepared_file_and_its_folder_are_the_web_tiers_users(tmp_path: Path) -> None:
    # Only root can give them to somebody else.
    owner = (12345, 12345) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    path = tmp_path / "state" / "tokens.json"
    prepare(path, owner)
    assert {(found.stat().st_uid, found.stat().st_gid) for found in (path, path.parent)} == {owner}
