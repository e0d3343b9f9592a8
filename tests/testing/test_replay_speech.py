"""I12, of text and voices: what a voice said is in the recording, so a replay needs none and gives the same."""

from typing import Any

import pytest

from rtactors.loopback.script import Gate, Parts, Say, Script, Write, replies
from rtactors.session_events import SpeechWanted
from rtactors.testing.clock import BackendName, real_backends
from rtactors.testing.conversation import Conversation
from rtactors.testing.replay import replay
from rtactors.testing.voice import Tones
from tests.recording.recorded import lines, read, record

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])

TEXT = "The list has four entries. The last of them is the longest one."


def of_all_kinds() -> Script:
    return replies(
        [
            Write(text="Here it comes.", phase="commentary"),
            Parts(parts=(Write(text="Milk. "), Say(text="And bread."), Say(text="And butter."))),
            Write(text=TEXT, phase="final_answer"),
        ]
    )


def of_text() -> Script:
    return replies(Write(text=TEXT, gate=Gate(), gate_at=10))


async def all_kinds(talk: Conversation) -> None:
    """The last message is stopped in its first sentence."""
    await talk.say("This call is recorded.")
    await talk.ask()
    await talk.sink.play(4300)
    await talk.session.interrupt()
    await talk.session.quiet()


async def to_the_end(talk: Conversation) -> None:
    talk.sink.play_all()
    await talk.say("This call is recorded.")
    await (await talk.ask()).done()


async def shown_and_stopped(talk: Conversation) -> None:
    await talk.ask()
    await talk.reaches("message", "showing")
    await talk.session.interrupt()
    await talk.session.quiet()


async def fails(text: str) -> None:
    if "four" in text:
        raise ConnectionResetError("gone")


SCENES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "with a voice": (all_kinds, of_all_kinds, {"own_voice": Tones()}),
    "with a voice that fails": (to_the_end, of_all_kinds, {"own_voice": Tones(before=fails)}),
    "without one": (shown_and_stopped, of_text, {}),
}


@backends
@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("scene", SCENES)
def test_the_same_comes_of_it(backend: BackendName, scene: str, *, audio: bool) -> None:
    what, script, options = SCENES[scene]
    data = record(what, script(), backend=backend, audio=audio, provider={"turn_detection": None}, **options)
    recording = read(data)
    assert recording.header.voiced == bool(options)
    history = replay(recording)
    told = lines(data)[-1]["history"]
    assert [(item.heard_text, item.heard_ms) for item in history] == [
        (item.get("heard_text", ""), item.get("heard_ms", 0)) for item in told
    ]
    wanted = [event for event in lines(data) if event.get("event", {}).get("type") == SpeechWanted.__name__]
    assert bool(wanted) == bool(options)
