"""I12: what was recorded happens again, the same every time; and what does not is found, and told."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Any

import anyio
import pytest
from msgspec import json

from rtactors import ConfigurationError, ConnectionFailed, HistoryItem, SessionClosed, SinkLost
from rtactors.actors import message as message_actor
from rtactors.events import Item
from rtactors.interruption import NEVER, ON_WORDS, Interruption
from rtactors.limits import Backoff
from rtactors.loopback.faults import ALWAYS, Faults, drop, ignore
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Call, Reply, Say, Timing, replies
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.recording import Recorder, lines
from rtactors.session import Session
from rtactors.session_events import FunctionCalled, MessageAnnounced
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import AT_ONCE, Conversation, conversation, speech
from rtactors.testing.faulty_sink import FaultySink
from rtactors.testing.replay import Differs, Moment, replay
from rtactors.transports.base import Socket
from statecharts.chart import Chart
from statecharts.message import MESSAGE
from tests.recording.recorded import TWO, asked, changed, crashed, interrupted, read, record
from tests.recording.recorded import lines as events_of

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])


def history_of(data: bytes) -> list[dict[str, Any]]:
    return events_of(data)[-1]["history"]


def differs(data: bytes, **options: Any) -> Differs:
    with pytest.raises(Differs) as caught:
        replay(read(data), **options)
    return caught.value


# --------------------------------------------------------------------------------------------------------- the same


@backends
@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("scene", [interrupted, asked])
def test_the_same_comes_of_it(
    backend: BackendName, scene: Callable[[Conversation], Awaitable[None]], *, audio: bool
) -> None:
    data = record(scene, backend=backend, audio=audio)
    history = replay(read(data))
    assert [item.id for item in history] == [item["id"] for item in history_of(data)]
    assert [item.heard_ms for item in history] == [item.get("heard_ms", 0) for item in history_of(data)]
    assert replay(read(data)) == history


@backends
def test_with_calls_a_changed_history_and_pauses(backend: BackendName) -> None:
    async def scene(talk: Conversation) -> None:
        await talk.ask()
        call = await talk.tells(FunctionCalled)
        await talk.session.answer_call(call.call_id, "42")
        await talk.sink.play(200)
        await talk.session.pause()
        await talk.session.unpause()
        await talk.generate_reply()
        talk.sink.play_all()
        await talk.session.quiet()
        kept = [item for item in talk.session.history if item.role != "user"]
        talk.removed.update(item.id for item in talk.session.history if item not in kept)
        await talk.session.set_history([*kept, HistoryItem(id="", role="system", heard_text="Be brief.")])
        await talk.session.add("One more thing.", after="")
        await talk.session.quiet()

    outputs = (Say(text="Let me see."), Call(name="look_up", arguments='{"what": "it"}'))
    replay(read(record(scene, lambda turn: Reply(outputs=outputs if not turn.index else outputs[:1]), backend=backend)))


@backends
def test_with_all_that_can_be_wanted_of_a_reply(backend: BackendName) -> None:
    async def scene(talk: Conversation) -> None:
        talk.sink.play_all()
        await talk.ask(priority=2, timeout=9.0, interruption=NEVER, tool_choice="none", metadata={"a": "b"})
        joined = [await talk.generate_reply() for _ in range(2)]
        aside = [Item(id="", role="user", text="Well?")]
        await (await talk.session.generate_reply(input=aside, out_of_band=True, max_output_tokens=9)).done()
        await joined[1].done()
        await talk.session.quiet()

    data = record(scene, replies("One.", "Two.", "Three."), backend=backend)
    assert [item["heard_text"] for item in history_of(data) if item["role"] == "assistant"] == ["One.", "Three."]
    replay(read(data))


@backends
def test_with_deadlines_that_pass(backend: BackendName) -> None:
    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await talk.sink.play(300)
        await talk.session.interrupt()
        await talk.session.quiet()

    deaf = Faults(drop("conversation.item.truncated", times=ALWAYS))
    data = record(scene, backend=backend, faults=deaf)
    assert any(event["who"] == "reminders" and event["kind"] == "sent" for event in events_of(data))
    replay(read(data))


@backends
def test_a_server_that_hangs_up(backend: BackendName) -> None:
    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await talk.sink.play(300)
        await talk.wire.close(1011, "keepalive")
        talk.sink.play_all()
        await anyio.sleep_forever()

    replay(read(record(scene, backend=backend, raises=SessionClosed, reconnect=None)))


@backends
def test_a_connection_that_is_lost_and_made_again(backend: BackendName) -> None:
    """With pauses that are drawn, and attempts that fail."""

    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await talk.sink.play(300)
        await talk.wire.close(1011, "keepalive")
        talk.sink.play_all()
        await talk.connected(2)
        await talk.session.quiet()

    def out_of_order(connection: int) -> HTTPStatus | None:
        return HTTPStatus.SERVICE_UNAVAILABLE if 1 < connection < 5 else None

    data = record(scene, backend=backend, reconnect=Backoff(), admit=out_of_order)
    seen = [event["value"] for event in events_of(data) if event["kind"] == "seen"]
    assert len(set(seen)) == len(seen) > 3
    tried = [event for event in events_of(data) if event["kind"] == "socket" and event["call"] == "connect"]
    assert ["error" in event for event in tried] == [False, True, True, True, False]
    replay(read(data))


@backends
def test_connections_that_are_lost_at_any_moment(backend: BackendName) -> None:
    """In any order of turns: the transport has several tasks, and the recording knows which one went first."""
    for number in range(6):
        chance = random.Random(number)

        async def scene(talk: Conversation, chance: random.Random = chance) -> None:
            await talk.ask()
            for _ in range(3):
                await anyio.sleep(chance.random() * 2)
                await talk.wire.close(1011, "keepalive")
                await talk.session.send_audio(bytes(chance.randrange(2, 2000, 2)))
                await talk.ask("And then?")
            await talk.session.quiet()

        options: dict[str, Any] = {
            "sink": PacedSink(),
            "provider": {"turn_detection": None},
            "timing": Timing(delta_ms=100),
        }
        luck = chance.choice([AT_ONCE, Backoff(luck=chance.random), Backoff(luck=lambda: 0.0)])
        replay(read(record(scene, backend=backend, seed=number, reconnect=luck, **options)))


@backends
def test_a_time_limit_that_is_met(backend: BackendName) -> None:
    """The next connection takes over at a moment that the transport actor waits for."""

    async def scene(talk: Conversation) -> None:
        talk.sink.play_all()
        await (await talk.ask()).done()
        await anyio.sleep(1200)
        await (await talk.ask()).done()
        await talk.session.quiet()

    data = record(scene, backend=backend, session_limit_s=1200, provider={"turn_detection": None})
    assert {"begun", "awaited", "seen"} <= {event["kind"] for event in events_of(data)}
    replay(read(data))


@backends
def test_a_device_that_goes_away(backend: BackendName) -> None:
    device = FaultySink(PacedSink())

    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await anyio.sleep(1)
        device.lose()
        await anyio.sleep_forever()

    replay(read(record(scene, backend=backend, sink=device, raises=SinkLost)))


@backends
def test_a_crash(backend: BackendName) -> None:
    data = crashed(backend)
    [failed] = [event for event in events_of(data) if event["kind"] == "device" and "error" in event]
    crash, over = events_of(data)[-2:]
    assert (failed["call"], failed["error"]["type"]) == ("finish", "OSError")
    assert (crash["kind"], crash["who"], over["kind"]) == ("crashed", "sink", "over")
    assert crash["errors"] == [failed["error"]]
    replay(read(data))


@backends
def test_a_device_that_ends_by_itself(backend: BackendName) -> None:
    class Short(MemorySink):
        async def run(self, report: Any) -> None:
            with anyio.move_on_after(1):
                await super().run(report)

    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await anyio.sleep_forever()

    data = record(scene, backend=backend, sink=Short(), raises=SinkLost)
    assert any(event["kind"] == "device" and event["call"] == "stopped" for event in events_of(data))
    replay(read(data))


@backends
@pytest.mark.parametrize("failure", [ConnectionFailed("nobody is there", retryable=True), TimeoutError("too late")])
def test_no_connection(backend: BackendName, failure: Exception) -> None:
    @asynccontextmanager
    async def refuse(_endpoint: Endpoint) -> AsyncGenerator[Socket]:
        await anyio.sleep(1)
        raise failure
        yield

    file = BytesIO()

    async def run() -> None:
        async with Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=refuse, recorder=Recorder(file)):
            pass

    with pytest.raises(type(failure)):
        run_virtual(run, backend=backend, seed=1)
    assert any(
        event["kind"] == "socket" and event["error"]["message"] == str(failure) for event in events_of(file.getvalue())
    )
    assert replay(read(file.getvalue())) == []


@backends
def test_a_server_that_never_answers(backend: BackendName) -> None:
    """A timer of the transport's own ends it."""

    class Silent:
        async def receive(self) -> str:
            await anyio.sleep_forever()
            return ""

        async def send(self, frame: object) -> None: ...

        async def close(self, code: int = 1000, reason: str = "") -> None: ...

    @asynccontextmanager
    async def connect(_endpoint: Endpoint) -> AsyncGenerator[Socket]:
        yield Silent()

    file = BytesIO()

    async def run() -> None:
        async with Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=connect, recorder=Recorder(file)):
            pass

    with pytest.raises(ConnectionFailed):
        run_virtual(run, backend=backend, seed=1)
    assert any(event["kind"] == "cancelled" for event in events_of(file.getvalue()))
    replay(read(file.getvalue()))


