"""Each invariant can be broken: evidence of a sound conversation passes, and each falsification of it is found."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from msgspec.structs import replace

from rtactors.history import HistoryItem
from rtactors.loopback.conversation import Snapshot
from rtactors.loopback.log import Record
from rtactors.loopback.script import Call, Say, replies
from rtactors.reply import Reply, ReplyRecord
from rtactors.session_events import (
    AgentSaid,
    AgentStartedSpeaking,
    AgentStoppedSpeaking,
    ConnectionChanged,
    Dropped,
    FunctionCalled,
    MessageAnnounced,
    Problem,
    Transition,
    UserStartedSpeaking,
)
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import MS_PER_CHARACTER, conversation
from rtactors.testing.evidence import Connection, Evidence, Placed
from rtactors.testing.invariants import INVARIANTS, InvariantBroken, check_invariants
from statecharts.item import Report
from statecharts.message import ChatMessage, Emptied
from statecharts.response import Fail, Request


async def nobody(_reply: Reply) -> None:
    """Interrupts it."""


TEXTS = ("First of all, good morning.", "Then there is something else to tell.", "And nobody hears this.")
LENGTHS = [len(text) * MS_PER_CHARACTER for text in TEXTS]


async def _converse() -> Evidence:
    """A function is called and answered; of three messages the first is heard, the second cut, the third not heard."""
    script = replies([Call(name="clock"), Say(text=TEXTS[0]), Say(text=TEXTS[1]), Say(text=TEXTS[2])])
    async with conversation(script) as talk:
        await talk.ask()
        call = await talk.tells(FunctionCalled)
        await talk.session.answer_call(call.call_id, "noon")
        await talk.sink.play(LENGTHS[0] + 1000)
        await talk.reaches("response", "finishing")
        await talk.speak()
        await talk.session.quiet()
    return talk.evidence(ms_per_character=MS_PER_CHARACTER, settled=True)


@pytest.fixture(scope="module")
def sound() -> Evidence:
    return run_virtual(_converse)


def test_sound_evidence_passes(sound: Evidence) -> None:
    check_invariants(sound)
    first, second = sound.segments
    assert [(first.frames, second.frames)] == [(LENGTHS[0] * 24, 24_000)]


# ------------------------------------------------------------------------------------------------- how to falsify

FIRST, SECOND, THIRD = "item_000003", "item_000005", "item_000006"
CALL, REPLY = "call_item_000002", "rt_reply_2"


def on_server(evidence: Evidence, change: Callable[[list[Snapshot]], object]) -> Evidence:
    items = [*evidence.connections[-1].items]
    change(items)
    return replace(evidence, connections=(replace(evidence.connections[-1], items=tuple(items)),))


def item_on_server(evidence: Evidence, item_id: str, **fields: Any) -> Evidence:
    def change(items: list[Snapshot]) -> None:
        items[:] = [replace(item, **fields) if item.id == item_id else item for item in items]

    return on_server(evidence, change)


def in_log(evidence: Evidence, change: Callable[[list[Record]], object]) -> Evidence:
    log = [*evidence.connections[-1].log]
    change(log)
    return replace(evidence, connections=(replace(evidence.connections[-1], log=tuple(log)),))


def also_received(evidence: Evidence, event: dict[str, Any], *, before: str = "") -> Evidence:
    """The client sent this too: at the end, or before the first event of a type."""

    def change(log: list[Record]) -> None:
        index = next((index for index, record in enumerate(log) if record.type == before), len(log))
        log.insert(index, Record(log[index - 1].at, sent=False, type=event["type"], event=event))

    return in_log(evidence, change)


def without(evidence: Evidence, event_type: str, *, nth: int = 1) -> Evidence:
    def change(log: list[Record]) -> None:
        del log[[index for index, record in enumerate(log) if record.type == event_type][nth - 1]]

    return in_log(evidence, change)


def altered(evidence: Evidence, event_type: str, **fields: Any) -> Evidence:
    def change(log: list[Record]) -> None:
        for index, record in enumerate(log):
            if record.type == event_type:
                log[index] = Record(record.at, record.sent, record.type, {**record.json, **fields})

    return in_log(evidence, change)


def in_history(evidence: Evidence, item_id: str, **fields: Any) -> Evidence:
    history = tuple(replace(item, **fields) if item.id == item_id else item for item in evidence.history)
    return replace(evidence, history=history)


def not_in_history(evidence: Evidence, item_id: str) -> Evidence:
    return replace(evidence, history=tuple(item for item in evidence.history if item.id != item_id))


def at_sink(evidence: Evidence, number: int, **fields: Any) -> Evidence:
    segments = [deepcopy(segment) for segment in evidence.segments]
    for name, value in fields.items():
        setattr(segments[number], name, value)
    return replace(evidence, segments=tuple(segments))


def events(evidence: Evidence, change: Callable[[Any], list[Any]]) -> Evidence:
    """Each of the session's events becomes those that `change` makes of it."""
    return replace(evidence, events=tuple(each for event in evidence.events for each in change(event)))


