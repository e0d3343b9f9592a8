"""The judge, of text and voices: sound evidence passes, and what is falsified is found."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from rtactors.loopback.log import Record
from rtactors.loopback.script import Gate, Write, replies
from rtactors.session_events import MessageShown
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import MS_PER_CHARACTER, conversation
from rtactors.testing.evidence import Evidence
from rtactors.testing.invariants import InvariantBroken, check_invariants
from rtactors.testing.voice import Tones
from tests.scenarios.test_text import SEEN, TEXT, seen
from tests.testing.test_invariants import (
    also_received,
    at_sink,
    in_history,
    item_on_server,
    not_in_history,
    on_server,
    without,
)

FIRST, SECOND, OURS, SPOKEN = "item_000002", "item_000003", "rt_said_2", "item_000003"
WORDS = "This call is recorded. Please hold."
BY_HAND = {"turn_detection": None}


async def _shown() -> Evidence:
    """A text is shown in full, the next one in part, and the server is corrected."""
    gate = Gate()
    lines = [Write(text="Here it comes. "), Write(text=TEXT, gate=gate, gate_at=len(SEEN))]
    async with conversation(replies(lines), provider=BY_HAND) as talk:
        await talk.ask()
        await seen(talk, "Here it comes. " + SEEN)
        await talk.session.pause()
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.session.quiet()
        await talk.session.add("A note.")
        await talk.session.quiet()
    return talk.evidence(ms_per_character=MS_PER_CHARACTER, settled=True)


async def _spoken() -> Evidence:
    """By a voice of ours: words of ours in full, then of the model's text a part."""
    async with conversation(replies(Write(text=TEXT)), provider=BY_HAND, own_voice=Tones()) as talk:
        await talk.say(WORDS)
        await talk.sink.play(len(WORDS) * MS_PER_CHARACTER)
        await talk.session.quiet()
        await talk.ask()
        await talk.sink.play(1300)
        await talk.session.interrupt()
        await talk.session.quiet()
    return talk.evidence(ms_per_character=MS_PER_CHARACTER, settled=True)


@pytest.fixture(scope="module")
def shown() -> Evidence:
    return run_virtual(_shown)


@pytest.fixture(scope="module")
def spoken() -> Evidence:
    return run_virtual(_spoken)


def test_sound_evidence_passes(shown: Evidence, spoken: Evidence) -> None:
    check_invariants(shown)
    check_invariants(spoken)
    assert [item.heard_text for item in shown.history if item.role == "assistant"] == ["Here it comes. ", SEEN]
    assert len(spoken.segments) == 2


def events(evidence: Evidence, change: Callable[[list[Any]], object]) -> Evidence:
    changed = [*evidence.events]
    change(changed)
    return replace(evidence, events=tuple(changed))


def shown_twice(evidence: Evidence) -> Evidence:
    return events(evidence, lambda all_: all_.append(MessageShown(SECOND, "and more")))


def shown_otherwise(evidence: Evidence) -> Evidence:
    def change(all_: list[Any]) -> None:
        index = next(index for index, event in enumerate(all_) if isinstance(event, MessageShown))
        all_[index] = MessageShown(FIRST, "Nobody wrote this.")

    return events(evidence, change)


def not_shown(evidence: Evidence) -> Evidence:
    return replace(evidence, events=tuple(each for each in evidence.events if not isinstance(each, MessageShown)))


def created_first(evidence: Evidence) -> Evidence:
    """The delete was acknowledged only after the create."""

    def move(log: list[Record]) -> None:
        index = next(index for index, record in enumerate(log) if record.type == "conversation.item.deleted")
        acknowledged = log.pop(index)
        log.append(acknowledged)

    (connection,) = evidence.connections
    log = [*connection.log]
    move(log)
    return replace(evidence, connections=(replace(connection, log=tuple(log)),))


def cut_as_audio(evidence: Evidence, item_id: str) -> Evidence:
    event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 300}
    return also_received(evidence, event)


