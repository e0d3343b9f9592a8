"""A conversation as running text: the model's words as they are heard, everything else a line of its own.

A word stands there once it was heard to its end, as in the history: nothing that was printed has to be taken back. A
terminal also has the word that is being spoken, highlighted, which goes if it is stopped.
"""

from rtactors.cli.running import RunningText
from rtactors.cli.seen import Seen, SeenMessage
from rtactors.cli.terminal import Style, Terminal, plain
from rtactors.history import HistoryItem
from rtactors.session_events import (
    AgentSaid,
    Caption,
    CaptionsEnded,
    ConnectionChanged,
    FunctionCalled,
    MessageShown,
    Problem,
    SessionEvent,
    Transition,
    UserSaid,
)

NAMES = {"user": "you", "assistant": "model", "system": "system", None: "tool"}
MARGIN = 9


class Captions:
    """Shows no word of the model before it was heard: a message that is stopped ends where it was stopped."""

    def __init__(self, terminal: Terminal, seen: Seen, rate: int) -> None:
        self._terminal = terminal
        self._text = RunningText(terminal, MARGIN)
        self._seen = seen
        self._rate = rate
        self._shown: dict[str, str] = {}  # by message, what of it stands there already
        self._heard: dict[str, str] = {}  # by message, what of that was spoken
        self._line: str | None = None  # the message whose line is not ended
        self._connected = False
        self._lost = False
        self._unheard: list[str] = []  # skipped messages that are still to be told of

    def event(self, event: SessionEvent) -> None:
        """After `seen` has taken it in."""
        match event:
            case AgentSaid():
                self._end(event.message)
            case Transition(chart="message", after="skipped"):
                self._unheard.append(self._seen.messages[event.id].text)
                if self._line is None:  # else what is being stopped has its end first
                    self._tell_unheard()
            case Caption() | CaptionsEnded():
                self._catch_up(self._seen.messages[event.message_id])
            case MessageShown():
                self._go_on(event.message_id, event.text, "strong")
            case UserSaid():
                self.line("you", event.text or "(not understood)")
            case ConnectionChanged():
                self._tell_of_connection(event)
            case Problem() if not self._lost:  # after that, what fails fails for that reason
                self.line("problem", event.message)
            case FunctionCalled():
                self.line("tool", f"{event.name}({event.arguments}) was called; there are no tools here")
            case _:
                pass

    def _tell_of_connection(self, change: ConnectionChanged) -> None:
        match change:
            case ConnectionChanged(state="reconnecting"):
                self._lost = True
                self.line("", "(the connection is lost; what has arrived still plays; connecting again ...)")
            case ConnectionChanged(state="connected"):
                if self._lost:
                    self.line("", "(connected again; the server was told what was said)")
                self._connected, self._lost = True, False
            case ConnectionChanged(state="closed", reason=reason) if reason and self._connected:
                self._lost = True
                self.line("", "(the connection is lost for good; what has arrived still plays)")
            case _:
                pass

    def position(self) -> None:
        """The sink has played on."""
        for message in self._seen.in_order:
            if not message.captions_over:
                self._catch_up(message)

    def typed(self, line: str) -> None:
        """Somebody has, at this terminal."""
        if self._terminal.live and self._line is not None and not self._text.typed(line):
            self._line = None

    def waiting(self) -> None:
        """Nothing has come for long."""
        self.line("", "(waiting for the server ...)")

    def line(self, who: str, text: str) -> None:
        """A line of its own; a message that is being heard goes on below it."""
        self._break()
        self._terminal.write(f"{who:{MARGIN}}{plain(text)}\n")

    def history(self, history: list[HistoryItem]) -> None:
        """The whole conversation as it was heard."""
        self._break()
        self._terminal.write("\nas heard:\n")
        for item in history:
            text = item.heard_text or item.output or f"{item.name}({item.arguments})"
            self.line(NAMES[item.role], text + (" —" if item.interrupted else ""))

    def _catch_up(self, message: SeenMessage) -> None:
        """With the words that were heard to their ends since."""
        heard, word = message.spoken(self._rate)
        before = self._heard.get(message.id, "")
        if heard.startswith(before):
            self._go_on(message.id, heard[len(before) :], "strong")
            self._heard[message.id] = heard
        if word and self._terminal.coloured and self._line in {message.id, None}:
            self._go_to(message.id)
            self._text.highlight(word)

    def _go_on(self, message_id: str, text: str, style: Style = "") -> None:
        shown = self._shown.get(message_id, "")
        text = text if shown else text.lstrip()
        if not text:
            return
        self._go_to(message_id)
        self._text.add(text, style)
        self._shown[message_id] = shown + text

    def _end(self, said: HistoryItem) -> None:
        shown, heard = self._shown.get(said.id, "").rstrip(), said.heard_text.strip()
        self._go_on(said.id, heard.removeprefix(shown) if heard.startswith(shown) else "")
        if not heard.startswith(shown):  # in a message of several parts what was shown may stand between what was said
            self.line("", f"(as heard: {heard})")
        if said.interrupted:
            how_much = f": {said.heard_ms / 1000:.1f} of {said.generated_ms / 1000:.1f} s heard"
            stopped = f"(stopped{how_much if said.generated_ms else ''})"
            self._go_to(said.id)
            self._text.add(f" — {stopped}")
        self._break()
        self._tell_unheard()

    def _tell_unheard(self) -> None:
        for text in self._unheard:
            self.line("model", f"(not heard: {text})" if text else "(not heard)")
        self._unheard.clear()

    def _go_to(self, message_id: str) -> None:
        """The line of a message; a new one if another thing came between."""
        if self._line != message_id:
            self._break()
            self._line = message_id
            self._text.begin("model")
            self._text.add("…" if message_id in self._shown else "")

    def _break(self) -> None:
        if self._line is not None:
            self._line = None
            self._text.end()
