"""`novaburst submit` with names, folders and links of every kind: whatever there is, is sent or told."""

import json
import os
import time
from pathlib import Path

import pytest

from novaburst.client import Client, Journal, Taken
from novaburst.client.files import File
from tests.unit.novaburst.conftest import PlayedTier
from tests.unit.novaburst.submitting import command, journals, submit


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_taken(tier: PlayedTier, tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(b"x")
    (tmp_path / "bad.jpg").symlink_to(tmp_path)
    result = submit(tier, tmp_path / "good.jpg", tmp_path / "*.jpg")
    with Client(tier.url) as client:
        told: list[Taken] = []
        with Journal() as journal:
            client.submit([tmp_path / "good.jpg", tmp_path / "gone.jpg"], journal=journal, on_file=told.append)
            assert [(entry.path.name, entry.code) for entry in journal.unsent()] == [("gone.jpg", "unreadable_file")]
    assert {taken.path.name: taken.error for taken in told} == {"good.jpg": None, "gone.jpg": "unreadable_file"}
    assert result.exit_code == 0


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "ascii"])
@pytest.mark.parametrize("form", ["--csv", "--json", "--no-wait", None])
def test_a_name_that_is_no_text_stops_neither_the_others_nor_the_printing(
    tier: PlayedTier, tmp_path: Path, form: str | None, encoding: str
) -> None:
    tier.refusals["d\ufffd.jpg"] = "damaged_image"
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (b"caf\xe9.jpg", b"d\xe9.jpg", "tr\u00e4ume.jpg".encode(), b"z.jpg"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")
    process = command(tier, folder, *([form] if form else []), PYTHONIOENCODING=encoding, COLUMNS="200")
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert tier.names == ["caf\ufffd.jpg", "tr\u00e4ume.jpg", "z.jpg"]
    if form == "--json":
        paths = {Path(image["path"]).name for image in json.loads(shown)["images"]}
        assert paths == {"caf\ufffd.jpg", "d\ufffd.jpg", "tr\u00e4ume.jpg", "z.jpg"}
    elif form != "--no-wait":
        assert ("caf?.jpg" if encoding == "ascii" else "caf\ufffd.jpg") in shown


def test_the_same_command_goes_on_with_names_that_are_no_text(
    tier: PlayedTier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novaburst.commands.submit._PATIENCE_SECONDS", 0.3)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"x")
    tier.fault = lambda number: (503, {})
    assert submit(tier, path).exit_code == 3
    tier.fault = lambda number: None
    assert submit(tier, path).exit_code == 0
    assert tier.names == ["caf\ufffd.jpg"]


def test_a_file_of_a_far_future_is_taken(tier: PlayedTier, photos: Path) -> None:
    os.utime(photos / "0" / "000.jpg", (10_413_792_000, 10_413_792_000))
    assert submit(tier, photos / "0").exit_code == 0


def test_a_path_that_is_nowhere_is_wrong_usage(tier: PlayedTier, tmp_path: Path) -> None:
    result = submit(tier, tmp_path / "nowhere.jpg")
    assert result.exit_code == 2
    assert "nowhere.jpg" in result.stderr
    assert not tier.batches


@pytest.mark.parametrize("path", ["a" * 300, "**.jpg", "***"])
def test_a_path_that_can_be_none_is_wrong_usage_and_leaves_no_journal(
    tier: PlayedTier, tmp_path: Path, path: str
) -> None:
    result = submit(tier, tmp_path / path)
    assert result.exit_code == 2, result.output
    assert not journals(tmp_path)


def test_a_pattern_that_matches_nothing_leaves_no_journal(tier: PlayedTier, tmp_path: Path) -> None:
    result = submit(tier, tmp_path / "*.jpg")
    assert (result.exit_code, "there is no file" in result.stderr) == (1, True)
    assert not journals(tmp_path)
    assert not tier.batches


@pytest.mark.parametrize("given", ["", "**/*.jpg", "*/0.jpg", "locked", "locked/*"])
def test_a_folder_that_cannot_be_read_is_told_with_the_files_that_cannot(
    tier: PlayedTier, tmp_path: Path, given: str
) -> None:
    for name in ("open", "locked"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "0.jpg").write_bytes(b"x")
    (tmp_path / "photos" / "locked").chmod(0)
    process = command(tier, tmp_path / "photos" / given, "--csv", obeying=True)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    told = [line for line in shown.splitlines() if "unreadable_file" in line]
    assert len(told) == 1
    assert "photos/locked" in told[0]
    assert "Permission denied" in told[0]
    assert tier.names == ([] if "locked" in given else ["0.jpg"])
    assert not journals(tmp_path)


def test_a_file_behind_a_locked_folder_is_not_said_to_be_nowhere(tier: PlayedTier, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "0.jpg").write_bytes(b"x")
    (tmp_path / "locked").chmod(0)
    process = command(tier, tmp_path / "locked" / "0.jpg", obeying=True)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "0.jpg' cannot be looked at: Permission denied" in " ".join(errors.split())


def test_broken_links_are_told_and_linked_folders_are_sent(tier: PlayedTier, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "0").symlink_to(photos / "0")
    (folder / "loop").symlink_to(folder)
    result = submit(tier, folder, "--csv")
    assert result.exit_code == 1
    assert result.stdout.count("palace") == 25
    assert "gone.jpg,,,unreadable_file" in result.stdout


def test_a_folder_that_can_be_read_by_now_is_no_failure_any_more(tier: PlayedTier, photos: Path) -> None:
    with Client(tier.url) as client, Journal() as journal:
        journal.begin(client.open_batch())
        journal.unreadable(photos / "0", "unreadable_file", "Permission denied")
        assert client.submit([photos], journal=journal).failed == 0


def test_what_shared_a_lost_request_with_a_file_that_has_changed_since_goes_as_well(
    tier: PlayedTier, photos: Path
) -> None:
    first, changed, neighbour = (photos / "0" / name for name in ("000.jpg", "004.jpg", "008.jpg"))

    def slow(number: int) -> None:
        time.sleep(0.5 if number == 1 else 0)

    tier.fault = slow
    with Client(tier.url) as client, Journal() as journal:
        journal.begin(client.open_batch())
        journal.sending("a", [File.at(first)])
        journal.sending("b", [File.at(changed), File.at(neighbour)])
        changed.write_bytes(b"another picture")
        client.submit([first, changed, neighbour], journal=journal, parallel=1)
    assert tier.names == ["000.jpg", "004.jpg", "008.jpg"]
