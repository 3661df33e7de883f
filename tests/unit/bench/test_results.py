"""The results' file: a section for each benchmark, in the place that it has."""

from pathlib import Path

import pytest

import bench.results
from bench.results import record


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