def transitions_of(evidence: Evidence, life: str, state: str, **fields: Any) -> Evidence:
    def change(event: Any) -> list[Any]:
        meant = isinstance(event, Transition) and (event.id, event.after) == (life, state)
        return [replace(event, **fields)] if meant else [event]

    return events(evidence, change)


def twice(evidence: Evidence, kind: type[Any]) -> Evidence:
    return events(evidence, lambda event: [event, event] if isinstance(event, kind) else [event])


def never(evidence: Evidence, kind: type[Any]) -> Evidence:
    return events(evidence, lambda event: [] if isinstance(event, kind) else [event])


def truncate(item_id: str, ms: int) -> dict[str, Any]:
    event_id = f"false-{item_id}-{ms}"
    return {"type": "conversation.item.truncate", "event_id": event_id, "item_id": item_id, "audio_end_ms": ms}


def delete(item_id: str) -> dict[str, Any]:
    return {"type": "conversation.item.delete", "event_id": f"false-{item_id}", "item_id": item_id}


def create(**item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "event_id": "false-create", "item": item}


def wrong_sound(evidence: Evidence) -> Evidence:
    written = bytearray(evidence.segments[1].written)
    written[20_000:20_002] = b"\x55\x55"
    return at_sink(evidence, 1, written=written)


def reconnected(evidence: Evidence, *texts: str) -> Evidence:
    """A second connection, on which the server was told these texts of the model."""
    first = evidence.connections[0]
    of = {item.id: item for item in first.items}
    told = iter(texts)
    items = tuple(
        replace(
            of[item.id], frames=0, generated_frames=0, text=next(told) if item.role == "assistant" else of[item.id].text
        )
        for item in evidence.history
    )
    return replace(evidence, connections=(first, Connection(items=items, log=())))


def unheard_reply(evidence: Evidence) -> Evidence:
    lost = ReplyRecord("rt_reply_lost")
    lost.resolve("completed", interrupted=False, failure=None)
    return replace(evidence, replies=(*evidence.replies, Reply(lost, nobody)))


def chat(message_id: str) -> ChatMessage:
    return ChatMessage(
        message_id=message_id,
        heard_text="",
        generated_text="",
        heard_ms=0,
        generated_ms=0,
        interrupted=False,
        started_at=None,
        stopped_at=None,
        confirmed=True,
    )


def asked_meanwhile(evidence: Evidence) -> Evidence:
    def change(log: list[Record]) -> None:
        done = next(index for index, record in enumerate(log) if record.type == "response.done")
        log.insert(
            done, Record(log[done].at + 9, sent=False, type="response.create", event={"type": "response.create"})
        )

    return in_log(evidence, change)


NOTHING: frozenset[str] = frozenset()
OUTPUT = "rt_context_1"


