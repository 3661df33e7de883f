"""`novaburst simulate` and `novaburst estimate` as people call them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from novaburst.cli import main


def test_ways_of_scaling_are_compared_with_their_bound_and_drawn(tmp_path: Path) -> None:
    for suffix in ("png", "svg"):
        picture = tmp_path / f"plot.{suffix}"
        shown = CliRunner().invoke(main, ["simulate", "--burst", "500", "--json", "--plot", str(picture)])
        assert shown.exit_code == 0, shown.output
        assert picture.stat().st_size > 1000
    outcomes = json.loads(shown.stdout)
    assert outcomes[0]["scaler"] == "ours: proportional"
    assert len({one["scaler"] for one in outcomes}) == 8
    assert all(one["images"] == 500 and one["least_cost"] > 0 for one in outcomes)


def test_a_preset_gives_the_fleet_its_share_and_its_idle_time_and_what_is_set_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def idle_hours(**environment: str) -> float:
        shown = CliRunner().invoke(main, ["simulate", "--burst", "100", "--json"], env=environment)
        ours = json.loads(shown.stdout)[0]
        assert ours["launches"] == (20 if "NOVABURST_PRESET" in environment else 1)
        return float(ours["wasted_hours"])

    course, set_too = idle_hours(NOVABURST_PRESET="cse546"), {"NOVABURST_PRESET": "cse546"}
    assert course == idle_hours(**set_too, NOVABURST_IDLE_SECONDS="5")
    # Below what a minute leaves, everybody stays for that.
    assert course < idle_hours(**set_too, NOVABURST_IDLE_SECONDS="300")


def test_people_get_a_table_for_each_workload(tmp_path: Path) -> None:
    path = tmp_path / "monday.csv"
    path.write_text("0,10\n30,200\n")
    shown = CliRunner().invoke(main, ["simulate", "--trace", str(path), "--burst", "10"])
    assert shown.exit_code == 0, shown.output
    assert "monday" in shown.output
    assert "burst of 10" in shown.output


def test_a_trace_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("now,many\n")
    shown = CliRunner().invoke(main, ["simulate", "--trace", str(path)])
    assert shown.exit_code == 1
    assert "line 1: must be like 12.5,100" in shown.output


@pytest.mark.parametrize("number", ["nan", "inf"])
@pytest.mark.parametrize(
    "command",
    [
        "simulate --idle-seconds",
        "simulate --boot-seconds 0",
        "simulate --interruptions",
        "estimate --images 9 --within",
    ],
)
def test_a_number_that_is_none_or_without_end_is_refused_by_its_option(command: str, number: str) -> None:
    shown = CliRunner().invoke(main, [*command.split(), number])
    assert shown.exit_code == 2, shown.output
    assert "is not a finite number" in shown.output


@pytest.mark.parametrize("command", [["simulate", "--burst"], ["estimate", "--within", "5", "--images"]])
@pytest.mark.parametrize(("maximum", "images"), [("0", "100"), ("20", str(10**30))])
def test_what_no_fleet_of_that_size_can_ever_answer_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, command: list[str], maximum: str, images: str
) -> None:
    monkeypatch.setenv("NOVABURST_MAX_WORKERS", maximum)
    shown = CliRunner().invoke(main, [*command, images])
    assert shown.exit_code == 1
    assert f"{maximum} instances cannot answer {int(images):,} images" in shown.output
    assert isinstance(shown.exception, SystemExit)


def test_a_trace_that_is_no_text_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    for content in (b"\xff\xd8\xff\xe0", b"0,10\r30,20\r" + b"x" * 200_000):
        path.write_bytes(content)
        shown = CliRunner().invoke(main, ["simulate", "--trace", str(path)])
        assert shown.exit_code == 1
        assert f"{path}: is no CSV file" in shown.output


def test_a_plot_that_cannot_be_written_loses_neither_the_tables_nor_the_other_plots(tmp_path: Path) -> None:
    plots = (tmp_path / "nowhere" / "x.svg", tmp_path / "x.odd", tmp_path / "x.svg")
    options = [word for path in plots for word in ("--plot", str(path))]
    shown = CliRunner().invoke(main, ["simulate", "--burst", "10", "--json", *options])
    assert shown.exit_code == 1
    assert len(json.loads(shown.stdout)) == 8
    assert f"{plots[0]} cannot be written: No such file or directory; {plots[1]} cannot be drawn: " in shown.stderr
    assert plots[2].stat().st_size > 1000


def test_the_table_says_that_its_cost_is_of_instances_alone() -> None:
    shown = CliRunner().invoke(main, ["simulate", "--burst", "10"])
    assert re.search(r"EC2's alone\. Each 1,000 images of 60 KB cost 0\.01\d\d US dollars more", shown.output)


def test_an_estimate_names_instances_time_cost_and_the_setting() -> None:
    shown = CliRunner().invoke(main, ["estimate", "--images", "20000", "--within", "2"])
    assert shown.exit_code == 0, shown.output
    assert "instances: the last of 20,000 images is answered after" in shown.output
    assert "NOVABURST_IMAGES_PER_WORKER=" in shown.output


def test_an_estimate_is_the_whole_bill_and_says_what_is_not_in_it() -> None:
    shown = CliRunner().invoke(main, ["estimate", "--images", "100000", "--within", "5"])
    assert shown.exit_code == 0, shown.output
    # Two PUTs and a GET each, without which the answer would be a few cents.
    said = re.search(r"for (\d+\.\d\d) US dollars, EC2's part of which is (\d+\.\d\d)", shown.output)
    assert said
    assert float(said[1]) > 1.04 > 10 * float(said[2])
    for words in ("EC2: instances", "S3: PUT and LIST", "this burst, 60 KB", "each month", "dashboard", "Not in them"):
        assert words in shown.output


def test_an_estimate_as_json_has_the_items_whose_sum_is_the_total() -> None:
    told = estimated()
    for bill in (told["bill"], told["month"]):
        assert bill["total"] == pytest.approx(sum(item["dollars"] for item in bill["items"]))
    assert told["bill"]["items"][0]["dollars"] == told["outcome"]["cost"]
    assert told["images_per_worker"] > 0


def test_an_estimate_follows_the_size_of_images_their_stay_and_a_file_of_prices(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"s3_put_per_1000": 0.05}')
    usual = estimated()["bill"]["total"]
    assert estimated("--image-kilobytes", "3000")["bill"]["total"] > 2 * usual
    assert estimated("--retention-days", "1")["bill"]["total"] < usual
    assert estimated("--prices", str(path))["bill"]["total"] > 5 * usual
    path.write_text('{"s3_put": 0.05}')
    refused = CliRunner().invoke(main, ["estimate", "--images", "10", "--within", "5", "--prices", str(path)])
    assert refused.exit_code == 1
    assert "s3_put: " in refused.output


def test_a_month_without_images_has_the_workers_that_the_settings_keep() -> None:
    resting = estimated()["month"]["total"]
    running, standing = (
        estimated(**{name: "1"})["month"]["total"] for name in ("NOVABURST_MIN_WORKERS", "NOVABURST_STANDBY")
    )
    assert resting < standing < running
    assert estimated(NOVABURST_TRIGGERS="schedule")["month"]["total"] < resting


def estimated(*options: str, **environment: str) -> Any:
    arguments = ["estimate", "--images", "20000", "--within", "5", "--json", *options]
    ended = CliRunner(env=environment).invoke(main, arguments)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_what_cannot_be_done_in_time_is_said_and_fails() -> None:
    shown = CliRunner().invoke(main, ["estimate", "--images", "20000", "--within", "0.2"])
    assert shown.exit_code == 1
    assert "cannot be done within 0.2 minutes" in shown.output


def test_how_long_idle_workers_stay_is_tried_by_an_option_or_the_setting() -> None:
    def cost(*options: str, **environment: str) -> float:
        arguments = ["simulate", "--burst", "100", "--images-per-worker", "5", "--json", *options]
        ended = CliRunner(env=environment).invoke(main, arguments)
        return float(json.loads(ended.stdout)[0]["cost"])

    assert cost("--idle-seconds", "300") > cost()
    assert cost(NOVABURST_IDLE_SECONDS="300") == cost("--idle-seconds", "300")
