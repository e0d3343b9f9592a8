"""`rtactors draw` gives what the drawings are, to the terminal or to a file."""

import json
from pathlib import Path

import pytest

from rtactors.cli.arguments import FORMATS
from rtactors.cli.main import main
from statecharts.catalog import CHARTS
from statecharts.drawing import FORMATS as ALL_FORMATS
from statecharts.drawing import draw
from tests.cli.command import rtactors


def test_all_formats_are_offered() -> None:
    assert FORMATS == ALL_FORMATS


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_in_every_format(chart: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", chart, "--format", format]) == 0
    assert capsys.readouterr() == (draw(CHARTS[chart], format), "")  # pyright: ignore[reportArgumentType]


def test_into_a_file(tmp_path: Path) -> None:
    picture = tmp_path / "message.svg"
    assert rtactors("draw", "message", "--format", "svg", "--output", picture) == (0, "", "")
    assert picture.read_text(encoding="utf-8") == draw(CHARTS["message"], "svg")


@pytest.mark.parametrize("arguments", [["draw"], ["draw", "--list"]])
def test_the_list(arguments: list[str]) -> None:
    result = rtactors(*arguments)
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == list(CHARTS)
    assert "message     pending, playing, paused, full, partial, skipped\n" in result.out


def test_the_list_for_programs() -> None:
    result = rtactors("draw", "--list", "--json")
    assert json.loads(result.out) == {name: list(chart.states) for name, chart in CHARTS.items()}
