"""Captions: the words of each message as they are heard, whatever its text and its audio do meanwhile.

What must hold of them in every conversation (never ahead of the ears, one message's each, ended once, the same words as
in the history) is checked at the end of each of these, too: `rtactors.testing.captioning`.
"""

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from msgspec.structs import replace

from rtactors import Bounds, ReplyFailed, Session, SinkLost
from rtactors.alignment import EvenAligner
from rtactors.alignment.base import Alignment, Word
from rtactors.interruption import ON_WORDS
from rtactors.journal import MemoryJournal
from rtactors.limits import Deadlines
from rtactors.loopback.conversation import FRAMES_PER_MS
from rtactors.loopback.faults import Faults, drop, edit, ignore
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Gate, Parts, Say, Write, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import (
    AgentSaid,
    Caption,
    CaptionsEnded,
    ConversationEnded,
    MessageAnnounced,
    MessageShown,
    SessionEvent,
    Transition,
)
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, real_backends, settled
from rtactors.testing.conversation import ALL_EVENTS, MS_PER_CHARACTER, Conversation, conversation
from rtactors.testing.fickle import FickleAligner
from rtactors.testing.replay import replay
from rtactors.testing.stepped_sink import SteppedSink
from rtactors.testing.voice import Tones
from tests.recording.recorded import lines, read, record
from tests.scenarios.by_hand import MESSAGE, Json, ServerByHand
from tests.scenarios.conftest import Begin
from tests.scenarios.test_reconnect import BY_HAND, lose, told

TEXT = "Ada kept the lighthouse, and every evening she counted the ships."
FIRST, SECOND, THIRD = "This is the first message.", "The second one is longer than that.", "And a third."
WHOLE = 100_000
"""Ms: a gate there is one at the end of the audio."""
DONE = "response.output_audio_transcript.done"
MARK = " [interrupted]"

pytestmark = pytest.mark.anyio


def length(text: str) -> int:
    """How many ms it sounds."""
    return len(text) * MS_PER_CHARACTER


def captions(talk: Conversation, message_id: str | None = None) -> list[Caption]:
    """Those that were told so far: of one message, or all."""
    told = (seen.caption for seen in talk.eyes.seen)
    return [each for each in told if isinstance(each, Caption) and message_id in {None, each.message_id}]


def words(talk: Conversation, message_id: str | None = None) -> str:
    return "".join(caption.text for caption in captions(talk, message_id))


def ends(talk: Conversation) -> list[CaptionsEnded]:
    return [seen.caption for seen in talk.eyes.seen if isinstance(seen.caption, CaptionsEnded)]


def states(talk: Conversation) -> list[str]:
    """Where the transcript of each message has come to, when the session is over."""
    moves = [event for event in talk.events if isinstance(event, Transition) and event.chart == "transcript"]
    return [*{event.id: event.after for event in moves}.values()]


async def heard_until(talk: Conversation, text: str, message_id: str | None = None) -> None:
    """Until these are the words that were told."""
    count = 0
    while words(talk, message_id) != text:
        count += 1
        await talk.tells(Caption, count)


# ------------------------------------------------------------------------------------------- which of both ends first


@pytest.mark.parametrize("lead_ms", [-math.inf, -500])
async def test_text_that_ends_after_the_audio(begin: Begin, lead_ms: float) -> None:
    """All of it was heard, and some words are still to come: they are told then, and until then nothing has ended."""
    gate = Gate()
    async with begin(replies(Say(text=TEXT, lead_ms=lead_ms, gate=gate, gate_ms=WHOLE))) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(length(TEXT))
        await heard_until(talk, "" if lead_ms < -500 else "Ada kept the lighthouse, and every evening she counted")
        assert ends(talk) == talk.said() == []
        gate.open()
        [said] = await reply.done()
        assert words(talk) == said.heard_text == TEXT
        [ended] = ends(talk)
        assert (ended.text, ended.interrupted) == (TEXT, False)
        assert [caption.end_ms for caption in ended.words] == sorted(caption.end_ms for caption in ended.words)
    assert states(talk) == ["whole"]


async def test_audio_that_ends_after_the_text(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Say(text=TEXT, lead_ms=math.inf, gate=gate, gate_ms=1300))) as talk:
        reply = await talk.ask()
        await talk.log.wait(DONE)
        await talk.sink.play(1300)
        await heard_until(talk, "Ada kept the lighthouse,")
        gate.open()
        talk.sink.play_all()
        await reply.done()
        assert words(talk) == TEXT
    assert states(talk) == ["whole"]


