"""The journal alone: names that are no text, pages of entries, and a disk that is full."""

import os
from pathlib import Path

import pytest

from novaburst.client import Journal
from novaburst.client.files import File

NO_TEXT = Path(os.fsdecode(b"/photos/caf\xe9.jpg"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def test_a_name_that_is_no_text_is_found_again_in_every_way(path: Path) -> None:
    file = File(NO_TEXT, 1, 2)
    with Journal(path) as journal:
        journal.begin("b")
        journal.sending("r", [file])
    with Journal(path) as journal:
        assert journal.has(file)
        assert list(journal.underway()) == [("r", [file])]
        journal.answered([(file, "image-1", None)])
        assert journal.path_of("image-1") == NO_TEXT
        assert journal.settled() == 1


def test_entries_come_once_each_over_many_pages_of_names_that_are_text_or_not(path: Path) -> None:
    texts = [Path(f"/photos/{number:03}.jpg") for number in range(700)]
    others = [Path(os.fsdecode(b"/photos/\xe9%03d.jpg" % number)) for number in range(700)]
    with Journal(path) as journal:
        journal.begin("b")
        for one in (*others, *texts):
            journal.unreadable(one, "unreadable_file", "no")
        assert [entry.path for entry in journal.unsent()] == [*texts, *others]
