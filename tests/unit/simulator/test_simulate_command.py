"""`novaburst simulate` and `novaburst estimate` as people call them."""

import json
from pathlib import Path

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


def test_an_estimate_names_instances_time_cost_and_the_setting() -> None:
    shown = CliRunner().invoke(main, ["estimate", "--images", "20000", "--within", "2"])
    assert shown.exit_code == 0, shown.output
    assert "instances: the last of 20,000 images is answered after" in shown.output
    assert "NOVABURST_IMAGES_PER_WORKER=" in shown.output


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
