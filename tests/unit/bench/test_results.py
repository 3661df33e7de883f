"""The results' file: a section for each benchmark, in the place that it has."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import bench.latency
import bench.results
import bench.wake
from bench.__main__ import TITLES, main
from bench.results import record, with_section


def test_a_section_takes_the_place_of_its_older_self_and_says_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(bench.results, "RESULTS", path)
    record("Wake", "python -m bench wake", "old 1\n")
    record("Load", "python -m bench load", "\n load 2  \n")
    record("Wake", "python -m bench --quick wake", "new 3\n")
    text = path.read_text()
    assert text.startswith("# Results\n")
    assert text.index("## Wake") < text.index("## Load")
    assert "`python -m bench --quick wake` on " in text
    assert ("old 1" in text, "new 3" in text) == (False, True)
    assert "```text\n load 2\n```" in text


def test_one_benchmark_that_fails_keeps_its_old_section_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(bench.results, "RESULTS", path)
    record(TITLES["wake"], "python -m bench wake", "old 1\n")

    def fails(*, quick: bool) -> None:
        print("half of it")
        raise RuntimeError("no room")

    monkeypatch.setattr(bench.wake, "main", fails)
    monkeypatch.setattr(bench.latency, "main", lambda *, quick: print(f"quick {quick}"))
    ended = CliRunner().invoke(main, ["--quick", "wake", "latency"])
    assert ended.exit_code == 1
    assert "failed: wake" in str(ended.output)
    text = path.read_text()
    assert "old 1" in text
    assert "half of it" not in text
    assert "quick True" in text
    assert "`python -m bench --quick latency` on " in text


def test_a_name_that_is_no_benchmark_is_refused_with_those_that_there_are() -> None:
    refused = CliRunner().invoke(main, ["speed"])
    assert refused.exit_code == 2
    assert "'seed', 'reality', 'policies'" in refused.output


def test_a_section_takes_the_place_of_its_predecessor_and_leaves_the_others() -> None:
    document = "# Results\n\n## One\n\nold\n\n## Two\n\nkept\n"
    assert with_section(document, "## One\n\nnew") == "# Results\n\n## One\n\nnew\n\n## Two\n\nkept\n"
    assert with_section(document, "## Three\n\nnew") == document + "\n## Three\n\nnew\n"
    assert with_section("", "## One\n\nnew") == "## One\n\nnew\n"