@pytest.mark.parametrize("first", ["text", "audio"])
async def test_both_end_before_anything_is_heard(begin: Begin, first: str) -> None:
    say = Say(text=TEXT, lead_ms=math.inf if first == "text" else -math.inf)
    async with begin(replies(say)) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        order = [record.type for record in talk.log.records if record.type in {DONE, "response.output_audio.done"}]
        assert order[0] == (DONE if first == "text" else "response.output_audio.done")
        assert captions(talk) == []
        await talk.sink.play(1000)  # 16 characters
        await heard_until(talk, "Ada kept the lighthouse,")
        talk.sink.play_all()
        await talk.session.quiet()
        assert words(talk) == TEXT
        assert [(word.start_ms, word.end_ms) for word in ends(talk)[0].words][:3] == [(0, 180), (180, 480), (480, 720)]


# ------------------------------------------------------------------------------------------------- when it is stopped


async def test_interrupted_before_text_and_audio(begin: Begin) -> None:
    async with begin(replies(Say(text=TEXT, gate=Gate()))) as talk:
        await talk.ask()
        await talk.tells(MessageAnnounced)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert captions(talk) == ends(talk) == talk.said() == []


@pytest.mark.parametrize("first", ["text", "audio"])
async def test_interrupted_when_one_of_them_has_come(begin: Begin, first: str) -> None:
    """Of the text that comes then nothing was heard; the audio that comes then is not."""
    gate = Gate()
    say = Say(text=TEXT, lead_ms=math.inf if first == "text" else -math.inf, gate=gate, gate_ms=1000)
    async with begin(replies(say), faults=Faults(ignore("response.cancel"))) as talk:
        await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(1000)
        await talk.session.interrupt()
        await talk.tells(CaptionsEnded)
        await talk.time_passes(1)
        gate.open()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        [ended], [said] = ends(talk), talk.said()
        assert ended.text == said.heard_text == ("Ada kept the" if first == "text" else "")
        assert words(talk) == ("Ada kept the lighthouse," if first == "text" else "")  # the last one was stopped in it
        assert said.generated_text == TEXT
    assert states(talk) == ["cut" if first == "text" else "silent"]


async def test_interrupted_it_does_not_wait_for_its_text(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Say(text=TEXT, lead_ms=-math.inf, gate=gate, gate_ms=WHOLE))) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(length(TEXT))
        begun = anyio.current_time()
        await talk.session.interrupt()
        await reply.done()
        assert not talk.virtual or anyio.current_time() == begun
        assert len(ends(talk)) == 1


async def test_complete_it_does_not_wait_for_the_end_of_its_text(begin: Begin) -> None:
    """The server has said that the message is complete. That its text is, too, gets lost."""
    async with begin(replies(TEXT), faults=Faults(drop(DONE))) as talk:
        reply = await talk.ask()
        begun = anyio.current_time()
        talk.sink.play_all()
        [said] = await reply.done()
        assert not talk.virtual or anyio.current_time() == begun
        assert words(talk) == said.heard_text == TEXT


async def test_it_waits_no_longer_than_its_time(begin: Begin) -> None:
    """It is played out because it is too long; whether its text is over nobody says."""
    deadlines, bounds = Deadlines(text=0.25), Bounds(events=ALL_EVENTS, message_bytes=1000 * FRAMES_PER_MS * 2)
    say = Say(text=TEXT, gate=Gate(), gate_ms=1100)
    async with begin(replies(say), deadlines=deadlines, bounds=bounds, ms_per_character=None) as talk:
        await talk.ask()
        begun = anyio.current_time()
        talk.sink.play_all()
        said = await talk.tells(AgentSaid)
        [ended] = ends(talk)
        assert anyio.current_time() - begun >= 0.25
        assert not talk.virtual or ended.at == begun + 0.25
        assert ended.text == said.message.heard_text
        assert TEXT.startswith(ended.text)


async def test_the_text_never_comes(begin: Begin) -> None:
    """The audio was heard, and then the server falls silent, for longer than it may."""
    say = Say(text=TEXT, lead_ms=-math.inf, gate=Gate(), gate_ms=WHOLE)
    async with begin(replies(say), deadlines=Deadlines(silence=0.3)) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        with pytest.raises(ReplyFailed, match="fell silent"):
            await reply.done()
        await talk.session.quiet()
        [ended] = ends(talk)
        assert (ended.words, ended.text) == ((), "")


# ------------------------------------------------------------------------------------------------- when one is missing


