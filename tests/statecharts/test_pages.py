"""The pages in `docs/` are those that the charts give: `python -m statecharts.drawing docs` makes them anew."""

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from msgspec.structs import fields

from statecharts.catalog import CHARTS, PROSE, RUN_BY
from statecharts.chart import Chart, name_of
from statecharts.drawing.__main__ import main
from statecharts.drawing.pages import pages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = pages()
"""Drawn once: that takes a moment, and each test looks at them."""


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_not_stale(path: str) -> None:
    assert DOCS.joinpath(path).read_text("utf-8") == PAGES[path], "run: python -m statecharts.drawing docs"


def test_nothing_is_left_of_a_chart_that_is_gone() -> None:
    assert {f"charts/{file.name}" for file in DOCS.joinpath("charts").iterdir()} == PAGES.keys() - {"statecharts.md"}


def test_the_index_leads_to_every_chart() -> None:
    index = PAGES["statecharts.md"]
    for name in CHARTS:
        assert f"| [{name}](charts/{name}.md) | " in index


charts = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())


@charts
def test_it_is_said_who_runs_a_chart(chart: Chart[Any, Any]) -> None:
    """Its name in the catalog's RUN_BY, with the file that fires its events."""
    assert RUN_BY[chart.name] in PAGES[f"charts/{chart.name}.md"]
    assert re.search(rf"\b{chart.name.upper()}\b", ROOT.joinpath(RUN_BY[chart.name]).read_text("utf-8"))


def rows(page: str, title: str) -> list[list[str]]:
    """The table below a title, without its head; code without its marks."""
    text = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    table = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table[2:]]


@charts
def test_a_page_says_what_the_chart_says(chart: Chart[Any, Any]) -> None:
    page = PAGES[f"charts/{chart.name}.md"]
    assert PROSE[chart.name] in page
    assert [state for state, _ in rows(page, "States")] == list(chart.states)
    matrix = rows(page, "What a state does with an event")
    assert [event for event, *_ in matrix] == list(chart.events)
    for (name, *cells), event in zip(matrix, chart.events.values(), strict=True):
        for state, cell in zip(chart.states, cells, strict=True):
            expected = {"ignored": "ignored", "error": "**error**"}.get(chart.reaction(state, event), cell)
            assert cell == expected, (name, state)
            assert (cell in {"ignored", "**error**"}) == (not chart.edges_on(state, event))
    assert [(source, event, to) for source, event, _, to, _ in rows(page, "Transitions")] == [
        (edge.source, edge.event.__name__, edge.target) for edge in chart.edges
    ]
    for edge in chart.edges:
        for function in (*([edge.guard] if edge.guard else []), *edge.effects):
            assert f"`{name_of(function)}`" in page


@charts
def test_a_page_has_every_field_of_every_event_and_effect(chart: Chart[Any, Any]) -> None:
    page = PAGES[f"charts/{chart.name}.md"]
    effects = {get_type_hints(effect)["return"] for edge in chart.edges for effect in edge.effects}
    for struct in (*chart.events.values(), *effects):
        told = page.partition(f"\n- `{struct.__name__}`")[2].partition("\n- ")[0]
        assert [field.name for field in fields(struct)] == re.findall(r"^  - `(\w+): ", told, re.MULTILINE)


def test_a_field_has_its_sentence() -> None:
    page = PAGES["charts/message.md"]
    assert "\n  - `rate: int`: Hz.\n" in page
    assert "\n  - `confirmed: bool = True`: False if the device never confirmed; " in page


def test_the_command_writes_them(tmp_path: Path) -> None:
    main([str(tmp_path / "new")])
    written = {file.relative_to(tmp_path / "new").as_posix(): file.read_text("utf-8") for file in tmp_path.rglob("*.*")}
    assert written == PAGES


def test_the_command_says_how_it_is_used() -> None:
    with pytest.raises(SystemExit, match=r"^usage: python -m statecharts\.drawing FOLDER"):
        main([])