def test_settings_that_are_refused() -> None:
    file = BytesIO()
    provider = OpenAIRealtime(base_url="nonsense")

    async def run() -> None:
        async with Session(provider, sink=MemorySink(), recorder=Recorder(file)):
            pass

    with pytest.raises(ConfigurationError):
        run_virtual(run)
    [asked_for] = [event for event in events_of(file.getvalue()) if event["kind"] == "provider"]
    assert asked_for["error"]["type"] == "ConfigurationError"
    replay(read(file.getvalue()))


@pytest.mark.sockets
@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
def test_real_time(backend: BackendName) -> None:
    file = BytesIO()

    async def run() -> None:
        options: dict[str, Any] = {"sockets": True, "sink": PacedSink(), "timing": Timing(delta_ms=100), "slack_ms": 5}
        async with conversation(TWO, recorder=Recorder(file), **options) as talk:
            reply = await talk.ask()
            await reply.started()
            await talk.reaches("message", "playing")
            await talk.speak()
            await talk.session.quiet()

    anyio.run(run, backend=backend)
    times = [event["at"] for event in events_of(file.getvalue())]
    assert len(set(times)) > len(times) / 2  # it went by while things happened
    replay(read(file.getvalue()))


# -------------------------------------------------------------------------------------------------------- differences


