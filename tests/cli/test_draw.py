"""`rtactors draw` gives what the drawings are, to the terminal or to a file."""

import json
from pathlib import Path

import pytest

from rtactors.cli.arguments import FORMATS, SUFFIXES
from rtactors.cli.main import main
from statecharts.catalog import CHARTS
from statecharts.drawing import FORMATS as ALL_FORMATS
from statecharts.drawing import Format, draw
from tests.cli.command import rtactors


def test_all_formats_are_offered() -> None:
    assert FORMATS == ALL_FORMATS


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_in_every_format(chart: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", chart, "--format", format]) == 0
    assert capsys.readouterr() == (draw(CHARTS[chart], format), "")  # pyright: ignore[reportArgumentType] a str here


@pytest.mark.parametrize(("suffix", "format"), SUFFIXES.items())
def test_into_a_file_in_the_format_of_its_name(suffix: str, format: Format, tmp_path: Path) -> None:
    picture = tmp_path / f"message{suffix}"
    assert main(["draw", "message", "--output", str(picture)]) == 0
    drawn = draw(CHARTS["message"], format)
    fenced = f"```mermaid\n{drawn}```\n"  # as Markdown shows it
    assert picture.read_text(encoding="utf-8") == (fenced if suffix == ".md" else drawn)


def test_a_format_that_is_given_counts_more(tmp_path: Path) -> None:
    picture = tmp_path / "message.txt"
    assert rtactors("draw", "message", "--format", "svg", "--output", picture) == (0, "", "")
    assert picture.read_text(encoding="utf-8") == draw(CHARTS["message"], "svg")


def test_no_folder_is_made(tmp_path: Path) -> None:
    picture = tmp_path / "new" / "message.svg"
    result = rtactors("draw", "message", "--output", picture)
    assert (result.code, result.out) == (2, "")
    assert f"cannot write to {picture}: there is no folder {picture.parent};" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["draw"], ["draw", "--list"]])
def test_the_list(arguments: list[str]) -> None:
    result = rtactors(*arguments)
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == list(CHARTS)
    assert "message       pending, showing, playing, paused, full, partial, skipped\n" in result.out


def test_the_list_for_programs() -> None:
    result = rtactors("draw", "--list", "--json")
    assert json.loads(result.out) == {name: list(chart.states) for name, chart in CHARTS.items()}
