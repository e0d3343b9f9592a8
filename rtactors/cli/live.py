"""The demo on the terminal: every message with its state, how much of it was heard, and which words those were.

Below them is the line that is being spoken, as karaoke: words that were heard, the one that is, and those to come.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio

from rtactors.alignment.words import whole_words
from rtactors.cli.report import Message, Report
from rtactors.cli.running import RunningText
from rtactors.cli.seen import Seen, SeenMessage
from rtactors.cli.terminal import Line, Piece, Style, Terminal, width
from rtactors.loopback.conversation import FRAMES_PER_MS
from rtactors.session_events import AgentSaid, Caption, CaptionsEnded, SessionEvent, UserSaid, UserStartedSpeaking

RATE = FRAMES_PER_MS * 1000
REDRAW_S = 0.1
BAR, SHORTEST_BAR = 20, 5
_INDENT = "   "
MARGIN = 10
NARROW = 60
"""Columns below which the closing table has no room for its values side by side."""
SOURCES = "heard: what left the sink, found again in heard.wav; server: its own history, read directly"

_STATES: dict[str, tuple[str, Style]] = {
    "pending": ("○", "faint"),
    "playing": ("▶", "live"),
    "paused": ("‖", "live"),
    "full": ("●", "good"),
    "partial": ("◐", "warm"),
    "skipped": ("✕", "bad"),
}


class Live:
    """Prints what happens as it happens; on a real terminal the messages are a block that moves with the sound.

    `generated_ms` tells how much of a message the server has made.
    """

    def __init__(self, terminal: Terminal, seen: Seen, generated_ms: Callable[[str], int]) -> None:
        self._terminal = terminal
        self._seen = seen
        self._generated_ms = generated_ms
        self._began = anyio.current_time()
        self._said: dict[str, str] = {}
        self._text = RunningText(terminal, MARGIN)

    async def run(self) -> None:
        """Keep the block up to date, until cancelled; its last picture stays."""
        try:
            while self._terminal.live:
                self._draw()
                await anyio.sleep(REDRAW_S)
        finally:
            self._draw()
            self._terminal.leave()

    def _draw(self) -> None:
        if self._terminal.live:
            messages = self._seen.in_order
            playing = [message for message in messages if message.state in {"playing", "paused"}]
            self._terminal.draw([*map(self._row, messages), *(self._spoken(message) for message in playing)])

    def event(self, event: SessionEvent) -> None:
        """After `seen` has taken it in."""
        match event:
            case UserStartedSpeaking():
                self._say("the user speaks")
            case UserSaid():
                self._say(f"the user said: {event.text or '(not understood)'}")
            case AgentSaid() if not self._terminal.live:
                self._say_state(self._seen.messages[event.message.id])
            case Caption() | CaptionsEnded() if not self._terminal.live:
                self._say_words(self._seen.messages[event.message_id])
            case _ if not self._terminal.live:
                for message in self._seen.in_order:
                    if message.state not in {"full", "partial"}:  # these come with what was said
                        self._say_state(message)
            case _:
                pass

    def position(self) -> None:
        """The sink has played on."""
        if not self._terminal.live:
            for message in self._seen.in_order:
                self._say_words(message)

    def _say_words(self, message: SeenMessage) -> None:
        """Without a block they come as they were heard to their ends."""
        heard, _ = message.spoken(RATE)
        self._text.follow(message.id, self._now, heard, "")

    def _say_state(self, message: SeenMessage) -> None:
        """Without a block each change of a message's state is a line."""
        if message.state != self._said.get(message.id):
            self._said[message.id] = message.state
            self._say(f"message {message.number}  {message.state:8}{self._amounts(message)}")

    def _say(self, text: str) -> None:
        self._text.end()
        self._terminal.print((self._now, "faint"), (text, ""))

    @property
    def _now(self) -> str:
        return f"{anyio.current_time() - self._began:6.1f} s  "

    def _row(self, message: SeenMessage) -> Line:
        sign, style = _STATES.get(message.state, ("?", ""))
        generated_ms = self._generated_ms(message.id)
        heard_ms = message.frames // FRAMES_PER_MS
        head = f" {message.number} {sign if self._terminal.shows(sign) else ' '} {message.state:8}"
        room = self._terminal.columns - 1 - len(head)
        # A number that is cut is a wrong one: the bar goes first, then whole numbers.
        amounts = (f" {self._amounts(message)}  ", f" {heard_ms / 1000:6.3f} s  ", "")
        amount = next(text for text in amounts if len(text.rstrip()) <= room)
        bar = self._bar(heard_ms, generated_ms, room - len(amount))
        return [(head, style), *zip(bar, (style, "faint"), strict=True), (amount, ""), *_text(message)]

    def _spoken(self, message: SeenMessage) -> Line:
        """Of its text, broken into lines, the one that has come to be heard."""
        line: list[Piece] = [(_INDENT, "")]
        for text, style in _text(message):
            for word in whole_words(text, over=True):
                if sum(width(each) for each, _ in line) + width(word) >= self._terminal.columns:
                    if style == "faint":
                        return line
                    line = [(_INDENT, "")]
                line.append((word if len(line) > 1 else word.lstrip(), style))
        return line

    def _bar(self, heard_ms: int, generated_ms: int, room: int) -> tuple[str, str]:
        """What is done of it, and what is not; empty if there is no room."""
        length = min(BAR, room) if room >= SHORTEST_BAR else 0
        done = min(length, round(length * heard_ms / max(generated_ms, 1)))
        full, empty = "█░" if self._terminal.shows("█░") else "#."
        return full * done, empty * (length - done)

    def _amounts(self, message: SeenMessage) -> str:
        heard_ms, generated_ms = message.frames // FRAMES_PER_MS, self._generated_ms(message.id)
        return f"{heard_ms / 1000:6.3f} of {generated_ms / 1000:6.3f} s"