async def test_audio_without_text(begin: Begin) -> None:
    async with begin(replies(Say(text=TEXT, transcript="none"))) as talk:
        talk.sink.play_all()
        [said] = await (await talk.ask()).done()
        await talk.session.quiet()
        [ended] = ends(talk)
        assert (ended.words, ended.text, said.heard_text, said.heard_ms) == ((), "", "", length(TEXT))
        assert captions(talk) == []
    assert states(talk) == ["whole"]


async def test_text_without_audio(begin: Begin) -> None:
    async with begin(replies([Say(text=TEXT, silent=True), SECOND])) as talk:
        talk.sink.play_all()
        [said] = await (await talk.ask()).done()
        await talk.session.quiet()
        assert words(talk) == said.heard_text == SECOND
        assert [ended.message_id for ended in ends(talk)] == [said.id]


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("interrupted", [True, False])
async def test_a_part_without_audio(begin: Begin, *, behind: bool, interrupted: bool) -> None:
    """It takes no time, and holds up nothing."""
    parts = (Say(text=FIRST), Say(text=" Hush.", silent=True))
    text = FIRST + " Hush." if behind else " Hush." + FIRST
    async with begin(replies(Parts(parts=parts if behind else parts[::-1]))) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(length("This is the f") if interrupted else length(FIRST))
        await talk.session.interrupt()
        await talk.session.quiet()
        [said] = talk.said()
        cut = "This is the" if behind else " Hush.This is the"
        assert said.heard_text == (cut if interrupted else text)
        assert said.interrupted == interrupted


# ------------------------------------------------------------------------------------------------- other messages


async def test_the_next_messages_come_while_one_plays(begin: Begin) -> None:
    async with begin(replies([FIRST, SECOND, THIRD])) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.reaches("response", "finishing")
        ids = [item.id for item in talk.items("assistant")]
        await talk.sink.play(length(FIRST) - 300)
        await heard_until(talk, FIRST)
        assert {caption.message_id for caption in captions(talk)} == {ids[0]}
        await talk.sink.play(300 + 600)
        await heard_until(talk, "The second one", ids[1])
        assert [words(talk, each) for each in ids] == [FIRST, "The second one", ""]
        assert [ended.message_id for ended in ends(talk)] == ids[:1]
        talk.sink.play_all()
        await talk.session.quiet()
        assert [words(talk, each) for each in ids] == [FIRST, SECOND, THIRD]
        assert [(ended.message_id, ended.text) for ended in ends(talk)] == [
            *zip(ids, (FIRST, SECOND, THIRD), strict=True)
        ]
        assert [caption.start_ms for caption in captions(talk) if caption.text in {"This", "The", "And"}] == [0, 0, 0]


async def test_skipped_messages_have_none(begin: Begin) -> None:
    """Nor does anybody keep what comes of them later (the cancel gets lost)."""
    gate = Gate()
    script = replies([FIRST, Say(text=SECOND, gate=gate, gate_ms=300), THIRD])
    async with begin(script, faults=Faults(ignore("response.cancel"))) as talk:
        await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(500)
        await talk.session.interrupt()
        await talk.reaches("message", "skipped")
        gate.open()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        [said] = talk.said()
        assert (
            {caption.message_id for caption in captions(talk)}
            == {ended.message_id for ended in ends(talk)}
            == {said.id}
        )


async def test_the_next_response_begins_at_once(begin: Begin) -> None:
    """Ids tell the words of two messages apart, also where the texts are the same."""
    async with begin(replies(FIRST, FIRST)) as talk:
        await talk.ask()
        second = await talk.ask("Again.")
        await talk.sink.play(length(FIRST) + 500)
        one, other = talk.ears.segments
        await heard_until(talk, "This is the", other.message_id)
        assert words(talk, one.message_id) == FIRST
        talk.sink.play_all()
        await second.done()
        await talk.session.quiet()
        assert [(ended.message_id, ended.text) for ended in ends(talk)] == [
            (one.message_id, FIRST),
            (other.message_id, FIRST),
        ]


async def test_what_is_out_of_band_has_none(begin: Begin) -> None:
    async with begin(replies(FIRST, SECOND)) as talk:
        talk.sink.play_all()
        await (await talk.ask()).done()
        await (await talk.generate_reply(out_of_band=True)).done()
        await talk.session.quiet()
        assert words(talk) == FIRST
        assert len(ends(talk)) == 1


OTHER: Json = {**MESSAGE, "id": "item_other"}


