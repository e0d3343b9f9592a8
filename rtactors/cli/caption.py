"""A conversation as running text: the model's words as they are heard, everything else a line of its own.

A word stands there once it was heard to its end, as in the history: nothing that was printed has to be taken back. A
terminal also has the word that is being spoken, highlighted, which goes if it is stopped.
"""

from rtactors.cli.running import RunningText
from rtactors.cli.seen import Seen, SeenMessage
from rtactors.cli.terminal import Terminal, plain
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

MODEL = "model"
NAMES = {"user": "you", "assistant": MODEL, "system": "system", None: "tool"}
MARGIN = 9


class Captions:
    """Shows no word of the model before it was heard: a message that is stopped ends where it was stopped."""

    def __init__(self, terminal: Terminal, seen: Seen, rate: int) -> None:
        self._terminal = terminal
        self._text = RunningText(terminal, MARGIN)
        self._seen = seen
        self._rate = rate
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
                if self._text.open in {None, event.id}:  # else what is being stopped has its end first
                    self._tell_unheard()
            case Caption() | CaptionsEnded():
                self._catch_up(self._seen.messages[event.message_id])
            case MessageShown():
                self._text.add(event.message_id, MODEL, event.text, "strong")
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
        self._text.typed(line)

    def waiting(self) -> None:
        """Nothing has come for long."""
        self.line("", "(waiting for the server ...)")

    def line(self, who: str, text: str) -> None:
        """A line of its own; a message that is being heard goes on below it."""
        self._text.end()
        self._terminal.write(f"{who:{MARGIN}}{plain(text)}\n")

    def history(self, history: list[HistoryItem]) -> None:
        """The whole conversation as it was heard."""
        self._text.end()
        self._terminal.write("\nas heard:\n")
        for item in history:
            match item.kind:
                case "function_call":
                    text = f"{item.name}({item.arguments})"
                case "function_call_output":
                    text = item.output
                case _:
                    text = item.heard_text or "(no word)"
            self.line(NAMES[item.role], text + (" —" if item.interrupted else ""))

    def _catch_up(self, message: SeenMessage) -> None:
        """With the words that were heard to their ends since, and the one that is being heard."""
        self._text.follow(message.id, MODEL, *message.spoken(self._rate))

    def _end(self, said: HistoryItem) -> None:
        shown, heard = self._text.shown(said.id).rstrip(), said.heard_text.strip()
        if heard.startswith(shown):
            self._text.add(said.id, MODEL, heard.removeprefix(shown))
        else:  # in a message of several parts what was shown may stand between what was said
            self.line("", f"(as heard: {heard})")
        if said.interrupted:
            how_much = f": {said.heard_ms / 1000:.1f} of {said.generated_ms / 1000:.1f} s heard"
            self._text.remark(said.id, MODEL, f" — (stopped{how_much if said.generated_ms else ''})")
        self._text.end()
        self._tell_unheard()

    def _tell_unheard(self) -> None:
        for text in self._unheard:
            self.line(MODEL, f"(not heard: {text})" if text else "(not heard)")
        self._unheard.clear()
