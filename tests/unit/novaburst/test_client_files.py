import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.client.files import File, Single
from novaburst.client.submission import in_requests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.jpg").write_bytes(b"b.jpg")
    return tmp_path


def test_a_name_that_is_no_text_still_has_one(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg"))
    path.write_bytes(b"x")
    assert File.at(path).name == "caf\ufffd.jpg"


def test_what_is_no_file_is_not_taken_for_one_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in (folder, folder / "pipe"):
        with pytest.raises(OSError, match="it is no file"):
            File.at(path)


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was(folder: Path) -> None:
    path = folder / "b.jpg"
    file = File.at(path)
    with path.open("rb") as stream:
        body = Single(file, stream).arguments()["data"]
        path.write_bytes(b"b.jpg and more")
        assert len(body) == 5
        assert b"".join(body) == b"b.jpg"


def test_a_file_that_has_changed_since_it_was_found_is_not_read(folder: Path) -> None:
    file = File.at(folder / "b.jpg")
    (folder / "b.jpg").write_bytes(b"something else")
    with pytest.raises(OSError, match="changes"):
        file.read()


@given(st.lists(st.integers(0, 300)), st.integers(1, 7), st.integers(1, 250))
def test_requests_hold_every_file_once_within_their_bounds(sizes: list[int], count: int, total: int) -> None:
    files = [File(Path(str(number)), size, 0) for number, size in enumerate(sizes)]
    groups = list(in_requests(files, count, total))
    assert [file for group in groups for file in group] == files
    for group in groups:
        assert 1 <= len(group) <= count
        assert len(group) == 1 or sum(file.size for file in group) <= total
