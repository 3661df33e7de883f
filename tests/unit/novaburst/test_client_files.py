import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novaburst.client.files import File, Single, expand, missing
from novaburst.client.submission import in_requests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.png", ".hidden.jpg", "deep/c.jpg", "deep/deeper/d.jpg", ".git/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def found(folder: Path, *paths: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in expand(str(folder / path) for path in paths)]


def test_a_folder_means_the_files_below_it_in_order_without_hidden_ones(folder: Path) -> None:
    assert found(folder, "") == ["a.png", "b.jpg", "deep/c.jpg", "deep/deeper/d.jpg"]


def test_a_hidden_file_that_is_named_is_meant(folder: Path) -> None:
    assert found(folder, ".hidden.jpg") == [".hidden.jpg"]


def test_patterns_name_files_across_folders(folder: Path) -> None:
    assert sorted(found(folder, "**/*.jpg")) == [
        ".git/e.jpg",
        ".hidden.jpg",
        "b.jpg",
        "deep/c.jpg",
        "deep/deeper/d.jpg",
    ]
    assert sorted(found(folder, "d*")) == ["deep/c.jpg", "deep/deeper/d.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "photo[1].jpg").write_bytes(b"1")
    (folder / "photo1.jpg").write_bytes(b"2")
    assert found(folder, "photo[1].jpg") == ["photo[1].jpg"]


def test_what_is_nowhere_is_missing_and_a_pattern_never_is(folder: Path) -> None:
    assert missing([str(folder / "a.png"), str(folder / "no.jpg"), str(folder / "*.gif")]) == [str(folder / "no.jpg")]


def test_a_folder_is_not_listed_before_it_is_needed(folder: Path) -> None:
    paths = expand([str(folder / "a.png"), str(folder)])
    next(paths)
    (folder / "late.jpg").write_bytes(b"")
    assert folder / "late.jpg" in list(paths)


def test_a_name_that_is_no_text_still_has_one(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg"))
    path.write_bytes(b"x")
    assert File.at(path).name == "caf\ufffd.jpg"


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
