import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from novaburst.cli import main
from novaburst.client import Client
from tests.unit.novaburst.conftest import PlayedTier


@pytest.fixture
def batch(tier: PlayedTier) -> str:
    tier.page = 50
    tier.batches.add("b-1")
    tier.refusals = {"003.jpg": "damaged_image", "=1+1.jpg": "not_an_image"}
    tier.take("b-1", [("=1+1.jpg", b"x"), *((f"{number:03}.jpg", b"x") for number in range(129))])
    return "b-1"


def results(tier: PlayedTier, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["results", "--url", tier.url, *arguments])


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_csv_has_a_row_an_image_and_no_formula(tier: PlayedTier, batch: str, follow: list[str]) -> None:
    result = results(tier, batch, "--csv", *follow)
    assert result.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 130
    assert rows[0]["name"] == "'=1+1.jpg"
    assert [row["error"] for row in rows if row["name"] == "003.jpg"] == ["damaged_image"]


def test_json_is_one_object_with_the_apis_images(tier: PlayedTier, batch: str) -> None:
    body = json.loads(results(tier, f"{tier.url}/batches/{batch}", "--json").stdout)
    assert body["page"] == f"{tier.url}/batches/b-1"
    assert len(body["images"]) == 130
    assert body["images"][5]["label"] == "palace"


def test_a_person_sees_the_first_rows_the_sum_and_how_to_get_all(tier: PlayedTier, batch: str) -> None:
    result = results(tier, batch, "--follow")
    assert "damaged_image" in result.stdout
    assert "and 70 more; the most frequent labels: palace 128" in result.stdout
    assert "128 labels, 2 without" in result.stdout
    assert f"novaburst results {tier.url}/batches/b-1 --csv" in result.stdout


def test_the_address_of_a_page_is_asked_where_it_is_unless_the_option_names_another_way(
    tier: PlayedTier, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVABURST_URL", "http://127.0.0.1:9")
    page = f"{tier.url}/batches/{batch}"
    asked = CliRunner().invoke(main, ["results", page, "--json"])
    assert json.loads(asked.stdout)["page"] == page
    # The played tier has no status to watch, and says so.
    assert f"{tier.url} answered 404" in CliRunner().invoke(main, ["watch", page, "--every", "0.2"]).output
    other = CliRunner().invoke(main, ["results", f"http://photos.example/batches/{batch}", "--url", tier.url, "--json"])
    assert json.loads(other.stdout)["page"] == page


NOVABURST = Path(sys.executable).with_name("novaburst")
FULL = "Error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("form", [["--csv"], ["--json"], []])
@pytest.mark.parametrize("images", [0, 3])
def test_a_disk_that_is_full_under_the_output_is_said_in_one_line(
    tier: PlayedTier, form: list[str], images: int
) -> None:
    tier.batches.add("b-1")
    tier.take("b-1", [(f"{number}.jpg", b"x") for number in range(images)])
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [NOVABURST, "results", "--url", tier.url, "b-1", *form],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, FULL)


def test_a_reader_who_has_gone_is_no_failure_to_be_told(tier: PlayedTier, batch: str) -> None:
    with subprocess.Popen(
        [NOVABURST, "results", "--url", tier.url, batch, "--csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == ""


def test_two_forms_or_what_is_no_batch_are_wrong_usage(tier: PlayedTier) -> None:
    assert results(tier, "b", "--csv", "--json").exit_code == 2
    assert results(tier, "../../etc/passwd").exit_code == 2


def test_the_client_needs_neither_tier_nor_worker_installed() -> None:
    foreign = ("flask", "gunicorn", "werkzeug", "moto", "numpy", "onnxruntime", "PIL", "torch", "psutil", "chalice")
    program = f"""
import sys
for name in {foreign!r}:
    sys.modules[name] = None  # importing it now raises ImportError
import novaburst.client, novaburst.commands.submit, novaburst.commands.results, novaburst.commands.watch
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    with Client("http://127.0.0.1:1/") as client:
        assert client.page("b") == "http://127.0.0.1:1/batches/b"
