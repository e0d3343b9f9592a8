"""The terminal: a block that is drawn in place if it is one, plain lines if it is not."""

import os
from io import StringIO

import pytest

from rtactors.cli.terminal import Terminal
from tests.cli.command import screen


class Tty(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        return screen(self.getvalue())


@pytest.fixture(autouse=True)
def forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_the_block_is_drawn_in_place_and_lines_go_above_it() -> None:
    tty = Tty()
    terminal = Terminal(tty)
    terminal.print(("first", ""))
    terminal.draw([[("one", "good")], [("two", "")]])
    terminal.print(("second", "faint"))
    terminal.draw([[("one", "good")], [("two", "")], [("three", "bad")]])
    assert tty.screen == ["first", "second", "one", "two", "three"]
    terminal.leave()
    terminal.print(("third", ""))
    assert tty.screen == ["first", "second", "one", "two", "three", "third"]


def test_the_cursor_comes_back() -> None:
    tty = Tty()
    terminal = Terminal(tty)
    terminal.draw([[("one", "")]])
    terminal.leave()
    assert tty.getvalue().count("\x1b[?25l") == tty.getvalue().count("\x1b[?25h") == 1


def test_what_has_not_changed_is_not_drawn() -> None:
    tty = Tty()
    terminal = Terminal(tty)
    terminal.draw([[("one", "")]])
    drawn = tty.getvalue()
    terminal.draw([[("one", "")]])
    assert tty.getvalue() == drawn


@pytest.mark.parametrize(
    ("text", "fitting"), [("x" * 50, "x" * 39), ("語" * 30, "語" * 19), ("e\u0301" * 50, "e\u0301" * 39)]
)
def test_a_line_of_the_block_is_cut_to_the_width(text: str, fitting: str) -> None:
    tty = Tty()
    Terminal(tty).draw([[(text, "good"), ("more", "")]])
    assert tty.screen == [fitting]


def test_a_row_is_cut_and_a_line_is_not() -> None:
    tty = Tty()
    Terminal(tty).row(("x" * 50, ""))
    Terminal(tty).print(("x" * 50, ""))
    assert tty.screen == ["x" * 39, "x" * 50]


def test_what_it_is_given_cannot_steer_it() -> None:
    tty = Tty()
    Terminal(tty).draw([[("one\ntwo\x1b[2Jthree\x9b4m", "good")]])
    assert tty.screen == ["one two [2Jthree 4m"]


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    tty = Tty()
    Terminal(tty).print(("good", "good"))
    assert tty.getvalue() == "good\n"


@pytest.mark.parametrize("stream", [StringIO(), Tty()])
def test_what_is_no_terminal_gets_plain_lines(stream: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TERM", "dumb")
    terminal = Terminal(stream)
    assert not terminal.live
    terminal.print(("good", "good"), (" and more ", ""))
    terminal.row(("x" * 50, "bad"))
    assert stream.getvalue() == "good and more\n" + "x" * 50 + "\n"
