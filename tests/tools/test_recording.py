"""What tools do is the app's doing: a recording has it, and a replay needs none."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from rtactors.loopback.script import Call as Calls
from rtactors.loopback.script import Script, replies
from rtactors.testing.clock import BackendName, real_backends
from rtactors.testing.conversation import Conversation
from rtactors.testing.replay import Differs, replay
from rtactors.tools import Call, tool
from tests.recording.recorded import changed, read, record
from tests.recording.recorded import lines as events_of

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])


async def book(hotel: str, call: Call) -> str:
    await call.progress("there are rooms", say=True)
    await anyio.sleep(5)
    return f"booked {hotel}"


@tool(on_interrupt="cancel")
async def search(text: str) -> str:
    await anyio.sleep(3600)
    return text


@tool(timeout=1)
async def hang() -> None:
    await anyio.sleep_forever()


async def fail() -> None:
    raise ValueError("no")


def script() -> Script:
    made = [
        Calls(name="book", arguments='{"hotel": "Ritz"}'),
        Calls(name="search", arguments='{"text": "b"}'),
        *(Calls(name=name) for name in ("hang", "fail", "nothing", "search")),
    ]
    return replies(made, "Let me see.", "It is booked.")


async def scene(talk: Conversation) -> None:
    talk.sink.play_all()
    await talk.ask()
    await talk.reaches("call", "failed")
    await talk.speak()
    await talk.log.wait("response.done", 2)
    await talk.session.quiet()
    await anyio.sleep(60)
    await talk.session.quiet()


def recorded(scene: Callable[[Conversation], Awaitable[None]] = scene, **options: Any) -> bytes:
    return record(scene, script(), session={"tools": [book, search, hang, fail]}, **options)


@backends
def test_a_session_with_tools_is_replayed_without_them(backend: BackendName) -> None:
    data = recorded(backend=backend)
    events = events_of(data)
    by_app = [event["event"]["type"] for event in events if event["kind"] == "published" and event["who"] == "app"]
    assert {"Transition", "ToolProgress", "Problem"} == {*by_app}
    assert len([event for event in events if event.get("mail", {}).get("type") == "AnswerCall"]) == 6
    history = replay(read(data))
    assert [item.output for item in history if item.output] == [
        item["output"] for item in events[-1]["history"] if item.get("output")
    ]


def test_what_a_tool_gave_belongs_to_the_recording() -> None:
    data = recorded()

    def another(events: list[dict[str, Any]]) -> None:
        (answer,) = [mail for event in events if (mail := event.get("mail", {})).get("output") == "booked Ritz"]
        answer["output"] = "nothing booked"

    with pytest.raises(Differs) as caught:
        replay(read(changed(data, another)))
    assert "nothing booked" in str(caught.value)
