"""The model calls functions: whole conversations with tools, as an app would have them."""

import functools
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rtactors.errors import ConfigurationError
from rtactors.history import HistoryItem
from rtactors.limits import Bounds
from rtactors.loopback.script import Call as Calls
from rtactors.loopback.script import Gate, Say, replies
from rtactors.session_events import FunctionCalled, Problem, ToolProgress, UserStartedSpeaking
from rtactors.testing.conversation import ALL_EVENTS, Conversation, conversation
from rtactors.tools import Call, tool
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

RAIN, SUN = "It rains in Oslo.", "The sun shines in Rome."


def with_tools(*tools: Callable[..., Any]) -> dict[str, Any]:
    return {"session": {"tools": tools}}


def calls(*names: str, arguments: str = "{}") -> list[Calls]:
    return [Calls(name=name, arguments=arguments) for name in names]


def outputs(talk: Conversation) -> list[str]:
    """What the functions gave, in the order of the conversation."""
    return [item.output for item in talk.session.history if item.kind == "function_call_output"]


def problems(talk: Conversation) -> list[str]:
    return [event.message for event in talk.events if isinstance(event, Problem)]


async def answered(talk: Conversation, *, responses: int) -> list[HistoryItem]:
    """The conversation is over when the server has made so many responses. It holds what was given, as the history
    does.
    """
    talk.sink.play_all()
    await talk.log.wait("response.done", responses)
    await talk.session.quiet()
    assert [item.output for item in talk.items() if item.type == "function_call_output"] == outputs(talk)
    assert talk.held() == talk.heard()
    assert not talk.log.find("error")
    return talk.said()


def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{city}: rain for {days} days"


async def look_up(city: str) -> dict[str, Any]:
    await anyio.sleep(0.01)
    return {"city": city, "rain": True}


async def test_async_function_runs_and_the_model_goes_on(begin: Begin) -> None:
    script = replies(Calls(name="look_up", arguments='{"city": "Oslo"}'), RAIN)
    async with begin(script, **with_tools(look_up)) as talk:
        await talk.ask("Does it rain?")
        (message,) = await answered(talk, responses=2)
        assert message.heard_text == RAIN
        assert outputs(talk) == ['{"city":"Oslo","rain":true}']
        assert [item.kind for item in talk.session.history] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]
    (update,) = talk.sent("session.update")
    assert [tool["name"] for tool in update["session"]["tools"]] == ["look_up"]
    assert not problems(talk)


@pytest.mark.sockets  # for threads time is real
async def test_plain_function_runs_in_a_thread() -> None:
    script = replies(Calls(name="get_weather", arguments='{"city": "Oslo", "days": 3}'), RAIN)
    async with conversation(script, sockets=True, **with_tools(get_weather)) as talk:
        await talk.ask()
        assert len(await answered(talk, responses=2)) == 1
        assert outputs(talk) == ["Oslo: rain for 3 days"]


@pytest.mark.sockets  # for threads time is real
async def test_async_function_that_something_plain_is_wrapped_around() -> None:
    @functools.wraps(look_up)
    def counted(*args: Any, **kwargs: Any) -> Any:
        return look_up(*args, **kwargs)

    async with conversation(
        replies(Calls(name="look_up", arguments='{"city": "Oslo"}'), RAIN), sockets=True, **with_tools(counted)
    ) as talk:
        await talk.ask()
        await answered(talk, responses=2)
        assert outputs(talk) == ['{"city":"Oslo","rain":true}']


async def forbidden() -> None:
    raise PermissionError("the door is locked")


async def untellable() -> object:
    return object()


async def too_long() -> str:
    return "x" * 5001


async def half_a_character() -> str:
    return "\ud83d"


async def in_a_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forbidden)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


async def mute() -> None:
    raise Mute


async def verbose() -> None:
    raise ValueError("x" * 100_000)


async def two_places(city: str, days: int) -> str:
    return f"{city} {days}"