async def test_two_messages_delta_by_delta() -> None:
    """Their deltas and their ends are mixed, in an order that no server of ours knows."""
    server, sink, seen = ServerByHand(), SteppedSink(), list[SessionEvent]()
    async with Session(OpenAIRealtime(api_key=""), sink=sink, connect=server.connect, aligner=EvenAligner()) as session:
        news = session.events()
        await session.generate_reply()
        await server.begin(await server.receive("response.create"))

        def of(item: Json, index: int) -> Json:
            return {"response_id": "resp_1", "item_id": item["id"], "output_index": index, "content_index": 0}

        async def say(index: int, item: Json, text: str) -> None:
            await server.say("response.output_audio_transcript.delta", **of(item, index), delta=text)
            await server.say("response.output_audio.delta", **of(item, index), delta=TONE * len(text))

        await server.announce(MESSAGE)
        await server.announce(OTHER)
        for index in range(0, len(SECOND), 3):
            await say(0, MESSAGE, FIRST[index : index + 3])
            await say(1, OTHER, SECOND[index : index + 3])
        await server.say(DONE, **of(OTHER, 1), transcript=SECOND)
        for number, (item, text) in enumerate([(OTHER, SECOND), (MESSAGE, FIRST)]):
            content = [{"type": "output_audio", "transcript": text}]
            done = {**item, "status": "completed", "content": content}
            await server.say("response.output_item.done", response_id="resp_1", output_index=1 - number, item=done)
        response: Json = {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "metadata": {}}
        await server.say("response.done", response=response)
        sink.play_all()
        async for event in news:
            seen.append(event)
            if len([each for each in seen if isinstance(each, AgentSaid)]) == 2:
                break
    told = [(each.message_id, each.text) for each in seen if isinstance(each, Caption)]
    assert [text for message, text in told if message == MESSAGE["id"]] == FIRST.replace(" ", "| ").split("|")
    assert [text for message, text in told if message == OTHER["id"]] == SECOND.replace(" ", "| ").split("|")
    assert [message for message, _ in told] == sorted(message for message, _ in told)
    ended = [(each.message_id, each.text) for each in seen if isinstance(each, CaptionsEnded)]
    assert ended == [(MESSAGE["id"], FIRST), (OTHER["id"], SECOND)]


async def test_an_odd_byte_when_all_was_heard_holds_nothing_up() -> None:
    """It is no audio: the first message still counts as over when the second one begins."""
    server, sink = ServerByHand(), SteppedSink()
    async with Session(OpenAIRealtime(api_key=""), sink=sink, connect=server.connect, aligner=EvenAligner()) as session:
        news = session.events()
        await session.generate_reply()
        await server.begin(await server.receive("response.create"))
        sink.play_all()
        for index, (item, text) in enumerate([(MESSAGE, FIRST), (OTHER, SECOND)]):
            added = {**item, "status": "in_progress"}
            await server.say("response.output_item.added", response_id="resp_1", output_index=index, item=added)
            of: Json = {"response_id": "resp_1", "item_id": item["id"], "output_index": index, "content_index": 0}
            await server.say("response.output_audio_transcript.delta", **of, delta=text)
            await server.say("response.output_audio.delta", **of, delta=TONE * len(text))
            await settled()
            await server.say("response.output_audio.delta", **of, delta="AQ==")
            await settled()
        with anyio.fail_after(1):
            while not isinstance(event := await anext(news), CaptionsEnded):
                pass
        assert (event.message_id, event.text) == (MESSAGE["id"], FIRST)


@pytest.mark.parametrize("part", [0, 1])
async def test_text_that_only_its_item_has_goes_with_its_audio(part: int) -> None:
    """In whichever part that is."""
    server, sink = ServerByHand(), SteppedSink()
    async with Session(OpenAIRealtime(api_key=""), sink=sink, connect=server.connect, aligner=EvenAligner()) as session:
        await session.generate_reply()
        await server.begin(await server.receive("response.create"))
        await server.announce(MESSAGE)
        of: Json = {"response_id": "resp_1", "item_id": MESSAGE["id"], "output_index": 0, "content_index": part}
        await server.say("response.output_audio.delta", **of, delta=TONE * len(FIRST))
        content = [{"type": "output_audio", "transcript": text} for text in [""] * part + [FIRST]]
        done = {**MESSAGE, "status": "completed", "content": content}
        await server.say("response.output_item.done", response_id="resp_1", output_index=0, item=done)
        response: Json = {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "metadata": {}}
        await server.say("response.done", response=response)
        await settled()
        await sink.play(length("This is the f"))
        await session.interrupt()
        await session.quiet()
        assert [item.heard_text for item in session.history] == ["This is the"]


