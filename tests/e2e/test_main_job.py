"""A person uploads photos and gets the right labels, through the whole system."""

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.e2e.cloud import NOVABURST, Cloud, until
from tests.e2e.course_clients import generation_2021, generation_2024
from tests.photos import imagenet_photos, larger_photos


def labels_of_the_model(cloud: Cloud) -> list[str]:
    project = Path(__file__).resolve().parents[2]
    return (project / ".novaburst" / "models" / "efficientnet_lite0" / "labels.txt").read_text().splitlines()


def upload(cloud: Cloud, files: list[tuple[str, bytes]], wait: int = 120) -> requests.Response:
    return requests.post(
        f"{cloud.url}/api/v1/upload",
        params={"wait": wait},
        files=[("photos", file) for file in files],
        timeout=wait + 10,
    )


def test_twenty_files_at_once_give_eighteen_right_labels_and_two_clear_refusals(cloud: Cloud) -> None:
    names = labels_of_the_model(cloud)
    expected = {photo.path.name: names[photo.class_index] for photo in imagenet_photos()[:14]}
    files = [(photo.path.name, photo.path.read_bytes()) for photo in imagenet_photos()[:14]]
    for label, path in larger_photos().items():
        expected[path.name] = label
        files.append((path.name, path.read_bytes()))
    files.insert(5, ("notes.txt", b"These are my notes, and no image at all.\n" * 20))
    files.insert(11, ("empty.jpg", b""))
    reply = upload(cloud, files)
    assert reply.status_code == 200, reply.text
    answers = {answer["name"]: answer for answer in reply.json()["images"]}
    assert len(answers) == 20
    assert answers["notes.txt"]["error"]["code"] == "not_an_image"
    assert answers["empty.jpg"]["error"]["code"] == "empty_file"
    labels = {name: answer["label"] for name, answer in answers.items() if answer["error"] is None}
    assert labels.keys() == expected.keys()
    right = [name for name in expected if labels[name] == expected[name]]
    assert len(right) >= 16, {name: (labels[name], expected[name]) for name in expected if name not in right}


def test_both_generations_of_course_clients_are_answered_exactly(cloud: Cloud) -> None:
    names = labels_of_the_model(cloud)
    photos = imagenet_photos()
    files = [photo.path for photo in photos]
    old = generation_2021(f"{cloud.url}/anything", files)
    new = generation_2024(cloud.url, files)
    assert old.keys() == new.keys() == {file.name for file in files}
    assert sum(old[photo.path.name] == names[photo.class_index] for photo in photos) >= 17
    assert all(new[file.name] == f"{file.stem}:{old[file.name]}" for file in files)


def test_a_warm_fleet_answers_well_within_a_second(cloud: Cloud) -> None:
    file = larger_photos()["daisy"]
    upload(cloud, [(file.name, file.read_bytes())])
    began = time.monotonic()
    reply = upload(cloud, [(file.name, file.read_bytes())])
    assert reply.json()["images"][0]["label"] == "daisy"
    # The figure itself is the bench's; here it only must not hang on a poll or a timer.
    assert time.monotonic() - began < 5


def test_a_killed_worker_loses_no_image(cloud: Cloud) -> None:
    photo = imagenet_photos()[1].path
    content = photo.read_bytes()
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(upload, cloud, [(f"{n}.jpg", content) for n in range(300)], wait=200)
        killed = 0
        while killed < 3 and not reply.done():
            if workers := cloud.workers():
                workers[0].kill()
                killed += 1
            time.sleep(0.7)
        answers = reply.result()
    assert killed >= 2
    assert answers.status_code == 200, answers.text
    assert {answer["label"] for answer in answers.json()["images"]} == {answers.json()["images"][0]["label"]}
    assert len(answers.json()["images"]) == 300


def test_earlier_results_are_still_there_after_the_web_tier_was_stopped_and_started(cloud: Cloud) -> None:
    file = larger_photos()["palace"]
    batch = upload(cloud, [(file.name, file.read_bytes())]).json()["batch"]
    masters = cloud.running("gunicorn")
    oldest = min(masters, key=lambda process: process.create_time())
    oldest.terminate()
    cloud.wait_for_line("web tier      ended", 30)

    def again() -> dict[str, object] | None:
        try:
            return requests.get(f"{cloud.url}/api/v1/batches/{batch}", timeout=5).json()
        except requests.ConnectionError:
            return None

    after = until(again, 30)
    assert [image["label"] for image in after["images"]] == ["palace"]


def test_the_command_line_submits_files_and_fails_when_one_has_no_label(cloud: Cloud, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    good = [str(path) for path in larger_photos().values()]

    def submit(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [NOVABURST, "submit", "--url", cloud.url, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    all_good = submit(*good, "--json")
    assert all_good.returncode == 0, all_good.stderr
    assert {image["label"] for image in json.loads(all_good.stdout)["images"]} == set(larger_photos())
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    odd.write_bytes(larger_photos()["espresso"].read_bytes())
    mixed = submit(*good, str(tmp_path), "--csv")
    assert mixed.returncode == 1
    assert "notes.txt" in mixed.stdout
    assert "not_an_image" in mixed.stdout
    assert "caf\ufffd.jpg,espresso" in mixed.stdout
    assert "broken.jpg,,,unreadable_file" in mixed.stdout
    status = subprocess.run([NOVABURST, "status", "--url", cloud.url], capture_output=True, text=True, check=True)
    assert "espresso" in status.stdout
    assert "backlog" in status.stdout.lower()


def test_after_the_idle_time_no_worker_runs(cloud: Cloud) -> None:
    file = larger_photos()["missile"]
    assert upload(cloud, [(file.name, file.read_bytes())]).json()["images"][0]["label"] == "missile"
    until(lambda: not cloud.workers(), 60, lambda: str(cloud.workers()))