def of(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def changed(evidence: Evidence, kind: type[Any], **fields: Any) -> Evidence:
    """The session's events of a type tell something else."""
    return events(evidence, lambda event: [replace(event, **fields)] if isinstance(event, kind) else [event])


def also_sent(evidence: Evidence, event: dict[str, Any]) -> Evidence:
    """The server sent this too, at the end."""

    def change(log: list[Record]) -> None:
        log.append(Record(log[-1].at, sent=True, type=event["type"], event=event))

    return in_log(evidence, change)


def later(evidence: Evidence, event_type: str, at: float) -> Evidence:
    def change(log: list[Record]) -> None:
        log[:] = [Record(at, each.sent, each.type, each.event) if each.type == event_type else each for each in log]

    return in_log(evidence, change)


def refused_as_too_short(evidence: Evidence) -> Evidence:
    """The cut was refused, and that was that."""
    (cut,) = (record for record in evidence.connections[-1].log if record.type == "conversation.item.truncate")
    message = "Audio content of 500ms is already shorter than 1000ms"
    error = {"code": "invalid_value", "message": message, "event_id": cut.json["event_id"]}
    return also_sent(without(evidence, "conversation.item.truncated"), {"type": "error", "error": error})


def ended(status: str = "completed", failure: str | None = None) -> Reply:
    """The one reply, as if it had ended so."""
    record = ReplyRecord(REPLY)
    record.start("resp_000001")
    record.resolve(status, interrupted=False, failure=failure)
    return Reply(record, nobody)


def broken_off(evidence: Evidence) -> Evidence:
    """The connection was lost in the middle of the response, and the next one was not asked for anything."""
    first = replace(without(evidence, "response.done").connections[0], open=False)
    second = Connection(items=evidence.connections[0].items, log=())
    plain = replace(evidence, connections=(first, second), replies=(ended(),))
    return never(plain, FunctionCalled)


FALSE: dict[str, tuple[str, Callable[[Evidence], Evidence], str]] = {
    "server keeps more than was heard": (
        "I1",
        lambda e: item_on_server(e, SECOND, frames=24_048),
        "keeps 1002 ms of item_000005, but 1000 ms",
    ),
    "server keeps less than was heard": (
        "I1",
        lambda e: item_on_server(e, SECOND, frames=23_000),
        "keeps 958 ms of item_000005, but 1000 ms",
    ),
    "server keeps what nobody heard": (
        "I1",
        lambda e: on_server(e, lambda items: items.append(replace(items[-1], id=THIRD))),
        "nothing of item_000006 was heard",
    ),
    "server lost what was heard": ("I1", lambda e: on_server(e, lambda items: items.pop()), "server does not hold it"),
    "heard what was not sent": ("I2", wrong_sound, "item_000005 is not what the server sent, from 416 ms on"),
    "heard a stranger": ("I2", lambda e: at_sink(e, 1, message_id="item_9"), "which the server never sent"),
    "not in the history": ("I2", lambda e: not_in_history(e, SECOND), "the history has nothing of it"),
    "other ms in the history": ("I2", lambda e: in_history(e, SECOND, heard_ms=1001), "the history has 1001 ms"),
    "history knows less than the server": (
        "I2",
        lambda e: not_in_history(e, "rt_user_1"),
        "the server holds rt_user_1, which is not in the history",
    ),
    "server knows less than the history": (
        "I2",
        lambda e: on_server(e, lambda items: items.pop(0)),
        "rt_user_1 stands in the history, but the server does not",
    ),
    "another order": ("I2", lambda e: on_server(e, lambda items: items.reverse()), "the server has the order"),
    "uncertain for no reason": ("I2", lambda e: in_history(e, FIRST, confirmed=False), "not confirmed"),
    "certain for no reason": ("I2", lambda e: at_sink(e, 0, told=[]), "the sink had not confirmed it"),
    "unheard in the history": (
        "I2",
        lambda e: replace(e, history=(*e.history, HistoryItem(id=THIRD, role="assistant"))),
        "nothing of item_000006 was heard, but it stands in the history",
    ),
    "ended twice": (
        "I3",
        lambda e: events(e, lambda x: [x, x] if isinstance(x, Transition) and x.after == "full" else [x]),
        "ended 2 times",
    ),
    "never ended": (
        "I3",
        lambda e: events(e, lambda x: [] if isinstance(x, Transition) and x.after == "skipped" else [x]),
        "item_000006 ended 0 times",
    ),
    "no chat message": ("I3", lambda e: transitions_of(e, FIRST, "full", effects=()), "gave 0 chat messages"),
    "chat message of what was skipped": (
        "I3",
        lambda e: transitions_of(e, THIRD, "skipped", effects=(chat(THIRD),)),
        "is skipped and gave 1 chat messages",
    ),
    "interrupted, says the history": ("I3", lambda e: in_history(e, FIRST, interrupted=True), "interrupted=True"),
    "not interrupted, says the history": (
        "I3",
        lambda e: in_history(e, SECOND, interrupted=False),
        "interrupted=False",
    ),
    "full after a part": ("I3", lambda e: transitions_of(e, SECOND, "partial", after="full"), "1000 of 2220 ms"),
    "partial after all": ("I3", lambda e: transitions_of(e, FIRST, "full", after="partial"), "nobody stopped it"),
    "skipped and heard": ("I3", lambda e: transitions_of(e, SECOND, "partial", after="skipped"), "counts as skipped"),
    "partial for no reason": ("I3", lambda e: at_sink(e, 1, cleared_at=None), "item_000005 is partial, but nobody"),
    "skipped for no reason": (
        "I3",
        lambda e: transitions_of(e, THIRD, "skipped", event=Emptied()),
        "item_000006 is skipped, but nobody",
    ),
    "told in another order": (
        "I3",
        lambda e: replace(e, events=tuple(reversed([x for x in e.events if not isinstance(x, Transition)]))),
        "came in the order item_000005, item_000003",
    ),
    "two at the sink": ("I4", lambda e: at_sink(e, 1, overlapped=True), "while another message was there"),
    "begun too early": ("I4", lambda e: at_sink(e, 1, started_at=-1.0), "before item_000003 had stopped"),
    "started speaking twice": ("I4", lambda e: twice(e, AgentStartedSpeaking), "started speaking 2 times"),
    "never stopped speaking": ("I4", lambda e: never(e, AgentStoppedSpeaking), "stopped 0 times"),
    "times of another": ("I4", lambda e: in_history(e, SECOND, started_at=-7.0), "was heard from -7.0"),
    "cut at 0": ("I5", lambda e: altered(e, "conversation.item.truncate", audio_end_ms=0), "refuse a cut at 0"),
    "cut beyond its end": (
        "I5",
        lambda e: altered(e, "conversation.item.truncate", audio_end_ms=9999),
        "beyond the 2220",
    ),
    "cut elsewhere": ("I5", lambda e: altered(e, "conversation.item.truncate", audio_end_ms=990), "1000 ms were heard"),
    "cut of what was heard": (
        "I5",
        lambda e: also_received(e, truncate(FIRST, LENGTHS[0])),
        "though all of it was heard",
    ),
    "cut twice": ("I5", lambda e: also_received(e, truncate(SECOND, 1000)), "was cut"),
    "cut thrice": (
        "I5",
        lambda e: also_received(also_received(e, truncate(SECOND, 1000)), truncate(SECOND, 1000)),
        "was cut 3 times",
    ),
    "cut of what is not the model's": (
        "I5",
        lambda e: also_received(e, truncate("rt_user_1", 1)),
        "rt_user_1 was cut, though it is no message of the model",
    ),
    "cut before it was known": (
        "I5",
        lambda e: also_received(e, truncate(SECOND, 1000), before="response.output_item.added"),
        "item_000005 was cut before the server had announced it",
    ),
    "cut of what was deleted": (
        "I5",
        lambda e: also_received(e, truncate(THIRD, 10)),
        "item_000006 was cut before the server had announced it, or after it was deleted",
    ),
    "not cut": ("I5", lambda e: without(e, "conversation.item.truncate"), "was not cut, though 1000 of 2220 ms"),
    "deleted twice": ("I6", lambda e: also_received(e, delete(THIRD)), "was deleted"),
    "deleted before it was known": (
        "I6",
        lambda e: also_received(e, delete(THIRD), before="response.created"),
        "deleted before the server had announced it",
    ),
    "created while being deleted": (
        "I6",
        lambda e: also_received(
            also_received(e, delete("rt_user_1"), before="conversation.item.deleted"),
            create(id="rt_user_1", type="message"),
            before="conversation.item.deleted",
        ),
        "created again before its delete was acknowledged",
    ),
    "asked while another was active": (
        "I7",
        asked_meanwhile,
        "while resp_000001 was active",
    ),
    "a reply that never was": ("I7", unheard_reply, "neither was started by the server, nor failed"),
    "a request without an answer": (
        "I7",
        lambda e: also_received(e, {"type": "response.create", "event_id": "response-7"}),
        "nothing came of the request response-7",
    ),
    "run twice": ("I8", lambda e: twice(e, FunctionCalled), "was run 2 times"),
    "not run": ("I8", lambda e: never(e, FunctionCalled), "was completed, but not run"),
    "run unfinished": (
        "I8",
        lambda e: replace(e, events=(*e.events, FunctionCalled("call_x", "clock", "{"))),
        "call_x was run, but it was never completed",
    ),
    "output sent twice": (
        "I8",
        lambda e: also_received(e, create(type="function_call_output", call_id=CALL, output="noon")),
        "was sent 2 times",
    ),
    "output never sent": ("I8", lambda e: without(e, "conversation.item.create", nth=2), "was sent 0 times"),
    "reconnected with all that was generated": (
        "I9",
        lambda e: reconnected(e, *TEXTS[:2]),
        "after the reconnect, item_000005 is",
    ),
    "a task is left": ("I10", lambda e: replace(e, left_over=("message actor",)), "message actor still runs"),
    "a reply is left": (
        "I10",
        lambda e: replace(e, replies=(Reply(ReplyRecord(REPLY), nobody),)),
        "is still waited for (waiting)",
    ),
    "all of the text": ("I11", lambda e: in_history(e, SECOND, heard_text=TEXTS[1]), "has 7 words, but 1000 ms"),
    "none of the text": ("I11", lambda e: in_history(e, SECOND, heard_text=""), "has 0 words"),
    "another text": ("I11", lambda e: in_history(e, SECOND, heard_text="Then they are"), "is not the beginning"),
    "another state": ("I12", lambda e: transitions_of(e, SECOND, "partial", after="full"), "replayed it gives partial"),
    "another effect": ("I12", lambda e: transitions_of(e, THIRD, "skipped", effects=()), "recorded skipped and ()"),
    "a lost event": (
        "I12",
        lambda e: events(e, lambda x: [] if isinstance(x, Transition) and x.after == "finishing" else [x]),
        "replayed it is",
    ),
    "removed and still there": (
        "I2",
        lambda e: replace(e, removed=frozenset({"rt_user_1"})),
        "rt_user_1 was removed, but stands in the history",
    ),
    "another user's text": ("I2", lambda e: in_history(e, "rt_user_1", heard_text="Who?"), "'Who?' in the history"),
    "another output": ("I2", lambda e: item_on_server(e, OUTPUT, output="midnight"), "'midnight'"),
    "less generated": ("I2", lambda e: in_history(e, SECOND, generated_ms=2000), "2000 ms of item_000005 were gen"),
    "less text": ("I2", lambda e: in_history(e, SECOND, generated_text="Then"), "the text 'Then' of item_000005"),
    "put elsewhere": (
        "I2",
        lambda e: replace(e, placed=(Placed(FIRST, NOTHING, of("rt_user_1")),)),
        "put before rt_us",
    ),
    "put too early": ("I2", lambda e: replace(e, placed=(Placed(FIRST, of(SECOND), NOTHING),)), "behind item_000005"),
    "told other than recorded": (
        "I3",
        lambda e: events(e, lambda x: [AgentSaid(replace(x.message, heard_ms=1))] if isinstance(x, AgentSaid) else [x]),
        "but the history says",
    ),
    "told twice": ("I3", lambda e: twice(e, AgentSaid), "the app was told 2 times that item_000003 was said"),
    "announced twice": ("I3", lambda e: twice(e, MessageAnnounced), "item_000003 was announced 2 times"),
    "heard the wrong way round": (
        "I3",
        lambda e: replace(e, segments=tuple(reversed(e.segments))),
        "item_000005 was heard before item_000003",
    ),
    "stopped by nobody": (
        "I3",
        lambda e: replace(without(e, "input_audio_buffer.speech_started"), left_at=1e9),
        "item_000005 was stopped at 0.000 s, and nobody",
    ),
    "speaks before it is heard": (
        "I4",
        lambda e: changed(e, AgentStartedSpeaking, at=-1.0),
        "started speaking at -1.000 s, but was heard from",
    ),
    "silent before it is": (
        "I4",
        lambda e: changed(e, AgentStoppedSpeaking, at=-1.0),
        "stopped speaking at -1.000 s, but was heard until",
    ),
    "not stopped": (
        "I4",
        lambda e: at_sink(
            transitions_of(replace(e, interruptions=(1.0,)), SECOND, "partial", at=9.0),
            1,
            cleared_at=None,
            told=[],
            began_at=0.5,
        ),
        "item_000005 was not stopped when it was interrupted at 1.000 s",
    ),
    "begun after its interruption": (
        "I4",
        lambda e: at_sink(replace(e, interruptions=(1.0,)), 1, began_at=2.0),
        "item_000005 began to play at 2.000 s, though its response",
    ),
    "not cut again": ("I5", refused_as_too_short, "since it has 500 ms only, and not sent again"),
    "refused for no reason": (
        "I6",
        lambda e: also_sent(replace(e, faultless=True), {"type": "error", "error": {"code": "x", "message": "No."}}),
        "the server refused something: No.",
    ),
    "a problem for no reason": (
        "I6",
        lambda e: replace(e, faultless=True, events=(*e.events, Problem(kind="other", message="Oh."))),
        "there was a problem: Oh.",
    ),
    "out of place": (
        "I6",
        lambda e: replace(e, events=(*e.events, Problem(kind="other", message="x cannot happen there"))),
        "cannot happen there",
    ),
    "a false alarm": (
        "I6",
        lambda e: transitions_of(e, THIRD, "gone", effects=(Report(THIRD, "it is there"),)),
        "told of a problem that there was not",
    ),
    "cancelled whatever it is": (
        "I7",
        lambda e: also_received(e, {"type": "response.cancel"}),
        "names no response",
    ),
    "cancelled for no reason": (
        "I7",
        lambda e: also_received(e, {"type": "response.cancel", "response_id": "resp_000001"}),
        "was cancelled, though nobody had interrupted it",
    ),
    "cancelled a stranger": (
        "I7",
        lambda e: also_received(e, {"type": "response.cancel", "response_id": "resp_9"}),
        "resp_9 was cancelled, which the server had not begun",
    ),
    "not cancelled": (
        "I7",
        lambda e: replace(
            without(without(e, "response.done"), "input_audio_buffer.speech_started"), interruptions=(1.0,)
        ),
        "was interrupted at 1.000 s, but not cancelled",
    ),
    "failed for no reason": (
        "I7",
        lambda e: replace(
            transitions_of(e, REPLY, "requested", at=5.0, effects=(Request(REPLY), Fail(REPLY, "no reason"))),
            left_at=1e9,
        ),
        "(no reason), for no reason that there was",
    ),
    "failed though it did not": (
        "I7",
        lambda e: replace(e, replies=(ended(failure="it failed"),)),
        "failed (it failed), but response resp_000001 was completed",
    ),
    "ended otherwise": (
        "I7",
        lambda e: replace(e, replies=(ended(status="cancelled"),)),
        "response resp_000001 was completed, but its reply is cancelled",
    ),
    "broken off": ("I7", broken_off, "was broken off with response resp_000001, and nobody asked for the rest"),
    "other arguments": ("I8", lambda e: changed(e, FunctionCalled, arguments="{}?"), "but was run as"),
    "another answer": ("I8", lambda e: replace(e, answers={CALL: "midnight"}), "but 'noon' was sent"),
    "no answer": ("I8", lambda e: replace(e, answers={"call_9": "x"}), "call_9 was answered, but the output was never"),
    "under way for ever": (
        "I10",
        lambda e: events(e, lambda x: [] if isinstance(x, Transition) and x.after == "truncated" else [x]),
        "but item item_000005 is still truncating",
    ),
    "long to leave": ("I10", lambda e: replace(e, left_at=1.0, ended_at=9.0), "leaving took 8.000 s"),
    "given up at once": (
        "I10",
        lambda e: at_sink(e, 0, told=[], finish_at=0.0, cleared_at=None),
        "item_000003 was given up 0.000 s after",
    ),
    "given up without being asked": (
        "I10",
        lambda e: at_sink(e, 0, told=[], finish_at=None, cleared_at=None),
        "its device was never asked to end it",
    ),
    "control behind audio": (
        "I10",
        lambda e: later(replace(e, held_up=0.0), "conversation.item.truncate", 9.0),
        "was decided at 0.000 s, but reached the server at 9.000 s",
    ),
    "a session without a connection": (
        "I10",
        lambda e: replace(e, events=(*e.events, ConnectionChanged("closed", "it broke", 1.0))),
        "the session went on without one",
    ),
    "not all of the text": (
        "I11",
        lambda e: in_history(e, FIRST, heard_text="First of all,"),
        "was heard in full, but",
    ),
    "the user is not quoted": (
        "I11",
        lambda e: also_sent(
            e,
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "item_000007",
                "transcript": "Stop.",
            },
        ),
        "the server told the transcripts [('item_000007', 'Stop.')], the session []",
    ),
    "the user is not heard": ("I11", lambda e: never(e, UserStartedSpeaking), "the app was told 0 and"),
    "told too late": ("I12", lambda e: changed(e, MessageAnnounced, at=-1.0), "was told after something of"),
    "history of its own": ("I12", lambda e: in_history(e, SECOND, heard_ms=7), "is not what the recorded events give"),
}


