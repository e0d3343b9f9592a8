"""Captions: no word before it was heard, and each thing on its own line."""

from io import StringIO

import pytest

from rtactors.alignment.words import whole_words
from rtactors.cli.caption import Captions
from rtactors.cli.seen import Seen
from rtactors.cli.terminal import Terminal
from rtactors.history import HistoryItem
from rtactors.session_events import (
    AgentSaid,
    Caption,
    CaptionsEnded,
    FunctionCalled,
    MessageAnnounced,
    MessageShown,
    MessageText,
    Problem,
    SessionEvent,
    Transition,
    UserSaid,
)
from rtactors.sinks.base import Progress, Started
from tests.cli.emulator import Emulator
from tests.cli.test_terminal import Tty

RATE = 24_000
TEXT = "One two three four."
MS_PER_CHARACTER = 65
MS = MS_PER_CHARACTER * len(TEXT)


class Talk:
    """A conversation that is only told of."""

    def __init__(self, out: StringIO | None = None) -> None:
        self.seen = Seen()
        self.out = out or StringIO()
        self.captions = Captions(Terminal(self.out), self.seen, RATE)

    def tell(self, *events: SessionEvent) -> None:
        for event in events:
            self.seen.event(event)
            self.captions.event(event)

    def announce(self, message: str, text: str = TEXT) -> None:
        self.tell(MessageAnnounced(message, "r", None, 0), MessageText(message, text))

    def play(self, message: str, ms: int) -> None:
        self.seen.report(Started(message, 0))
        self.seen.report(Progress(message, ms * RATE // 1000))
        self.captions.position()
        words = [word for word in self.words(message) if word.start_ms <= ms]
        self.tell(*words[len(self.seen.messages[message].captions) :])

    def say(self, message: str, heard: str, ms: int = MS, mark: str = "") -> None:
        """It ends, and this was heard of it."""
        interrupted = heard != TEXT
        words = self.words(message)[: len(heard.split())]
        self.tell(
            CaptionsEnded(
                message_id=message, words=tuple(words), text=heard + mark, interrupted=interrupted, at=ms / 1000
            ),
            AgentSaid(
                HistoryItem(
                    id=message,
                    role="assistant",
                    heard_text=heard + mark,
                    interrupted=interrupted,
                    heard_ms=ms,
                    generated_ms=MS,
                )
            ),
        )

    def words(self, message: str) -> list[Caption]:
        """Each character takes as long as the next."""
        words: list[Caption] = []
        start = 0
        for word in whole_words(self.seen.messages[message].text, over=True):
            end = start + MS_PER_CHARACTER * len(word)
            words.append(Caption(message, word, start, end, start / 1000, estimated=True))
            start = end
        return words

    def skip(self, message: str) -> None:
        moved = Transition(chart="message", id=message, before="pending", event=None, after="skipped", effects=(), at=0)
        self.tell(moved)

    @property
    def screen(self) -> Emulator:
        screen = Emulator()
        screen.feed(self.shown)
        return screen

    @property
    def shown(self) -> str:
        return self.out.getvalue()


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_words_come_as_they_are_heard(talk: Talk) -> None:
    talk.announce("m")
    assert talk.shown == ""
    talk.play("m", 100)
    assert talk.shown == ""
    talk.play("m", MS // 2)
    assert talk.shown == "model    One two"  # of `three` only the beginning was heard
    talk.play("m", 13 * MS_PER_CHARACTER)
    assert talk.shown == "model    One two three"  # to its end, though the next one has not begun
    talk.say("m", TEXT)
    assert talk.shown == "model    One two three four.\n"


def test_on_a_terminal_the_word_that_is_spoken_is_highlighted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    talk = Talk(Tty())
    talk.announce("m")
    talk.play("m", 10)
    assert (talk.screen.lines, talk.screen.styled("1;4;36")) == (["model    One"], "One")
    talk.play("m", MS // 2)
    assert (talk.screen.lines, talk.screen.styled("1;4;36")) == (["model    One two three"], "three")
    assert talk.screen.styled("1") == "One two"
    talk.say("m", "One two", 617)
    assert talk.screen.lines == ["model    One two — (stopped: 0.6 of 1.2 s heard)"]


def test_a_terminal_without_colours_has_only_what_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    talk = Talk(Tty())
    talk.announce("m")
    talk.play("m", MS // 2)
    assert talk.shown == "model    One two"


def test_enter_at_the_terminal_leaves_no_gap_and_a_line_of_words_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    talk = Talk(Tty())
    talk.announce("m")
    talk.play("m", MS // 3)
    for line in ("", "Who?"):
        talk.out.write(f"{line}\r\n")  # the echo
        talk.captions.typed(line)
    talk.play("m", MS // 2)
    talk.say("m", TEXT)
    assert talk.screen.lines == ["model    OneWho?", "model    … two three four."]


def test_a_word_is_over_when_the_next_one_begins_whatever_the_device_says(talk: Talk) -> None:
    talk.announce("m")
    talk.tell(*talk.words("m")[:2])
    assert talk.shown == "model    One"


def test_what_is_stopped_ends_where_it_was_stopped(talk: Talk) -> None:
    talk.announce("m")
    talk.play("m", MS // 2)
    talk.say("m", "One two", 617)
    assert talk.shown == "model    One two — (stopped: 0.6 of 1.2 s heard)\n"


def test_the_mark_of_a_cut_is_shown(talk: Talk) -> None:
    talk.announce("m")
    talk.play("m", MS // 2)
    talk.say("m", "One two", 617, " [cut]")
    assert talk.shown == "model    One two [cut] — (stopped: 0.6 of 1.2 s heard)\n"


def test_what_is_stopped_before_its_first_word(talk: Talk) -> None:
    talk.announce("m")
    talk.say("m", "", 20)
    assert talk.shown == "model    — (stopped: 0.0 of 1.2 s heard)\n"


def test_what_was_not_heard_is_told_after_what_was(talk: Talk) -> None:
    talk.announce("m")
    talk.announce("n", "Five.")
    talk.announce("o", "")
    talk.play("m", MS // 2)
    talk.skip("n")
    talk.skip("o")
    talk.say("m", "One two", 617)
    stopped = "model    One two — (stopped: 0.6 of 1.2 s heard)\n"
    assert talk.shown == f"{stopped}model    (not heard: Five.)\nmodel    (not heard)\n"


def test_another_line_comes_between(talk: Talk) -> None:
    talk.announce("m")
    talk.play("m", MS // 2)
    talk.tell(UserSaid("u", "Hm?", 0), Problem(kind="other", message="It hurts."), FunctionCalled("c", "look", "{}"))
    talk.say("m", TEXT)
    assert talk.shown == (
        "model    One two\nyou      Hm?\nproblem  It hurts.\n"
        "tool     look({}) was called; there are no tools here\nmodel    … three four.\n"
    )


def test_two_messages_at_a_time_each_have_their_words(talk: Talk) -> None:
    """What is shown waits for nothing, and the words of the one before may end later."""
    talk.announce("m")
    talk.announce("n", "Five.")
    talk.play("m", MS // 2)
    talk.tell(MessageShown("n", "Five."))
    talk.say("m", TEXT)
    assert talk.shown == "model    One two\nmodel    Five.\nmodel    … three four.\n"


def test_a_history_that_is_not_what_was_shown_is_told(talk: Talk) -> None:
    talk.announce("m")
    talk.play("m", MS // 2)
    talk.say("m", "One", 600)
    assert talk.shown == "model    One two\n         (as heard: One)\nmodel    … — (stopped: 0.6 of 1.2 s heard)\n"


def test_a_text_cannot_steer_the_terminal(talk: Talk) -> None:
    talk.announce("m", "One\ntwo \x1b[2J three.")
    talk.play("m", 10 * MS)
    assert talk.shown == "model    One two  [2J three."


def test_white_space_around_a_message_is_nothing_to_tell_of(talk: Talk) -> None:
    talk.announce("m", "\n\nOne two. \n")
    talk.play("m", 10 * MS)
    talk.say("m", "One two.")
    assert talk.shown.startswith("model    One two.")
    assert "as heard" not in talk.shown


def test_the_history(talk: Talk) -> None:
    talk.captions.history(
        [
            HistoryItem(id="u", role="user", heard_text="Look."),
            HistoryItem(id="c", kind="function_call", name="look", arguments='{"at": 1}'),
            HistoryItem(id="o", kind="function_call_output", output="nothing"),
            HistoryItem(id="m", role="assistant", heard_text="One two", interrupted=True),
        ]
    )
    assert talk.shown == '\nas heard:\nyou      Look.\ntool     look({"at": 1})\ntool     nothing\nmodel    One two —\n'


def test_a_message_without_words_is_no_call(talk: Talk) -> None:
    talk.captions.history([HistoryItem(id="m", role="assistant", heard_ms=200, interrupted=True)])
    assert talk.shown == "\nas heard:\nmodel    (no word) —\n"