TONE = "AQAB" * (MS_PER_CHARACTER * FRAMES_PER_MS * 2 // 3)
"""Of one character, in base64."""


# ------------------------------------------------------------------------------------------------- what the device does


async def test_paused_in_the_middle_of_a_word(begin: Begin) -> None:
    """No word begins, not even when more text comes; and none is told twice."""
    gate = Gate()
    async with begin(replies(Say(text=TEXT, transcript="aligned", gate=gate, gate_ms=1500))) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(400)  # "Ada ke"
        await talk.session.pause()
        await talk.reaches("transcript", "held")
        await heard_until(talk, "Ada kept")
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.time_passes(5)
        assert words(talk) == "Ada kept"
        await talk.session.unpause()
        await talk.reaches("transcript", "following")
        talk.sink.play_all()
        await reply.done()
        assert words(talk) == TEXT
    assert states(talk) == ["whole"]


async def test_a_false_alarm(begin: Begin) -> None:
    async with begin(replies(TEXT), session={"interruption": ON_WORDS}, recognizer=Scripted("")) as talk:
        reply = await talk.ask()
        await talk.sink.play(400)
        await talk.reaches("response", "finishing")
        await talk.speak()
        await talk.reaches("transcript", "held")
        assert words(talk) == "Ada kept"
        await talk.fall_silent()
        await talk.reaches("interruption", "dismissed")
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert words(talk) == TEXT
        assert len(ends(talk)) == 1


async def test_the_server_is_slower_than_the_device(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Say(text=TEXT, lead_ms=200, gate=gate, gate_ms=1000))) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await gate.reached.wait()
        await heard_until(talk, "Ada kept the")  # of "lighthouse," nobody knows yet whether it goes on
        await talk.time_passes(3)
        assert words(talk) == "Ada kept the"
        gate.open()
        await reply.done()
        assert words(talk) == TEXT
        starts = [caption.at for caption in captions(talk)]
        assert starts == sorted(starts)


async def test_a_word_at_the_end_of_what_has_come_is_told_when_it_begins() -> None:
    """Also if the transcript actor is told the last of its audio a moment later than the device plays it."""
    gate = Gate()
    async with conversation(replies(Say(text=TEXT, lead_ms=math.inf, gate=gate, gate_ms=560))) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await gate.reached.wait()
        await settled()
        assert words(talk) == "Ada kept the"  # of which the last begins in the middle of a tenth of a second
        gate.open()
        await reply.done()


async def test_in_the_time_of_a_loudspeaker() -> None:
    """Each word at its time, though the device tells how far it is every 100 ms only."""
    async with conversation(replies(TEXT), sink=PacedSink()) as talk:
        begun = anyio.current_time()
        await (await talk.ask()).done()
        for seen in talk.eyes.seen:
            if isinstance(seen.caption, Caption):
                assert seen.caption.at == pytest.approx(begun + seen.caption.start_ms / 1000, abs=0.001)
                assert seen.at - seen.caption.at <= 0.1 + 1e-6


async def test_a_pause_in_the_time_of_a_loudspeaker() -> None:
    """The words behind it are later by as much."""
    async with conversation(replies(TEXT), sink=PacedSink()) as talk:
        begun = anyio.current_time()
        reply = await talk.ask()
        await anyio.sleep(0.4)
        await talk.session.pause()
        await anyio.sleep(5)
        await talk.session.unpause()
        await reply.done()
        for caption in captions(talk):
            late = 5 if caption.start_ms > 400 else 0
            assert caption.at == pytest.approx(begun + caption.start_ms / 1000 + late, abs=0.001)


async def test_a_device_that_tells_no_progress() -> None:
    """Captions are as fine as its reports: here all are told at the end, each with the time at which it was heard."""
    async with conversation(replies(TEXT), sink=PacedSink(progress_ms=None)) as talk:
        begun = anyio.current_time()
        await (await talk.ask()).done()
        assert words(talk) == TEXT
        for caption in captions(talk):
            assert caption.at == pytest.approx(begun + caption.start_ms / 1000, abs=0.001)


async def test_the_device_is_lost(begin: Begin) -> None:
    async with begin(replies(TEXT), raises=SinkLost) as talk:
        await talk.ask()
        await talk.sink.play(1000)
        talk.sink.lose("it was unplugged")
        await anyio.sleep_forever()
    [ended] = ends(talk)
    assert (ended.text, ended.interrupted) == ("Ada kept the", True)
    assert [said.heard_text for said in talk.said()] == [ended.text]


async def test_the_session_is_left_in_the_middle_of_a_word(begin: Begin) -> None:
    async with begin(replies(TEXT)) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(1000)
    [ended] = ends(talk)
    assert (ended.text, ended.interrupted) == ("Ada kept the", True)
    assert words(talk) == "Ada kept the lighthouse,"
    assert states(talk) == ["cut"]