def created_once_more(evidence: Evidence) -> Evidence:
    item = {"type": "message", "id": FIRST, "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    return also_received(evidence, {"type": "conversation.item.create", "item": item})


OF_TEXT: dict[str, tuple[str, Callable[[Evidence], Evidence], str]] = {
    "server keeps what was not shown": (
        "I1",
        lambda e: item_on_server(e, SECOND, text=TEXT),
        "but 'The list has four'",
    ),
    "server keeps less than was shown": ("I1", lambda e: item_on_server(e, FIRST, text="Here it"), "keeps 'Here it'"),
    "server lost what was shown": (
        "I1",
        lambda e: on_server(e, lambda items: items.pop(1)),
        "was heard of item_000002, but the server does not hold it",
    ),
    "not in the history": ("I2", lambda e: not_in_history(e, SECOND), "which is not in the history"),
    "never shown": ("I2", not_shown, "nothing of item_000002 was heard"),
    "full, though shown in part": ("I3", lambda e: in_history(e, SECOND, interrupted=False), "says interrupted=False"),
    "shown after its end": ("I3", shown_twice, "'and more' of item_000003 was shown after that had ended"),
    "another text was shown": ("I3", shown_otherwise, "which is no text of it"),
    "cut, though it has no audio": ("I5", lambda e: cut_as_audio(e, SECOND), "has no audio"),
    "created before it was gone": ("I6", created_first, "created again before its delete was acknowledged"),
    "created without being deleted": ("I6", created_once_more, "was created again, though the server holds it"),
    "placed elsewhere": ("I2", lambda e: on_server(e, lambda items: items.append(items.pop(2))), "has the order"),
    "the history has another text": ("I11", lambda e: in_history(e, SECOND, heard_text="The list"), "was shown of"),
    "the history has all of it": ("I11", lambda e: in_history(e, SECOND, heard_text=TEXT), "was shown of"),
    "delete without an answer": (
        "I6",
        lambda e: without(e, "conversation.item.deleted"),
        "created again before its delete was acknowledged",
    ),
}

OF_A_VOICE: dict[str, tuple[str, Callable[[Evidence], Evidence], str]] = {
    "another sound": (
        "I2",
        lambda e: at_sink(e, 0, written=bytearray(len(e.segments[0].written))),
        "what was heard of rt_said_2 is not what the server sent",
    ),
    "server was told more than was heard": (
        "I1",
        lambda e: item_on_server(e, SPOKEN, text=TEXT),
        "keeps 'The list has",
    ),
    "server was not told what was said": (
        "I2",
        lambda e: on_server(e, lambda items: items.pop(0)),
        "rt_said_2 stands in the history, but the server does not hold it",
    ),
    "words of ours are not in the history": ("I2", lambda e: not_in_history(e, OURS), "has nothing of it"),
    "words of ours were heard in part": ("I3", lambda e: at_sink(e, 0, frames=24_000, told=[]), "counts as full"),
    "cut, though the server has no audio of it": ("I5", lambda e: cut_as_audio(e, SPOKEN), "has no audio"),
    "more words than sound": ("I11", lambda e: in_history(e, SPOKEN, heard_text=TEXT), "words"),
}


@pytest.mark.parametrize("what", OF_TEXT)
def test_falsified_text_is_found(shown: Evidence, what: str) -> None:
    _is_found(shown, *OF_TEXT[what])


@pytest.mark.parametrize("what", OF_A_VOICE)
def test_a_falsified_voice_is_found(spoken: Evidence, what: str) -> None:
    _is_found(spoken, *OF_A_VOICE[what])


def _is_found(evidence: Evidence, invariant: str, falsify: Callable[[Evidence], Evidence], words: str) -> None:
    with pytest.raises(InvariantBroken) as broken:
        check_invariants(falsify(evidence))
    about = [violation.sentence for violation in broken.value.violations if violation.invariant == invariant]
    assert any(words in sentence for sentence in about), str(broken.value)