def test_another_effect_is_told_to_the_field() -> None:
    def change(events: list[dict[str, Any]]) -> None:
        [truncate] = [
            effect
            for event in events
            for effect in event.get("event", {}).get("effects", ())
            if effect["type"] == "Truncate"
        ]
        truncate["heard_ms"] += 1

    told = differs(changed(record(), change)).difference
    assert told.who.startswith("message item_")
    assert told.field == "event.effects[0].heard_ms"
    assert int(told.expected) == int(told.got) + 1
    assert f"event {told.n} ({told.who}, event.effects[0].heard_ms)" in str(told)


def test_another_report_of_the_device_has_other_effects() -> None:
    def change(events: list[dict[str, Any]]) -> None:
        finished = [event for event in events if event.get("mail", {}).get("type") == "Finished"]
        finished[1]["mail"]["confirmed"] = False

    told = differs(changed(record(), change)).difference
    assert (told.who, told.field) == ("sink", "mail.confirmed")


def test_another_frame_has_other_effects() -> None:
    def change(events: list[dict[str, Any]]) -> None:
        frame = next(event for event in events if event.get("frame", {}).get("type") == "response.created")["frame"]
        frame["response"]["id"] = "resp_other"

    told = differs(changed(record(), change)).difference
    assert (told.who, told.field, told.got) == ("transport", "mail.response_id", '"resp_other"')