# ------------------------------------------------------------------------------------------------- what the text does

CORRECTIONS = {
    "other words": "Ada kept the lighthouse, and every morning she counted the boats.",
    "more words": TEXT + " Then she slept.",
    "fewer words": "Ada kept the lighthouse.",
    "other words at its beginning": TEXT.replace("Ada", "Eda"),
}


def corrected(text: str) -> Faults:
    return Faults(edit(DONE, lambda event: event.update(transcript=text)))


@pytest.mark.parametrize("what", CORRECTIONS)
async def test_the_text_is_corrected_at_its_end(begin: Begin, what: str) -> None:
    """What was told is not told again; in the end the words are those of the text as it is then."""
    text, gate = CORRECTIONS[what], Gate()
    say = Say(text=TEXT, gate=gate, gate_ms=length(TEXT) - 300)
    async with begin(replies(say), faults=corrected(text), ms_per_character=None) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(1000)
        await heard_until(talk, "Ada kept the lighthouse,")
        gate.open()
        talk.sink.play_all()
        [said] = await reply.done()
        [ended] = ends(talk)
        assert ended.text == said.heard_text == "".join(word.text for word in ended.words) == text
        assert words(talk).startswith("Ada kept the lighthouse,")
        assert len(captions(talk)) >= len(ended.words)


@pytest.mark.parametrize("what", CORRECTIONS)
async def test_the_text_is_corrected_after_the_cut(begin: Begin, what: str) -> None:
    """Nobody heard the new words: what was heard stays, and what was generated is as the server says."""
    gate = Gate()
    say = Say(text=TEXT, gate=gate, gate_ms=1500)
    faults = Faults(edit(DONE, lambda event: event.update(transcript=CORRECTIONS[what])), ignore("response.cancel"))
    async with begin(replies(say), faults=faults, ms_per_character=None) as talk:
        await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(1000)
        await talk.session.interrupt()
        await talk.tells(CaptionsEnded)
        gate.open()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        [said], [ended] = talk.said(), ends(talk)
        assert said.heard_text == ended.text == "Ada kept the"


