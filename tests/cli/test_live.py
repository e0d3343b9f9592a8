"""The demo on terminals that are narrow, or that have no block characters."""

import io
import re
from itertools import groupby
from pathlib import Path

import anyio
import pytest

from rtactors.cli.live import Live, show_report
from rtactors.cli.seen import Seen
from rtactors.cli.terminal import Terminal
from rtactors.session_events import Caption, CaptionsEnded, MessageAnnounced, MessageText, SessionEvent, Transition
from rtactors.sinks.base import Progress
from tests.cli.command import screen
from tests.cli.test_terminal import Tty
from tests.cli.test_timeline import message, report


class Ascii(io.TextIOWrapper):
    """A terminal that has no other characters."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", errors="replace")

    def isatty(self) -> bool:
        return True

    def getvalue(self) -> str:
        self.seek(0)
        return self.read()


async def row(tty: Tty | Ascii) -> str:
    """That of a message of 12 s, of which 3 were heard."""
    seen = Seen()
    seen.event(MessageAnnounced("m1", "r1", None, anyio.current_time()))
    seen.event(MessageText("m1", "Ada kept the lighthouse."))
    seen.report(Progress("m1", 3 * 24_000))
    live = Live(Terminal(tty), seen, lambda _: 12_000)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await live.run()
    [line] = screen(tty.getvalue())
    return line


TEXT = "Ada kept the lighthouse. Every evening she counted the ships."
WORDS = [
    Caption("m1", word if word == "Ada" else f" {word}", 300 * number, 300 * (number + 1), 0.3 * number, estimated=True)
    for number, word in enumerate(TEXT.split())
]


async def block(tty: Tty, *events: SessionEvent, heard_ms: int) -> list[str]:
    """The lines of a message that is playing, as the terminal has them, codes and all."""
    seen = Seen()
    moved = Transition(chart="message", id="m1", before="pending", event=None, after="playing", effects=(), at=0)
    for event in (MessageAnnounced("m1", "r1", None, 0.0), MessageText("m1", TEXT), moved, *events):
        seen.event(event)
    seen.report(Progress("m1", heard_ms * 24))
    live = Live(Terminal(tty), seen, lambda _: 3000)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await live.run()
    return tty.getvalue().replace("\x1b[?25l", "").replace("\x1b[?25h", "").splitlines()


def styled(line: str) -> list[tuple[str, str]]:
    """Its pieces, each with its codes."""
    return [(codes, text) for codes, text in re.findall(r"(?:\x1b\[([\d;]+)m)?([^\x1b]+)(?:\x1b\[0m)?", line) if text]


def joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pieces of the same style are one."""
    return [(codes, "".join(text for _, text in group)) for codes, group in groupby(pieces, key=lambda piece: piece[0])]


@pytest.mark.anyio
async def test_karaoke_what_was_heard_the_word_that_is_and_what_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR")
    row, spoken = await block(Tty(), *WORDS[:3], heard_ms=700)
    karaoke = [("1", "Ada kept"), ("", " "), ("1;4;36", "the")]
    assert joined(styled(spoken)) == [("", "   "), *karaoke, ("2", TEXT[12:])]
    assert joined(styled(row))[-4:-1] == karaoke


@pytest.mark.anyio
async def test_a_word_that_was_heard_to_its_end_is_not_highlighted_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR")
    _, spoken = await block(Tty(), *WORDS[:3], heard_ms=900)
    assert joined(styled(spoken)) == [("", "   "), ("1", "Ada kept the"), ("2", TEXT[12:])]


@pytest.mark.anyio
async def test_the_word_in_which_it_was_stopped_was_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR")
    ended = CaptionsEnded(message_id="m1", words=tuple(WORDS[:2]), text="Ada kept", interrupted=True, at=0.7)
    row, _ = await block(Tty(), *WORDS[:3], ended, heard_ms=700)
    assert joined(styled(row))[-2] == ("1", "Ada kept")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (0, "Ada kept the lighthouse."),
        (4, "Ada kept the lighthouse."),
        (5, "Every evening she"),
        (7, "Every evening she"),
        (10, "counted the ships."),
    ],
)
async def test_the_line_that_is_spoken_is_shown(words: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "28")
    _, spoken = await block(Tty(), *WORDS[:words], heard_ms=300 * words)
    assert spoken == f"   {shown}"


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (90, " 1 ○ pending █████░░░░░░░░░░░░░░░  3.000 of 12.000 s  Ada kept the lighthouse."),
        (56, " 1 ○ pending █████░░░░░░░░░░░░░░░  3.000 of 12.000 s  A"),
        (40, " 1 ○ pending █░░░░  3.000 of 12.000 s"),
        (36, " 1 ○ pending   3.000 of 12.000 s  A"),
        (32, " 1 ○ pending ██░░░░░  3.000 s"),
        (23, " 1 ○ pending   3.000 s"),
    ],
)
async def test_a_number_is_never_cut(columns: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert (await row(Tty())).rstrip() == shown


@pytest.mark.anyio
async def test_bars_of_letters_where_there_are_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    shown = await row(Ascii())
    assert shown.startswith(" 1   pending #####...............  3.000 of 12.000 s")


@pytest.mark.parametrize("columns", [40, 60])
def test_the_values_stand_under_one_another_where_there_is_no_room(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    tty = Tty()
    show_report(Terminal(tty), report(message(1, heard_ms=12_345), message(2, heard_ms=0)), [Path("out/heard.wav")])
    values = [line for line in tty.screen if re.search(r" \d+\.\d{3} s| -", line)]
    narrow = ["   heard          12.345 s", "   server keeps   12.345 s", "   chat history   12.345 s"]
    if columns < 60:
        assert values[:3] == narrow
        assert values[3] == "   heard                 -"
    else:
        assert values[0].startswith(" 1 full           12.345 s       12.345 s       12.345 s")
