"""`novaburst submit` before a server that plays the web tier: whatever happens, every file once."""

import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from novaburst.cli import main
from novaburst.client import Client, ClientError, Journal, JournalError, Taken
from tests.unit.novaburst.conftest import PlayedTier
from tests.unit.novaburst.submitting import command, journals, submit


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
