"""The demo on terminals that are narrow, or that have no block characters."""

import io
import re

import anyio
import pytest

from rtactors.cli.live import Live, show_report
from rtactors.cli.seen import Seen
from rtactors.cli.terminal import Terminal
from rtactors.session_events import MessageAnnounced, MessageText
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
    show_report(Terminal(tty), report(message(1, heard_ms=12_345), message(2, heard_ms=0)), ["heard.wav"])
    values = [line for line in tty.screen if re.search(r" \d+\.\d{3} s| -", line)]
    narrow = ["   heard          12.345 s", "   server keeps   12.345 s", "   chat history   12.345 s"]
    if columns < 60:
        assert values[:3] == narrow
        assert values[3] == "   heard                 -"
    else:
        assert values[0].startswith(" 1 full           12.345 s       12.345 s       12.345 s")