def _text(message: SeenMessage) -> Iterator[Piece]:
    """What of it was heard, the word that is being heard, what is to come."""
    heard, word = message.spoken(RATE)
    begun = heard + word
    yield heard, "strong"
    yield word[: len(word) - len(word.lstrip())], ""
    yield word.lstrip(), "spoken"
    if message.text.startswith(begun):
        yield message.text[len(begun) :], "faint"


def show_report(terminal: Terminal, report: Report, files: Sequence[Path]) -> None:
    """Side by side: what was heard, what the server kept, what the chat history holds; then the verdict."""
    terminal.print()
    if terminal.live and terminal.columns < NARROW:
        _print_narrow(terminal, report)
    else:
        _print_table(terminal, report)
    terminal.print()
    for problem in report.problems:
        terminal.print(("problem: ", "warm"), (problem, ""))
    for difference in report.differences:
        terminal.print(("differs: ", "bad"), (difference, ""))
    if report.differences:
        terminal.print(("The record differs from what was heard.", "bad"))
    else:
        heard = sum(message.heard_ms for message in report.messages)
        count = len(report.messages)
        what = f"The record equals what was heard: {count} messages, {_seconds(heard)} of speech, no difference."
        terminal.print((what, "good"))
    terminal.print((f"See and hear it in {files[0].parent}: {', '.join(file.name for file in files)}", ""))


def _print_table(terminal: Terminal, report: Report) -> None:
    terminal.print(("                     heard   server keeps   chat history", "strong"))
    for message in report.messages:
        heard, server, history = _values(message)
        terminal.row(
            (f" {message.number} {message.state:8}", _STATES.get(message.state, ("", ""))[1]),
            (f"{heard:>15}", "strong"),
            (f"{server:>15}{history:>15}   ", ""),
            (message.heard_text, "faint"),
        )
    terminal.row((f" {SOURCES}", "faint"))


def _print_narrow(terminal: Terminal, report: Report) -> None:
    for message in report.messages:
        terminal.print((f" {message.number} {message.state}", _STATES.get(message.state, ("", ""))[1]))
        for name, value in zip(("heard", "server keeps", "chat history"), _values(message), strict=True):
            terminal.print((f"   {name:12}{value:>11}", ""))
    terminal.print((f" {SOURCES}", "faint"))


def _values(message: Message) -> tuple[str, str, str]:
    return _seconds(message.heard_ms or None), _seconds(message.server_ms), _seconds(message.history_ms)


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.3f} s"
