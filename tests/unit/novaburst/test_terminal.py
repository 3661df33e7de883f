"""What the commands print in tables is whole, however narrow the terminal, and in one line where there is none."""

import io
from uuid import UUID

import pytest
from click.testing import CliRunner

from novaburst.cli import main
from novaburst.terminal import Console, Table

BATCH = str(UUID(int=2**127 + 7))


def shown(width: int | None = None) -> str:
    table = Table("image", "batch", "why it is here")
    table.add_row(BATCH, BATCH, "its image is not in the in-bucket, and no worker has answered it")
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_cell_that_a_terminal_has_no_room_for_goes_on_below() -> None:
    lines = shown(width=60).splitlines()
    assert "…" not in "".join(lines)
    assert "".join(line.split("│")[1].strip() for line in lines if line.startswith("│")) == BATCH


def test_in_a_file_each_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    [row] = [line for line in shown().splitlines() if BATCH in line]
    assert row.count(BATCH) == 2
    assert "no worker has answered it" in row


def test_the_least_cost_of_a_workload_can_be_read_on_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = CliRunner().invoke(main, ["simulate", "--burst", "10000"]).stdout.partition("The cost is")[0]
    [always] = [line.split() for line in table.splitlines() if "20 always on" in line]
    assert always[-4:] == ["1.7000", "0.0298", "19.98", "20"]
    assert max(map(len, table.splitlines())) <= 80
