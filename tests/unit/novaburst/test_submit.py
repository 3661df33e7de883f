"""`novaburst submit` before a server that plays the web tier: whatever happens, every file once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner

from novaburst.cli import main
from novaburst.client import Client, ClientError, Journal, JournalError, Taken
from tests.unit.novaburst.conftest import PlayedTier

NOVABURST = Path(sys.executable).with_name("novaburst")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(100):
        path = folder / f"{number % 4}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    return folder


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def journals(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state").rglob("*.sqlite3"))


def submit(tier: PlayedTier, *arguments: str | Path) -> Any:
    return CliRunner().invoke(main, ["submit", "--url", tier.url, *map(str, arguments)])


def command(
    tier: PlayedTier,
    *arguments: str | Path,
    obeying: bool = False,
    stdout: int | IO[str] = subprocess.PIPE,
    **environment: str,
) -> "subprocess.Popen[str]":
    """The command as a process; `obeying` the modes of files, even as root."""
    modes = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if obeying and os.geteuid() == 0 else []
    return subprocess.Popen(
        [*modes, NOVABURST, "submit", "--url", tier.url, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )


def test_a_hundred_small_files_take_few_requests_and_connections(
    tier: PlayedTier, photos: Path, tmp_path: Path
) -> None:
    result = submit(tier, photos, "--json")
    assert result.exit_code == 0, result.output
    images = json.loads(result.stdout)["images"]
    assert sorted(Path(image["path"]).relative_to(photos).name for image in images) == tier.names
    assert len(tier.names) == 100
    assert tier.uploads == 4
    assert tier.connections <= 5
    assert not journals(tmp_path)


def test_one_bad_file_in_a_hundred_leaves_ninety_nine(tier: PlayedTier, photos: Path) -> None:
    tier.refusals["013.jpg"] = "empty_file"
    result = submit(tier, photos, "--csv")
    assert result.exit_code == 1
    assert len(tier.names) == 99
    assert result.stdout.count("palace") == 99
    assert "013.jpg,,,empty_file" in result.stdout


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


def test_a_large_file_goes_alone_and_whole(tier: PlayedTier, tmp_path: Path) -> None:
    (tmp_path / "späte 'große'.jpg").write_bytes(os.urandom(5 * 1024 * 1024))
    (tmp_path / "small.jpg").write_bytes(b"x")
    tier.fault = lambda number: "lost" if number == 1 else None
    assert submit(tier, *sorted(tmp_path.glob("*.jpg"))).exit_code == 0
    assert {image["name"]: image["bytes"] for image in tier.images.values()} == {
        "späte 'große'.jpg": 5 * 1024 * 1024,
        "small.jpg": 1,
    }


def test_a_busy_web_tier_is_given_the_time_that_it_asks_for(tier: PlayedTier, photos: Path) -> None:
    times: list[float] = []

    def busy(number: int) -> tuple[int, dict[str, str]] | None:
        times.append(time.monotonic())
        return (503, {"Retry-After": "1"}) if number == 1 else None

    tier.fault = busy
    assert submit(tier, photos / "0" / "000.jpg").exit_code == 0
    assert times[1] - times[0] >= 1
    assert len(tier.names) == 1


def test_a_lost_acknowledgement_makes_no_second_image(tier: PlayedTier, photos: Path) -> None:
    tier.fault = lambda number: "lost" if number % 2 else None
    assert submit(tier, photos).exit_code == 0
    assert tier.names == sorted(path.name for path in photos.rglob("*.jpg"))


def test_what_could_not_be_stored_is_sent_again_and_shown_once(tier: PlayedTier, photos: Path) -> None:
    tier.refusals["007.jpg"] = "not_stored"

    def mended(number: int) -> None:
        if number > 4:
            tier.refusals.clear()

    tier.fault = mended
    result = submit(tier, photos, "--csv")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("007.jpg") == 1
    assert len(tier.names) == 100


def test_a_web_tier_that_takes_fewer_files_a_request_gets_the_rest_in_another(tier: PlayedTier, photos: Path) -> None:
    tier.files_a_request = 10
    assert submit(tier, photos).exit_code == 0
    assert len(tier.names) == 100


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on_after_any_end_and_uploads_nothing_twice(
    tier: PlayedTier, photos: Path, tmp_path: Path, end: signal.Signals
) -> None:
    # Three requests are taken, the answer to the third is lost, and the web tier then only says "not now".
    tier.fault = lambda number: None if number < 3 else "lost" if number == 3 else (503, {})
    process = command(tier, photos)
    deadline = time.monotonic() + 60
    while tier.uploads < 8:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if end is signal.SIGINT else -signal.SIGKILL), errors
    assert len(journals(tmp_path)) == 1

    tier.fault = lambda number: None
    again = submit(tier, photos)
    assert again.exit_code == 0, again.output
    assert "goes on" in again.stderr
    assert len(tier.batches) == 1
    assert tier.names == sorted(path.name for path in photos.rglob("*.jpg"))
    assert not journals(tmp_path)


def test_a_file_that_has_changed_since_is_uploaded_again_and_no_other(tier: PlayedTier, photos: Path) -> None:
    with Client(tier.url, patience_seconds=0.1) as client, Journal() as journal:
        first = client.submit([photos], journal=journal)
        (photos / "0" / "000.jpg").write_bytes(b"another picture")
        second = client.submit([photos], journal=journal)
    assert (first.batch, first.taken, second.taken) == (second.batch, 100, 100)
    assert tier.names.count("000.jpg") == 2
    assert len(tier.names) == 101


def test_a_batch_that_is_gone_is_begun_anew(tier: PlayedTier, photos: Path) -> None:
    with Client(tier.url) as client, Journal() as journal:
        client.submit([photos], journal=journal)
        tier.batches.clear()
        tier.batches.add("batch-0")
        tier.images.clear()
        assert client.submit([photos], journal=journal).taken == 100
    assert len(tier.names) == 100


@pytest.mark.parametrize("status", [404, 410])
def test_a_batch_that_is_deleted_while_files_go_into_it_is_begun_anew_in_words(
    tier: PlayedTier, photos: Path, tmp_path: Path, status: int
) -> None:
    def deleted(number: int) -> tuple[int, dict[str, str]] | None:
        if number == 3:
            tier.batches.clear()
            tier.batches.add("batch-0")
            tier.images.clear()
        return (status, {}) if number >= 3 and len(tier.batches) < 2 else None

    tier.fault = deleted
    result = submit(tier, photos, "--csv")
    assert result.exit_code == 0, result.output
    assert "was deleted meanwhile, so all files go into a new one" in result.stderr
    assert {image["batch"] for image in tier.images.values()} == {"batch-2"}
    assert tier.names == sorted(path.name for path in photos.rglob("*.jpg"))
    assert not journals(tmp_path)


def test_a_submission_that_goes_on_says_when_its_batch_is_gone(
    tier: PlayedTier, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novaburst.commands.submit._PATIENCE_SECONDS", 0.3)
    tier.fault = lambda number: (503, {}) if number > 1 else None
    assert submit(tier, photos).exit_code == 3
    tier.fault = lambda number: None
    tier.batches.clear()
    tier.images.clear()
    result = submit(tier, photos, "--no-wait")
    assert result.exit_code == 0, result.output
    assert "batch batch-1 is gone, so all files go into a new one" in result.stderr
    assert len(tier.names) == 100


def test_files_from_a_generator_that_cannot_be_begun_anew_end_with_the_web_tiers_refusal(
    tier: PlayedTier, photos: Path
) -> None:
    tier.fault = lambda number: (410, {})
    with Client(tier.url) as client, pytest.raises(ClientError) as caught:
        client.submit(path for path in [photos])
    assert caught.value.status == 410


def test_paths_and_a_reference_are_not_given_together_and_one_of_them_is(tier: PlayedTier, photos: Path) -> None:
    assert submit(tier).exit_code == 2
    assert submit(tier, photos, "--by-reference", "s3://bucket/prefix").exit_code == 2
    assert submit(tier, "--by-reference", "s3://bucket").exit_code == 2
    assert not tier.batches


def test_a_web_tier_that_stays_away_leaves_the_journal_and_its_own_exit_status(
    tier: PlayedTier, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novaburst.commands.submit._PATIENCE_SECONDS", 0.3)
    tier.fault = lambda number: (503, {}) if number > 1 else None
    result = submit(tier, photos)
    assert result.exit_code == 3
    assert "the same command goes on" in result.stderr
    tier.fault = lambda number: None
    assert submit(tier, photos, "--no-wait").exit_code == 0
    assert len(tier.names) == 100
    assert not journals(tmp_path)


def test_who_waits_for_a_web_tier_is_told_so_once(
    tier: PlayedTier, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier.fault = lambda number: (503, {}) if number <= 3 else None
    result = submit(tier, photos, "--csv")
    assert result.exit_code == 0
    assert result.stderr.count("answered 503; trying for 5 minutes") == 1
    monkeypatch.setattr("novaburst.commands.submit._PATIENCE_SECONDS", 0.9)
    away = CliRunner().invoke(main, ["submit", "--url", "http://127.0.0.1:1", str(photos)])
    assert away.exit_code == 3
    assert away.stderr.startswith("http://127.0.0.1:1 does not answer; trying for ")


def test_a_disk_that_is_full_in_the_middle_is_said_in_words_and_the_same_command_goes_on(
    tier: PlayedTier, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def nearly_full(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 9")
        return connection

    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", nearly_full)
        result = submit(tier, photos)
    assert result.exit_code == 1
    assert "database or disk is full; the same command goes on once there is room" in result.stderr
    [journal] = journals(tmp_path)
    assert str(journal) in result.stderr
    assert submit(tier, photos).exit_code == 0
    assert tier.names == sorted(path.name for path in photos.rglob("*.jpg"))


def test_answers_that_found_a_full_disk_are_printed_by_the_same_command_without_another_upload(
    tier: PlayedTier, photos: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        process = command(tier, photos, "--csv", stdout=full)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "Error: the output cannot be written: No space left on device"
    uploads = tier.uploads
    assert submit(tier, photos, "--csv").stdout.count("palace") == 100
    assert tier.uploads == uploads


def test_two_submissions_of_the_same_files_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with Journal(path), pytest.raises(JournalError, match="by another process"):
        Journal(path)


def test_a_refusal_of_the_request_ends_the_submission_with_the_web_tiers_words(tier: PlayedTier, photos: Path) -> None:
    tier.fault = lambda number: (400, {})
    with Client(tier.url) as client, pytest.raises(ClientError, match="not now"):
        client.submit([photos])


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


def test_a_walk_over_many_files_stays_small_in_memory(tier: PlayedTier, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    ahead = 0
    taken = 0

    def paths() -> Any:
        nonlocal ahead
        for number in range(3_000):
            path = folder / f"{number}.jpg"
            path.write_bytes(b"x")
            ahead = max(ahead, number - taken)
            yield path

    def on_file(_: Taken) -> None:
        nonlocal taken
        taken += 1

    with Client(tier.url) as client:
        assert client.submit(paths(), parallel=2, on_file=on_file).taken == 3_000
    # Two requests under way, two ready, one being collected.
    assert ahead <= 6 * 32
