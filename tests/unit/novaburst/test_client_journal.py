"""The journal alone: names that are no text, pages of entries, and a disk that is full."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novaburst.client import Journal, JournalError
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


@pytest.fixture
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every journal has room for what it is born with and a few pages more, as on a disk that is nearly full."""
    connect = sqlite3.connect

    def nearly_full(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr(sqlite3, "connect", nearly_full)


def files(count: int) -> Iterator[File]:
    return (File(Path(f"/photos/{number:06}.jpg"), 1, 2) for number in range(count))


@pytest.mark.usefixtures("_full")
def test_a_full_disk_is_said_with_the_journals_name_and_what_was_entered_stays(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin("b")
        journal.sending("first", list(files(10)))
        with pytest.raises(JournalError) as caught:
            journal.sending("second", list(files(10_000)))
        assert str(path) in str(caught.value)
        assert "the same command goes on once there is room" in str(caught.value)
        assert [(key, len(sent)) for key, sent in journal.underway()] == [("first", 10)]


def test_a_journal_that_cannot_be_read_is_said_in_words(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin("b")
        journal.sending("r", list(files(10_000)))
    damaged = bytearray(path.read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)
    path.write_bytes(damaged)
    with Journal(path) as journal:
        for read in (journal.counts, journal.settled, lambda: list(journal.unsent()), lambda: list(journal.underway())):
            with pytest.raises(JournalError, match=r"cannot be used: database disk image is malformed$"):
                read()


def test_a_folder_that_the_journal_cannot_have_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(tmp_path / "file" / "journal.sqlite3")