LANGUAGES = {
    "Chinese": ("灯塔的守护人每天晚上都数船。", ["灯", "塔", "的"]),
    "Japanese": ("灯台の守り人は毎晩、船を数えた。", ["灯", "台", "の"]),
    "Arabic": ("كانت آدا تحرس المنارة وتعد السفن.", ["كانت", " آدا", " تحرس"]),
    "Hebrew": ("עדה שמרה על המגדלור וספרה אוניות.", ["עדה", " שמרה", " על"]),
    "numbers and markup": ("**1,234** ships at 3:15, <b>all</b> _well_ 🚢.", ["**1,234**", " ships", " at"]),
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_in_any_language(begin: Begin, language: str) -> None:
    """Words in the order in which they are spoken, whichever way they are written; the cut is between two of them."""
    text, first = LANGUAGES[language]
    async with begin(replies(text, text), ms_per_character=None) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(length("".join(first)) + 40)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert [caption.text for caption in captions(talk)][:3] == first
        assert talk.said()[0].heard_text == "".join(first)
        talk.sink.play_all()
        await (await talk.ask()).done()
        assert talk.said()[1].heard_text == text


# ------------------------------------------------------------------------------------------------- parts and voices


@pytest.mark.parametrize("heard_ms", [length(FIRST) - 200, length(FIRST + SECOND) - 500])
async def test_messages_of_several_parts(begin: Begin, heard_ms: int) -> None:
    parts = (Say(text=FIRST), Write(text=" (She waits.) "), Say(text=SECOND))
    async with begin(replies(Parts(parts=parts)), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(heard_ms)
        await talk.session.interrupt()
        await talk.session.quiet()
        [said], [ended] = talk.said(), ends(talk)
        if heard_ms < length(FIRST):
            assert ended.text == said.heard_text == "This is the first (She waits.) "
        else:
            assert ended.text == said.heard_text == FIRST + " (She waits.) The second one is longer"
            begun = {word.text: word.start_ms for word in ended.words}
            assert begun["The"] == length(FIRST)
        assert "She" not in words(talk)


@pytest.mark.parametrize(
    ("part", "shown"), [(Write(text="(She waits.) "), "(She waits.) "), (Say(text="(She waits.) ", silent=True), "")]
)
async def test_stopped_before_a_sound_of_it_was_heard(begin: Begin, part: Say | Write, shown: str) -> None:
    """The device had it. What was shown before stays in the history, but none of it was heard: no captions, no end."""
    async with begin(replies(Parts(parts=(part, Say(text=FIRST)))), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        assert talk.ears.segments
        await talk.session.interrupt()
        await talk.session.quiet()
        assert captions(talk) == ends(talk) == []
        assert "".join(said.heard_text for said in talk.said()) == shown


WORDS = "Your call is recorded. Please hold the line. Somebody is coming."


@pytest.mark.parametrize(
    ("heard_ms", "text"),
    [
        (600, "Your call"),
        (length("Your call is recorded. ") + 400, "Your call is recorded. Please"),
        (length("Your call is recorded. Please hold the line. ") + 600, WORDS[: WORDS.index(" is coming")]),
    ],
)
async def test_said_by_our_own_voice(begin: Begin, heard_ms: int, text: str) -> None:
    async with begin(replies(TEXT), own_voice=Tones(), provider=BY_HAND) as talk:
        reply = await talk.say(WORDS)
        await talk.sink.play(heard_ms)
        await talk.session.interrupt()
        [said] = await reply.done()
        [ended] = ends(talk)
        assert ended.text == said.heard_text == text


async def test_our_own_voice_fails_in_the_middle_of_a_sentence(begin: Begin) -> None:
    """What it said of that was heard; the rest is shown, and no caption."""

    class Failing(Tones):
        async def speak(self, text: str) -> AsyncIterator[bytes]:
            pieces = [piece async for piece in super().speak(text)]
            for number, piece in enumerate(pieces):
                if text.startswith("Please") and number == 3:
                    raise ConnectionResetError("the service is gone")
                yield piece

    async with begin(replies(TEXT), own_voice=Failing(), provider=BY_HAND, ms_per_character=None) as talk:
        talk.sink.play_all()
        [said] = await (await talk.say(WORDS)).done()
        await talk.session.quiet()
        [ended] = ends(talk)
        assert ended.text == said.heard_text == WORDS
    shown = "".join(talk.shown().values())
    assert "".join(word.text for word in ended.words) + shown == WORDS
    assert "".join(word.text for word in ended.words).startswith("Your call is recorded. Please")
    assert shown.endswith("Somebody is coming.")


# ------------------------------------------------------------------------------------------------- lost connections


async def test_the_connection_is_lost_while_it_plays(begin: Begin) -> None:
    """Captions go on with what has arrived; the next server is told what was heard."""
    gate = Gate()
    async with begin(replies(Say(text=TEXT, gate=gate, gate_ms=1500), THIRD), provider=BY_HAND) as talk:
        await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(500)
        await heard_until(talk, "Ada kept")
        while talk.ears.segments[0].written_frames < 1500 * FRAMES_PER_MS:  # it is on its way
            await checkpoint()
        await lose(talk)
        await talk.sink.play(700)
        await heard_until(talk, "Ada kept the lighthouse,")
        await talk.session.interrupt()
        await talk.session.quiet()
        [said], [ended] = talk.said(), ends(talk)
        assert said.heard_text == ended.text
        assert told(talk)[:2] == [("user", "Tell me a story."), ("assistant", ended.text)]


# ------------------------------------------------------------------------------------------------- the mark of a cut


async def interrupted(talk: Conversation, ms: int = 1000) -> None:
    await talk.ask()
    await talk.reaches("response", "finishing")
    await talk.sink.play(ms)
    await talk.session.interrupt()
    await talk.session.quiet()


async def test_a_cut_has_its_mark(begin: Begin) -> None:
    """In the history, and so for the next server; the words are those that were heard."""
    async with begin(replies(TEXT, THIRD), session={"cut_mark": MARK}, provider=BY_HAND) as talk:
        await interrupted(talk)
        [said], [ended] = talk.said(), ends(talk)
        assert (said.heard_text, said.generated_text) == ("Ada kept the" + MARK, TEXT)
        assert ended.text == said.heard_text
        assert "".join(word.text for word in ended.words) == "Ada kept the"
        assert words(talk) == "Ada kept the lighthouse,"
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", "Ada kept the" + MARK)]
        talk.sink.play_all()
        [whole] = await (await talk.ask()).done()
        assert whole.heard_text == THIRD


async def test_a_text_that_was_cut_has_its_mark_on_the_server(begin: Begin) -> None:
    """Written anew it has it at once."""
    parts = Parts(parts=(Say(text=FIRST), Write(text=" (She waits.) "), Say(text=SECOND)))
    async with begin(replies(parts), session={"cut_mark": MARK}, provider=BY_HAND) as talk:
        await interrupted(talk)
        [said], [ended] = talk.said(), ends(talk)
        assert said.heard_text == ended.text == "This is the (She waits.) " + MARK
        assert told(talk)[1:] == [("assistant", said.heard_text)]


class Brisk:
    """An aligner to which each word is over when it has begun, and the rest is silence."""

    def begin(self, rate: int) -> Alignment:
        alignment = EvenAligner().begin(rate)
        words = alignment.words
        alignment.words = lambda: [replace(word, end_ms=word.start_ms) for word in words()]
        return alignment


async def test_stopped_behind_its_last_word_it_has_the_mark(begin: Begin) -> None:
    """All words were heard, but not all of the sound: it was interrupted, and that is what the mark says."""
    brisk = {"cut_mark": MARK, "aligner": Brisk()}
    async with begin(replies(FIRST), session=brisk, ms_per_character=None) as talk:
        await interrupted(talk, length(FIRST) - 100)
        [said] = talk.said()
        assert (said.heard_text, said.generated_text) == (FIRST + MARK, FIRST)


async def test_a_text_that_was_only_shown_has_its_mark_on_the_server(begin: Begin) -> None:
    gate = Gate()
    say = Write(text=TEXT, gate=gate, gate_at=len("Ada kept the"))
    async with begin(replies(say), session={"cut_mark": MARK}, provider=BY_HAND) as talk:
        await talk.ask()
        await talk.tells(MessageShown, 3)
        await talk.session.pause()
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.session.quiet()
        [said] = talk.said()
        assert said.heard_text == "Ada kept the" + MARK
        assert told(talk)[1:] == [("assistant", said.heard_text)]


async def test_a_mark_stands_behind_words(begin: Begin) -> None:
    """Not where all was heard before it could be stopped, nor where no word was."""
    async with begin(replies(TEXT, TEXT), session={"cut_mark": MARK}, provider=BY_HAND, slack_ms=1) as talk:
        await interrupted(talk, length(TEXT))
        await interrupted(talk, 100)
        assert [said.heard_text for said in talk.said()] == [TEXT, ""]


async def test_who_resumes_chooses_the_mark() -> None:
    journal = MemoryJournal()
    before = {"session_id": "s", "cut_mark": " ..."}
    async with conversation(replies(TEXT), journal=journal, session=before, provider=BY_HAND) as talk:
        await interrupted(talk)
    async with MemoryServer(replies(THIRD)) as server:
        options: dict[str, Any] = {"sink": MemorySink(), "connect": server.connect, "cut_mark": MARK}
        async with Session.resume(journal, "s", OpenAIRealtime(api_key=""), **options) as session:
            [said] = [item for item in session.history if item.role == "assistant"]
            assert said.heard_text == "Ada kept the" + MARK
            await session.quiet()
            [held] = [item for item in server.sessions[-1].items if item.role == "assistant"]
            assert held.text == said.heard_text


# ------------------------------------------------------------------------------------------------------- recordings


@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
@pytest.mark.parametrize("audio", [True, False])
def test_a_recording_has_the_words_of_an_aligner_that_nobody_else_has(backend: BackendName, *, audio: bool) -> None:
    """Nor does it need the audio: who replays it tells the same captions, or `replay` would say so."""

    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await talk.sink.play(1500)
        await talk.sink.play(1500)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert words(talk)

    options: dict[str, Any] = {"session": {"aligner": FickleAligner(3)}, "ms_per_character": None}
    data = record(scene, replies([TEXT, SECOND]), backend=backend, audio=audio, **options)
    assert b'"Caption"' in data
    history = replay(read(data))
    assert [item.heard_text for item in history] == [item["heard_text"] for item in lines(data)[-1]["history"]]


# ----------------------------------------------------------------------------------------------- an aligner that fails


class Broken:
    """An aligner that has no answer."""

    def begin(self, rate: int) -> Alignment:
        alignment = EvenAligner().begin(rate)

        def fail() -> Sequence[Word]:
            raise LookupError("there is no such word")

        alignment.words = fail
        return alignment


async def test_an_aligner_that_raises_ends_the_session_with_that() -> None:
    """A session that told no words any more would cut every text at none: better that it says why it can't go on."""

    async def converse(session: Session) -> None:
        async with session:
            await session.ask("Tell me.")
            await anyio.sleep_forever()

    async with MemoryServer(replies(TEXT)) as server:
        session = Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect, aligner=Broken())
        news = session.events()
        with pytest.raises(LookupError, match="there is no such word"):
            await converse(session)
        *_, ended = [event async for event in news]
    assert isinstance(ended, ConversationEnded)
    assert (ended.reason, ended.message) == ("error", "there is no such word")
    await settled()
