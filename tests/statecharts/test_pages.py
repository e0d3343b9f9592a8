"""The pages in `docs/` are those that the charts give: `python -m statecharts.drawing docs` makes them anew."""

from pathlib import Path

import pytest

from statecharts.catalog import CHARTS
from statecharts.drawing.__main__ import main
from statecharts.drawing.pages import pages

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("path", pages())
def test_a_page_is_not_stale(path: str) -> None:
    assert DOCS.joinpath(path).read_text("utf-8") == pages()[path], "run: python -m statecharts.drawing docs"


def test_no_picture_is_left_of_a_chart_that_is_gone() -> None:
    assert {f"charts/{file.name}" for file in DOCS.joinpath("charts").iterdir()} == pages().keys() - {"statecharts.md"}


def test_every_chart_is_told_of() -> None:
    text = pages()["statecharts.md"]
    for name in CHARTS:
        assert f"\n## {name.capitalize()}\n" in text
        assert f"](charts/{name}.svg)" in text


def test_the_command_writes_them(tmp_path: Path) -> None:
    main([str(tmp_path / "new")])
    written = {file.relative_to(tmp_path / "new").as_posix(): file.read_text("utf-8") for file in tmp_path.rglob("*.*")}
    assert written == pages()


def test_the_command_says_how_it_is_used() -> None:
    with pytest.raises(SystemExit, match=r"^usage: python -m statecharts\.drawing FOLDER"):
        main([])
