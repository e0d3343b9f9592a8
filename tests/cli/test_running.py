"""Running text as it is seen on a terminal, with the keyboard's echo in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.cli.running import RunningText
from rtactors.cli.terminal import Terminal
from tests.cli.emulator import Emulator
from tests.cli.test_terminal import Tty

STRONG, SPOKEN = "1", "1;4;36"


class Seen:
    """A text on a terminal of 30 columns, and what is seen of it."""

    def __init__(self) -> None:
        self._tty = Tty()
        self._screen = Emulator(columns=30)
        self.text = RunningText(Terminal(self._tty), 9)

    @property
    def screen(self) -> Emulator:
        self._screen.feed(self._tty.getvalue())
        self._tty.seek(0)
        self._tty.truncate()
        return self._screen

    def echo(self, keys: str) -> None:
        self.screen.feed(keys)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Seen()


def test_the_word_that_is_spoken_is_highlighted_and_then_as_the_others(seen: Seen) -> None:
    seen.text.add("m", "model", "One two", "strong")
    seen.text.highlight("m", "model", " three")
    assert seen.screen.lines == ["model    One two three"]
    assert (seen.screen.styled(STRONG), seen.screen.styled(SPOKEN)) == ("One two", "three")
    seen.text.add("m", "model", " three", "strong")
    assert (seen.screen.styled(STRONG), seen.screen.styled(SPOKEN)) == ("One two three", "")


def test_the_word_in_which_it_is_stopped_goes(seen: Seen) -> None:
    seen.text.add("m", "model", "One two")
    seen.text.highlight("m", "model", " three")
    seen.text.remark("m", "model", " — (stopped)")
    assert seen.screen.lines == ["model    One two — (stopped)"]


def test_lines_are_broken_between_words(seen: Seen) -> None:
    seen.text.add("m", "model", "One two three four five")
    seen.text.highlight("m", "model", " six")
    assert seen.screen.lines == ["model    One two three four", "         five six"]
    seen.text.add("m", "model", " six seven eight")
    seen.text.highlight("m", "model", " nine")
    assert seen.screen.lines == ["model    One two three four", "         five six seven eight", "         nine"]
    seen.text.add("m", "model", " nine")
    assert seen.screen.lines[2] == "         nine"


def test_just_enter_leaves_the_line_as_it_was(seen: Seen) -> None:
    seen.text.add("m", "model", "One two")
    seen.text.highlight("m", "model", " three")
    seen.echo("\r\n")
    seen.text.typed("")
    seen.text.remark("m", "model", " — (stopped)")
    assert seen.screen.lines == ["model    One two — (stopped)"]


def test_what_is_typed_stays_and_is_never_written_over(seen: Seen) -> None:
    seen.text.add("m", "model", "One")
    seen.text.highlight("m", "model", " two")
    seen.echo("hey")
    seen.text.add("m", "model", " two")
    assert seen.screen.lines == ["model    Onehey two"]
    seen.text.highlight("m", "model", " three")
    seen.echo("\r\n")
    seen.text.typed("hey")
    seen.text.add("m", "model", " three")
    assert seen.screen.lines == ["model    Onehey two three", "model    … three"]


words = st.lists(
    st.tuples(st.sampled_from([" ", ""]), st.sampled_from(["a", "two", "eighteen", "深", "x" * 40])), min_size=1
)


@given(words, st.data())
def test_whatever_was_highlighted_what_is_seen_is_what_was_added(
    words: list[tuple[str, str]], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "30")
        monkeypatch.delenv("NO_COLOR", raising=False)
        seen = Seen()
        for space, word in words:
            if data.draw(st.booleans()):
                seen.text.highlight("m", "model", space + word)
            if data.draw(st.booleans()):
                seen.text.highlight("m", "model", " another")
            seen.text.add("m", "model", space + word)
        seen.text.end()
    shown = "".join("".join(seen.screen.lines).split())
    assert shown == "model" + "".join(word for _, word in words)
    assert all(line.startswith(" " * 9) or "x" * 12 in line for line in seen.screen.lines[1:])