def test_what_is_done_instead_is_told() -> None:
    def change(events: list[dict[str, Any]]) -> None:
        shown = next(event for event in events if event.get("event", {}).get("type") == "AgentStartedSpeaking")
        shown["event"] = {"type": "Unhandled", "name": "nothing"}

    told = differs(changed(record(), change)).difference
    assert told.expected == "response shows Unhandled(name=nothing)"
    assert told.got.startswith("response shows AgentStartedSpeaking(")


def test_what_is_not_done_is_told() -> None:
    """The recording says that an actor took something which nobody sends it any more."""

    def change(events: list[dict[str, Any]]) -> None:
        for number, event in enumerate(events):
            if event["kind"] == "sent" and event["who"] == "app":
                events.insert(number, {**event, "kind": "taken", "who": "sink", "sent": 1})
                break
        for number, event in enumerate(events, 1):
            event["n"] = number

    told = differs(changed(record(), change)).difference
    assert (told.who, told.got) == ("sink", "nothing happens")


def test_another_history_is_told() -> None:
    def change(events: list[dict[str, Any]]) -> None:
        events[-1]["history"][0]["heard_text"] = "Nobody said so."

    assert differs(changed(record(), change)).difference.field == "history[0].heard_text"


def test_other_deadlines_are_told() -> None:
    header, rest = record().split(b"\n", 1)
    changed_header = json.decode(header)
    changed_header["deadlines"]["acknowledge"] += 1
    told = differs(json.encode(changed_header) + b"\n" + rest).difference
    assert (told.field, told.expected, told.got) == ("seconds", "5.0", "6.0")


def test_a_changed_chart_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = record()
    replay(read(data))
    edges = [edge._replace(effects=edge.effects[1:]) if edge.target == "partial" else edge for edge in MESSAGE.edges]
    states = {state: prose for state, prose in MESSAGE.states.items() if state not in MESSAGE.final}
    final = {state: MESSAGE.states[state] for state in MESSAGE.final}
    tampered = Chart("message", states=states, final=final, edges=edges, ignored=MESSAGE.ignored)
    monkeypatch.setattr(message_actor, "MESSAGE", tampered)
    told = differs(data).difference
    assert told.field == "event.effects"
    assert "Truncate" in told.expected
    assert "Truncate" not in told.got


def test_an_actor_that_crashes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    data = record()

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(message_actor.MessageActor, "_on_text", fail)
    assert differs(data).difference.got.endswith("(because of RuntimeError: out of order)")


# ------------------------------------------------------------------------------------------------- parts of recordings