@pytest.mark.parametrize("what", FALSE)
def test_falsified_evidence_is_found(sound: Evidence, what: str) -> None:
    invariant, falsify, words = FALSE[what]
    with pytest.raises(InvariantBroken) as broken:
        check_invariants(falsify(sound))
    about = [violation.sentence for violation in broken.value.violations if violation.invariant == invariant]
    assert any(words in sentence for sentence in about), str(broken.value)
    assert f"{invariant}: " in str(broken.value)


def test_each_invariant_is_shown_to_fail() -> None:
    assert {invariant for invariant, _, _ in FALSE.values()} == INVARIANTS.keys() == {f"I{n}" for n in range(1, 13)}


def test_after_a_reconnect_the_heard_text_is_right(sound: Evidence) -> None:
    check_invariants(reconnected(sound, *(item.heard_text for item in sound.history if item.role == "assistant")))


def test_incomplete_evidence_is_no_evidence(sound: Evidence) -> None:
    with pytest.raises(ValueError, match="events are not complete"):
        check_invariants(replace(sound, events=(*sound.events, Dropped(3))))
    with pytest.raises(ValueError, match="no connection"):
        check_invariants(replace(sound, connections=()))


def test_a_sink_that_counts_coarsely_has_its_slack(sound: Evidence) -> None:
    check_invariants(replace(item_on_server(sound, SECOND, frames=24_480), slack_ms=20))
    with pytest.raises(InvariantBroken, match="I1: "):
        check_invariants(replace(item_on_server(sound, SECOND, frames=24_528), slack_ms=20))


def test_a_broken_connection_is_not_blamed(sound: Evidence) -> None:
    """What the server could not be told any more is its own; our record is still judged."""
    (connection,) = sound.connections
    unaware = replace(on_server(sound, lambda items: items.append(replace(items[-1], id=THIRD))))
    lost = replace(unaware, connections=(replace(unaware.connections[0], open=False),))
    check_invariants(lost)
    assert connection.open
    with pytest.raises(InvariantBroken, match="I2: "):
        check_invariants(not_in_history(lost, SECOND))