@pytest.mark.parametrize(
    ("function", "arguments", "output"),
    [
        (forbidden, "{}", "Error: PermissionError: the door is locked"),
        (in_a_group, "{}", "Error: PermissionError: the door is locked"),
        (mute, "{}", "Error: Mute"),
        (untellable, "{}", "Error: the function has run, but what it gave (object) can't be told: "),
        (too_long, "{}", "Error: the function has run, but what it gave (str) can't be told: its output has 5001"),
        (half_a_character, "{}", "Error: the function has run, but what it gave (str) can't be told: "),
        (verbose, "{}", "Error: ValueError: xxxxx"),
        (two_places, '{"city": "Oslo"}', "Error: Object missing required field `days`"),
        (two_places, '{"city": 1, "days": 1}', "Error: argument `city`: Expected `str`, got `int`. It takes "),
        (two_places, "Oslo", "Error: the arguments are no JSON: "),
    ],
)
async def test_what_went_wrong_is_told_to_the_model_and_to_the_app(
    begin: Begin, function: Callable[..., Any], arguments: str, output: str
) -> None:
    script = replies(Calls(name=function.__name__, arguments=arguments), "I am sorry.")
    bounds = Bounds(events=ALL_EVENTS, text=5000)
    async with begin(script, bounds=bounds, **with_tools(function)) as talk:
        await talk.ask("Do it.")
        assert len(await answered(talk, responses=2)) == 1
        (told,) = outputs(talk)
        assert told.startswith(output)
        assert "Traceback" not in told
        assert len(told) < 1000
    (problem,) = problems(talk)
    assert function.__name__ in problem
    assert output.removeprefix("Error: ")[:20] in problem


async def test_the_app_learns_where_its_function_failed(begin: Begin) -> None:
    async with begin(replies(calls("forbidden"), "Sorry."), **with_tools(forbidden)) as talk:
        await talk.ask()
        await answered(talk, responses=2)
    (problem,) = problems(talk)
    assert "test_runner.py, line" in problem
    assert "in forbidden" in problem


async def test_a_function_that_nobody_knows(begin: Begin) -> None:
    async with begin(replies(calls("get_wether"), "Sorry."), **with_tools(look_up, two_places)) as talk:
        await talk.ask()
        await answered(talk, responses=2)
        assert outputs(talk) == ["Error: there is no function 'get_wether'; there are look_up, two_places"]


DECLARED: dict[str, Any] = {
    "type": "function",
    "name": "own",
    "description": "",
    "parameters": {"type": "object", "properties": {}},
}


async def test_functions_that_the_provider_declares_are_left_to_the_app(begin: Begin) -> None:
    """Also those that are called beside a tool; for its reply the tool does not wait for the app."""
    script = replies([Calls(name="own"), Calls(name="look_up", arguments='{"city": "Oslo"}')], RAIN, SUN)
    async with begin(script, provider={"tools": [DECLARED]}, **with_tools(look_up)) as talk:
        await talk.ask()
        own = await talk.tells(FunctionCalled)
        assert own.name == "own"
        assert len(await answered(talk, responses=2)) == 1
        await talk.session.answer_call(own.call_id, "mine")
        await talk.generate_reply()
        assert len(await answered(talk, responses=3)) == 2
        assert sorted(outputs(talk)) == ["mine", '{"city":"Oslo","rain":true}']
    (update,) = talk.sent("session.update")
    assert [tool["name"] for tool in update["session"]["tools"]] == ["own", "look_up"]


async def test_without_any_tools_all_calls_are_the_apps(begin: Begin) -> None:
    async with begin(replies(calls("whatever"), RAIN)) as talk:
        await talk.ask()
        call = await talk.tells(FunctionCalled)
        await talk.log.wait("response.done")
        await talk.session.quiet()
        assert outputs(talk) == []
        await talk.session.answer_call(call.call_id, "mine")


async def test_two_calls_of_one_response_are_answered_before_the_model_goes_on(begin: Begin) -> None:
    """The second one is slow, and is made long after the first was answered: still there is one reply."""
    gate, first, finish = Gate(), anyio.Event(), anyio.Event()

    async def quick() -> str:
        first.set()
        return "quick"

    async def slow() -> str:
        await finish.wait()
        return "slow"

    script = replies([Calls(name="quick"), Calls(name="slow", gate=gate)], RAIN)
    async with begin(script, **with_tools(quick, slow)) as talk:
        await talk.ask()
        await first.wait()
        await gate.reached.wait()
        await talk.reaches("call", "answered")
        gate.open()
        await talk.log.wait("response.done")
        await talk.reaches("call", "running")
        finish.set()
        assert len(await answered(talk, responses=2)) == 1
        assert outputs(talk) == ["quick", "slow"]
        assert len(talk.sent("response.create")) == 2