def test_a_recording_without_an_end_is_replayed_as_far_as_it_goes() -> None:
    data = record()
    ends = [index for index, byte in enumerate(data) if byte == ord("\n")]
    for end in range(ends[0] + 1, len(data), len(data) // 60):
        recording = read(data[:end])
        assert recording.torn == (end - 1 not in ends)
        seen: list[int] = []
        replay(recording, after=lambda moment, seen=seen: seen.append(moment.recorded.event.n))
        assert len(seen) == len(recording.events)


def test_each_moment_shows_how_things_stand() -> None:
    data = record(asked)
    numbers: list[int] = []
    states: set[str] = set()
    heard: list[str] = []

    def look(moment: Moment) -> None:
        numbers.append(moment.recorded.event.n)
        states.update(state for (chart, _), state in moment.lives.items() if chart == "message")
        if isinstance(moment.recorded.event, lines.Over):
            heard.extend(item.heard_text for item in moment.history() if item.role == "assistant")

    replay(read(data), after=look)
    assert numbers == list(range(1, len(events_of(data)) + 1))
    assert states == {"pending", "playing", "full"}
    assert heard == ["The first message.", "The second, which is a bit longer."]


def test_what_the_watcher_raises_leaves_as_it_was() -> None:
    class Enough(Exception):
        pass

    def look(moment: Moment) -> None:
        if moment.recorded.event.n > 50:
            raise Enough

    with pytest.raises(Enough):
        replay(read(record()), after=look)


def test_an_unknown_provider_has_to_be_given() -> None:
    data = record().replace(b'"provider":"openai"', b'"provider":"other"', 1)
    with pytest.raises(
        ConfigurationError, match="recorded with the provider 'other', which does not come with rtactors"
    ):
        replay(read(data))
    replay(read(data), provider=OpenAIRealtime(api_key=""))


def test_mail_that_there_is_none_of_is_told() -> None:
    data = record().replace(b'{"type":"AddItem"', b'{"type":"AddEverything"', 1)
    with pytest.raises(ConfigurationError, match=r"event \d+ can't be replayed: to context: AddEverything"):
        replay(read(data))


def test_a_deaf_server() -> None:
    """What the client repeats, it repeats in a replay."""

    async def scene(talk: Conversation) -> None:
        await talk.ask()
        await talk.sink.play(300)
        await talk.session.interrupt()
        await anyio.sleep(30)

    with pytest.raises(AssertionError):  # the server keeps too much
        record(scene, faults=Faults(ignore("conversation.item.truncate", times=ALWAYS)))


# ------------------------------------------------------------------------------------------------------------ turns


async def false_alarm(talk: Conversation) -> None:
    reply = await talk.ask()
    await talk.sink.play(300)
    await talk.speak()
    await talk.reaches("message", "paused")
    await talk.fall_silent()
    await talk.reaches("interruption", "dismissed")
    talk.sink.play_all()
    await reply.done()
    await talk.session.quiet()


async def never(talk: Conversation) -> None:
    """One reply, by its own policy: the server is told, and told back."""
    reply = await talk.ask(interruption=NEVER)
    await talk.sink.play(300)
    await talk.speak()
    await talk.fall_silent()
    talk.sink.play_all()
    await reply.done()
    await talk.session.quiet()


async def pushed(talk: Conversation) -> None:
    await talk.session.begin_turn()
    await talk.session.send_audio(speech(200))
    reply = await talk.session.end_turn()
    talk.sink.play_all()
    await reply.done()
    await talk.session.begin_turn()
    await talk.session.cancel_turn()
    await talk.session.quiet()


def rule(announced: MessageAnnounced) -> Interruption | None:
    return NEVER if announced.message_id else None


@backends
@pytest.mark.parametrize(
    ("scene", "options"),
    [
        (false_alarm, {"session": {"interruption": ON_WORDS}, "recognizer": Scripted("")}),
        (never, {"recognizer": Scripted("Stop!")}),
        (never, {"recognizer": Scripted("Stop!"), "obeys_turn_settings": False}),
        (never, {"recognizer": Scripted("Stop!"), "session": {"interruption_rule": rule}}),
        (pushed, {"provider": {"turn_detection": None}}),
    ],
    ids=["false alarm", "never", "disobeyed", "by a rule", "by hand"],
)
def test_turns_happen_again_without_the_app(
    backend: BackendName, scene: Callable[[Conversation], Awaitable[None]], options: dict[str, Any]
) -> None:
    """The policy is in the recording, and what a rule of the app's decided."""
    data = record(scene, replies("First.", "Second.", "Third."), backend=backend, **options)
    header = read(data).header
    assert header.interruption == options.get("session", {}).get("interruption", Interruption())
    replay(read(data))


def test_a_recording_of_before_there_were_policies_is_read() -> None:
    first, _, rest = record().partition(b"\n")
    header = json.decode(first)
    del header["interruption"]
    assert read(json.encode(header) + b"\n" + rest).header.interruption == Interruption()
