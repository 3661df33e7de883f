"""Which files paths, folders and patterns mean, and what is said of those that cannot be looked at."""

import errno
import os
from pathlib import Path

import pytest

from novaburst.client.paths import expand, objections


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


def test_what_is_nowhere_is_objected_to_and_a_pattern_never_is(folder: Path) -> None:
    assert objections([str(folder / "a.png"), str(folder / "no.jpg"), str(folder / "*.gif")]) == [
        f"there is no {str(folder / 'no.jpg')!r}"
    ]
    assert objections([str(folder / "a.png" / "b.jpg")]) == [f"there is no {str(folder / 'a.png' / 'b.jpg')!r}"]


def test_a_name_that_is_too_long_is_objected_to_in_words_and_as_a_pattern_matches_nothing(folder: Path) -> None:
    long = str(folder / ("a" * 300))
    assert objections([long, long + "*"]) == [f"{long!r} cannot be looked at: {os.strerror(errno.ENAMETOOLONG)}"]
    assert found(folder, "a" * 300 + "*") == []


@pytest.mark.parametrize("pattern", ["**.jpg", "***", "photos/a**/b.jpg"])
def test_two_stars_within_a_name_are_no_pattern(folder: Path, pattern: str) -> None:
    [said] = objections([str(folder / pattern)])
    assert "is no pattern: ** stands for folders" in said
    with pytest.raises(ValueError, match="is no pattern"):
        found(folder, pattern)


def test_two_stars_at_the_end_mean_all_that_is_below(folder: Path) -> None:
    assert found(folder, "deep/**") == ["deep/c.jpg", "deep/deeper/d.jpg"]


def test_a_file_that_a_pattern_names_in_two_ways_comes_once(folder: Path) -> None:
    assert found(folder, "**/deep/**/*.jpg") == ["deep/c.jpg", "deep/deeper/d.jpg"]


def test_a_pattern_may_go_on_with_names_and_back(folder: Path) -> None:
    assert found(folder, "d*/deeper/d.jpg") == ["deep/deeper/d.jpg"]
    assert found(folder, "d*/no/d.jpg") == []
    assert found(folder, "d*/../b.jpg") == ["deep/../b.jpg"]


def test_a_broken_link_comes_so_that_it_can_be_told(folder: Path) -> None:
    (folder / "deep" / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "deep" / "self.jpg").symlink_to("self.jpg")
    expected = ["deep/c.jpg", "deep/gone.jpg", "deep/self.jpg"]
    assert found(folder, "deep")[:3] == found(folder, "deep/*.jpg") == found(folder, "**/deep/*.jpg") == expected
    assert found(folder, "**/*.png") == ["a.png"]
    assert objections([str(folder / "deep" / "gone.jpg")]) == []


def test_linked_folders_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.jpg").write_bytes(b"x")
    (folder / "deep" / "link").symlink_to(elsewhere)
    assert "deep/link/far.jpg" in found(folder, "")
    assert found(folder, "**/far.jpg") == ["deep/link/far.jpg"]


def test_a_link_back_to_a_folder_that_it_lies_in_ends_there(folder: Path) -> None:
    (folder / "deep" / "deeper" / "up").symlink_to(folder / "deep")
    (folder / "deep" / "here").symlink_to(".")
    assert found(folder, "") == ["a.png", "b.jpg", "deep/c.jpg", "deep/deeper/d.jpg"]
    assert found(folder, "**/c.jpg") == ["deep/c.jpg"]


def test_pipes_and_sockets_below_a_folder_are_no_photos(folder: Path) -> None:
    os.mkfifo(folder / "deep" / "pipe.jpg")
    assert found(folder, "deep", "deep/*.jpg") == ["deep/c.jpg", "deep/deeper/d.jpg", "deep/c.jpg"]


def test_a_folder_is_not_listed_before_it_is_needed(folder: Path) -> None:
    paths = expand([str(folder / "a.png"), str(folder)])
    next(paths)
    (folder / "late.jpg").write_bytes(b"")
    assert folder / "late.jpg" in list(paths)