async def test_a_message_may_come_before_the_calls_and_between_them(begin: Begin) -> None:
    script = replies(["Let me see.", *calls("a"), "And there.", *calls("b")], RAIN)

    async def a() -> str:
        return "a"

    async def b() -> str:
        return "b"

    async with begin(script, **with_tools(a, b)) as talk:
        await talk.ask()
        said = await answered(talk, responses=2)
        assert [message.heard_text for message in said] == ["Let me see.", "And there.", RAIN]
        assert outputs(talk) == ["a", "b"]
        assert len(talk.sent("response.create")) == 2


async def test_calls_of_overlapping_responses(begin: Begin) -> None:
    """The first one's function still runs when a second response calls another. Each leads to a reply of its own."""
    finish = anyio.Event()

    async def slow() -> str:
        await finish.wait()
        return "slow"

    async def quick() -> str:
        return "quick"

    script = replies(calls("slow"), calls("quick"), RAIN, SUN)
    async with begin(script, **with_tools(slow, quick)) as talk:
        talk.sink.play_all()
        await talk.ask("One.")
        await talk.log.wait("response.done")
        await talk.ask("Two.")
        assert len(await answered(talk, responses=3)) == 1
        assert outputs(talk) == ["quick"]
        finish.set()
        assert [message.heard_text for message in await answered(talk, responses=4)] == [RAIN, SUN]
        assert sorted(outputs(talk)) == ["quick", "slow"]
        assert len(talk.sent("response.create")) == 4


async def test_timeout_is_told_and_the_function_is_stopped(begin: Begin) -> None:
    stopped = anyio.Event()

    @tool(timeout=0.05)
    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with begin(replies(calls("hang"), "Sorry."), **with_tools(hang)) as talk:
        await talk.ask()
        await stopped.wait()
        assert len(await answered(talk, responses=2)) == 1
        assert outputs(talk) == ["Error: the function took longer than 0.05 s. What it does may be done in part."]
        await talk.reaches("call", "stopped")
    (problem,) = problems(talk)
    assert "of hang: it had 0.05 s, and gave nothing" in problem


async def test_function_that_does_not_let_itself_be_stopped(begin: Begin) -> None:
    """The model is told in time, what it gives in the end is dropped, and so long it keeps its place."""
    finish, begun = anyio.Event(), 0

    @tool(timeout=0.05)
    async def stubborn() -> str:
        nonlocal begun
        begun += 1
        with anyio.CancelScope(shield=True):
            await finish.wait()
        return "too late"

    bounds = Bounds(events=ALL_EVENTS, calls=1)
    async with begin(replies(calls("stubborn", "stubborn"), "Sorry."), bounds=bounds, **with_tools(stubborn)) as talk:
        await talk.ask()
        assert len(await answered(talk, responses=2)) == 1
        assert outputs(talk) == [
            "Error: the function took longer than 0.05 s. What it does may be done in part.",
            "Error: too much else was going on for 0.05 s. The function was not run.",
        ]
        finish.set()
        await talk.reaches("call", "stopped")
        assert begun == 1
        assert len(outputs(talk)) == 2


