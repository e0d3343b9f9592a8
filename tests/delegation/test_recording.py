"""What a delegate does is the app's doing: a recording has it, and a replay needs no delegate, in either version."""

from io import BytesIO

import anyio
import pytest

from rtactors.delegation import Delegate, Work
from rtactors.delegation.telling import FINAL
from rtactors.loopback.quicksilver import Line
from rtactors.loopback.script import Call, replies
from rtactors.recording import Recorder, read_recording
from rtactors.session_events import AgentSaid
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import Conversation
from rtactors.testing.replay import replay
from tests.delegation.lines import talk as quicksilver
from tests.recording.recorded import lines as events_of
from tests.recording.recorded import read, record

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])


async def agent(work: Work) -> str:
    for step in range(3):
        await work.progress(f"step {step}")
        await anyio.sleep(2)
    return f"Did {work.input}."


@backends
def test_a_session_with_a_delegate_is_replayed_without_it(backend: BackendName) -> None:
    async def scene(talk: Conversation) -> None:
        talk.sink.play_all()
        await talk.ask("Do it.")
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()

    script = replies(["One moment.", Call(name="background_agent", arguments='{"prompt": "it"}')], "It is done.")
    data = record(scene, script, backend=backend, session={"delegate": Delegate(agent)})
    shown = [event["event"] for event in events_of(data) if event["kind"] == "published" and event["who"] == "app"]
    assert [event["after"] for event in shown] == ["working"] * 4 + ["finished"]
    history = replay(read(data))
    assert [item.output or item.heard_text for item in history if not item.arguments] == [
        "Do it.",
        "One moment.",
        "Did it.",
        "[BACKEND] step 0",
        "[BACKEND] step 1",
        "[BACKEND] step 2",
        "It is done.",
    ]


@backends
def test_so_is_one_with_a_quicksilver_server(backend: BackendName) -> None:
    file = BytesIO()

    async def script(line: Line) -> None:
        await line.user_says("Do it.")
        await line.hand_off("Do it.")
        for _ in range(3):
            await line.agent_says(await line.appended())
        await line.agent_says((await line.appended()).removeprefix(FINAL))

    async def run() -> None:
        delegate = Delegate(agent)
        async with quicksilver(script, delegate=delegate, recorder=Recorder(file)) as talk:
            talk.sink.play_all()
            await talk.tells(AgentSaid, 2)
            await talk.line.close(1011, "bye")  # and it is set up anew, by the same rules
            await talk.tells(AgentSaid, 5)
            await talk.session.quiet()

    run_virtual(run, backend=backend, seed=1)
    data = file.getvalue()
    assert sum(event.get("call") == "connect" for event in events_of(data)) == 2
    history = replay(read_recording(BytesIO(data)))
    assert len(history) == 7  # two turns of the user, and what was said on both connections
    assert [item.id for item in history] == [item["id"] for item in events_of(data)[-1]["history"]]