async def test_so_many_run_at_once_and_the_rest_waits(begin: Begin) -> None:
    running, most, finish = 0, 0, anyio.Event()

    async def work(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            finish.set()
        await finish.wait()
        await anyio.sleep(0.01)
        running -= 1
        return n

    made = [Calls(name="work", arguments=f'{{"n": {n}}}') for n in range(7)]
    bounds = Bounds(events=ALL_EVENTS, calls=2)
    async with begin(replies(made, RAIN), bounds=bounds, **with_tools(work)) as talk:
        await talk.ask()
        assert len(await answered(talk, responses=2)) == 1
        assert (most, running) == (2, 0)
        assert outputs(talk) == [str(n) for n in range(7)]


@pytest.mark.parametrize("by", ["user", "app"])
async def test_interruption_cancels_what_may_be_cancelled(begin: Begin, by: str) -> None:
    """One that runs and one that waits; a third one runs to its end, and of that the model speaks."""
    stopped, finish, ran = anyio.Event(), anyio.Event(), list[str]()

    @tool(on_interrupt="cancel")
    async def search(text: str) -> None:
        ran.append(text)
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async def order() -> str:
        await finish.wait()
        return "ordered"

    made = [
        Calls(name="search", arguments='{"text": "a"}'),
        Calls(name="order"),
        Calls(name="search", arguments='{"text": "b"}'),
    ]
    bounds = Bounds(events=ALL_EVENTS, calls=2)
    script = replies([Say(text="Let me see."), *made], "Yes?", RAIN)
    provider = {"transcription": None} | ({"turn_detection": None} if by == "app" else {})
    async with begin(script, bounds=bounds, provider=provider, **with_tools(search, order)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        if by == "user":
            await talk.speak()
        else:
            await talk.session.interrupt()
        await stopped.wait()
        await talk.reaches("call", "refused")
        if by == "user":
            await talk.fall_silent()
            await talk.log.wait("response.done", 2)
        finish.set()
        said = await answered(talk, responses=3 if by == "user" else 2)
        assert [message.heard_text for message in said] == ["Let me see.", "Yes?", RAIN][: len(said)]
        assert ran == ["a"]
        why = "the user interrupted" if by == "user" else "it was interrupted"
        assert sorted(outputs(talk)) == [
            f"Cancelled: {why}. The function was not run.",
            f"Cancelled: {why}. What the function does may be done in part.",
            "ordered",
        ]
    assert not problems(talk)


async def test_if_all_calls_were_cancelled_the_model_is_not_asked_to_speak(begin: Begin) -> None:
    @tool(on_interrupt="cancel")
    async def search() -> None:
        await anyio.sleep_forever()

    async with begin(replies(calls("search"), RAIN), **with_tools(search)) as talk:
        await talk.ask()
        await talk.reaches("call", "running")
        await talk.log.wait("response.done")
        await talk.session.interrupt()
        await talk.reaches("call", "stopped")
        assert await answered(talk, responses=1) == []
        await talk.time_passes(60)
        assert len(outputs(talk)) == len(talk.sent("response.create")) == 1


async def test_a_tool_that_needs_no_reply(begin: Begin) -> None:
    noted: list[str] = []

    @tool(reply=False)
    async def note(text: str) -> None:
        noted.append(text)

    made = Calls(name="note", arguments='{"text": "milk"}')
    script = replies(["Noted.", made], [made, *calls("look_up", arguments='{"city": "Rome"}')], SUN)
    async with begin(script, **with_tools(note, look_up)) as talk:
        await talk.ask()
        await talk.reaches("call", "answered")
        assert len(await answered(talk, responses=1)) == 1
        assert (noted, outputs(talk)) == (["milk"], [""])
        await talk.time_passes(60)
        assert len(talk.sent("response.create")) == 1
        await talk.ask("And the weather?")
        assert len(await answered(talk, responses=3)) == 2
        assert len(talk.sent("response.create")) == 3


async def test_tools_of_one_reply_come_before_the_sessions(begin: Begin) -> None:
    async def look_up(city: str) -> str:
        return f"another {city}"

    lent = look_up
    made = Calls(name="look_up", arguments='{"city": "Oslo"}')
    async with begin(replies(made, RAIN, made, SUN), **with_tools(globals()["look_up"])) as talk:
        talk.sink.play_all()
        await talk.session.generate_reply(tools=[lent], tool_choice="look_up")
        await answered(talk, responses=2)
        await talk.ask()
        await answered(talk, responses=4)
        assert outputs(talk) == ["another Oslo", '{"city":"Oslo","rain":true}']
        asked = [create["response"] for create in talk.sent("response.create")]
        assert [[tool["name"] for tool in each.get("tools", [])] for each in asked] == [["look_up"], [], [], []]
        assert asked[0]["tool_choice"] == {"type": "function", "name": "look_up"}


async def test_tools_of_one_reply_in_a_session_without(begin: Begin) -> None:
    made = Calls(name="look_up", arguments='{"city": "Oslo"}')
    async with begin(replies(made, RAIN)) as talk:
        await talk.session.ask("Look it up.", tools=[look_up])
        await answered(talk, responses=2)
        assert outputs(talk) == ['{"city":"Oslo","rain":true}']


async def test_progress_is_told_to_the_app_and_to_the_model(begin: Begin) -> None:
    finish = anyio.Event()

    async def book(hotel: str, call: Call) -> str:
        await call.progress("there are rooms")
        await call.progress("booking one", say=True)
        await finish.wait()
        return f"booked {hotel}"

    script = replies(Calls(name="book", arguments='{"hotel": "Ritz"}'), "They have rooms.", "It is booked.")
    async with begin(script, **with_tools(book)) as talk:
        await talk.ask("Book the Ritz.")
        assert len(await answered(talk, responses=2)) == 1
        assert outputs(talk) == []
        finish.set()
        said = await answered(talk, responses=3)
        assert [message.heard_text for message in said] == ["They have rooms.", "It is booked."]
        assert outputs(talk) == ["booked Ritz"]
        told = [item.heard_text for item in talk.session.history if item.role == "system"]
        (call_id,) = {item.call_id for item in talk.session.history if item.call_id}
        assert told == [
            f"Progress of the function book, call {call_id}: there are rooms",
            f"Progress of the function book, call {call_id}: booking one",
        ]
        assert [item.text for item in talk.items("system")] == told
    progress = [event for event in talk.events if isinstance(event, ToolProgress)]
    assert [(event.call_id, event.text) for event in progress] == [
        (call_id, "there are rooms"),
        (call_id, "booking one"),
    ]


@pytest.mark.sockets  # for threads time is real
async def test_progress_from_a_thread() -> None:
    def work(call: Call) -> str:
        for n in range(3):
            call.progress(f"{n} of 3")
        return call.name

    async with conversation(replies(calls("work"), RAIN), sockets=True, **with_tools(work)) as talk:
        await talk.ask()
        await answered(talk, responses=2)
        assert outputs(talk) == ["work"]
        assert len(talk.items("system")) == 3
    assert [event.text for event in talk.events if isinstance(event, ToolProgress)] == ["0 of 3", "1 of 3", "2 of 3"]


async def test_progress_is_bounded(begin: Begin) -> None:
    async def chatter(call: Call) -> None:
        for n in range(150):
            await call.progress(str(n))
        await call.progress("x" * 2001)

    async with begin(replies(calls("chatter"), RAIN), **with_tools(chatter)) as talk:
        await talk.ask()
        await answered(talk, responses=2)
        assert outputs(talk)[0].startswith("Error: ValueError: progress has 2001 characters")
        assert len(talk.items("system")) == 100
    assert len([event for event in talk.events if isinstance(event, ToolProgress)]) == 150


async def test_progress_after_the_end_is_told_to_nobody(begin: Begin) -> None:
    seen: list[bool] = []

    @tool(timeout=0.05)
    async def late(call: Call) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(call.over)
            call.progress("done, nearly", say=True)

    async with begin(replies(calls("late"), RAIN), **with_tools(late)) as talk:
        await talk.ask()
        await answered(talk, responses=2)
        await talk.reaches("call", "stopped")
        assert seen == [True]
        assert talk.items("system") == []
    assert not [event for event in talk.events if isinstance(event, ToolProgress)]


async def test_two_tools_of_one_name_are_refused(begin: Begin) -> None:
    with pytest.raises(ConfigurationError, match="two tools are called 'look_up'"):
        async with begin(replies(RAIN), **with_tools(look_up, tool(name="look_up")(two_places))):
            pass
    with pytest.raises(ConfigurationError, match="declare the function 'own', and so does a tool"):
        async with begin(replies(RAIN), provider={"tools": [DECLARED]}, **with_tools(tool(name="own")(look_up))):
            pass
    with pytest.raises(ConfigurationError, match="a tool is made of a function, not of 3"):
        async with begin(replies(RAIN), session={"tools": [3]}):
            pass


@pytest.mark.parametrize("when", ["before the server replied by itself", "after that"])
async def test_output_that_is_in_when_the_server_replies_by_itself(begin: Begin, when: str) -> None:
    """The user speaks while the function runs. If the server's reply knows the output, no other is asked for."""
    finish = anyio.Event()

    async def work() -> str:
        await finish.wait()
        return "done"

    gate = Gate()
    script = replies([Calls(name="work"), "One moment."], [Say(text=RAIN, gate=gate, gate_ms=100)], SUN)
    async with begin(script, provider={"transcription": None}, **with_tools(work)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        await talk.speak()
        await talk.tells(UserStartedSpeaking)
        if when == "before the server replied by itself":
            finish.set()
            await talk.log.wait("conversation.item.done", 4)
            await talk.reaches("call", "answered")
        await talk.fall_silent()
        await gate.reached.wait()
        finish.set()
        await talk.reaches("call", "answered")
        gate.open()
        known = when == "before the server replied by itself"
        said = await answered(talk, responses=2 if known else 3)
        assert [message.heard_text for message in said] == ["One moment.", RAIN, SUN][: len(said)]
        await talk.time_passes(60)
        assert len(talk.sent("response.create")) == (1 if known else 2)
        assert outputs(talk) == ["done"]
