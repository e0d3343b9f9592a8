"""Stages between the actors: where they stand, what they may do, and how they end."""

import gc
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any, TypeVar
from weakref import WeakSet

import anyio
import pytest
from anyio.lowlevel import checkpoint
from msgspec.structs import replace

from rtactors import ConfigurationError, Session, events, mail
from rtactors.actor import Actor
from rtactors.channels import Inbox
from rtactors.limits import Bounds
from rtactors.loopback.script import replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.pipeline import MessagePlace, Pipeline, Place, Stage
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder
from rtactors.session_events import AgentSaid, ConversationEnded, MessageText
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, loop_passes, real_backends, run_virtual
from rtactors.testing.conversation import AT_ONCE, Conversation, conversation, speech
from rtactors.testing.replay import replay
from statecharts.message import ChatMessage
from tests.recording.recorded import TWO, asked, interrupted, read
from tests.recording.recorded import lines as events_of
from tests.scenarios.by_hand import MESSAGE, ServerByHand
from tests.scenarios.conftest import begin

T = TypeVar("T")

pytestmark = pytest.mark.anyio
backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])

EVERYWHERE = Pipeline(
    transport=(Stage[mail.TransportMail],) * 2,
    turn=(Stage[mail.TurnMail],) * 2,
    response=(Stage[mail.ResponseMail],) * 2,
    message=(Stage[mail.MessageMail],) * 2,
    sink=(Stage[mail.SinkMail],) * 2,
    context=(Stage[mail.ContextMail],) * 2,
)
__all__ = ["begin"]  # a fixture

LIMIT = "Your session hit the maximum duration of 60 minutes."


class Noting(Stage[T]):
    """Notes what it hears, and passes it on."""

    def __init__(self, place: Place[T], notes: list[tuple[str, T]], name: str = "") -> None:
        super().__init__(place)
        self._notes = notes
        self._name = name

    def handle(self, message: T) -> None:
        self._notes.append((self._name, message))
        self.pass_on(message)


class Deaf(Stage[T]):
    """Passes nothing on."""

    def handle(self, message: T) -> None:
        pass


class Holding(Stage[T]):
    """Keeps what is of one type."""

    def __init__(self, place: Place[T], what: type) -> None:
        super().__init__(place)
        self._what = what

    def handle(self, message: T) -> None:
        if not isinstance(message, self._what):
            self.pass_on(message)


class Failing(Stage[T]):
    def handle(self, message: T) -> None:  # noqa: ARG002 - as the base
        raise ZeroDivisionError("a stage's own mistake")


# ---------------------------------------------------------------------------------------------------- where they stand


async def test_the_first_is_the_nearest_to_the_senders(begin: Callable[..., Any]) -> None:
    notes: list[tuple[str, mail.ContextMail]] = []
    stages = (partial(Noting, notes=notes, name="first"), partial(Noting, notes=notes, name="second"))
    async with begin(TWO, session={"pipeline": Pipeline(context=stages)}) as talk:
        await asked(talk)
    heard = [[message for name, message in notes if name == which] for which in ("first", "second")]
    assert heard[0] == heard[1]
    said = [name for name, message in notes if isinstance(message, ChatMessage)]
    assert said == ["first", "second", "first", "second"]


@pytest.mark.parametrize("scene", [asked, interrupted])
async def test_stages_that_pass_everything_on_change_nothing(
    begin: Callable[..., Any], scene: Callable[[Conversation], Awaitable[None]]
) -> None:
    """And all invariants hold, as after every conversation."""
    async with begin(TWO) as without:
        await scene(without)
    async with begin(TWO, session={"pipeline": EVERYWHERE}) as talk:
        await scene(talk)
    assert [(item.role, item.heard_text, item.heard_ms) for item in talk.session.history] == [
        (item.role, item.heard_text, item.heard_ms) for item in without.session.history
    ]


async def test_a_message_has_stages_of_its_own(begin: Callable[..., Any]) -> None:
    places: list[MessagePlace] = []

    def note(place: MessagePlace) -> Actor[mail.MessageMail]:
        places.append(place)
        return Stage(place)

    async with begin(TWO, session={"pipeline": Pipeline(message=(note,))}) as talk:
        await asked(talk)
    ids = [item.id for item in talk.said()]
    assert [place.announced.item.id for place in places] == ids
    assert [place.inbox.name for place in places] == [f"note before message {id}" for id in ids]
    assert [place.onward.name for place in places] == [f"message {id}" for id in ids]


async def test_what_a_stage_changes_is_what_is_shown_and_recorded() -> None:
    class Louder(Stage[mail.MessageMail]):
        def handle(self, message: mail.MessageMail) -> None:
            match message:
                case events.TextDelta() | events.TextDone():
                    self.pass_on(replace(message, text=message.text.upper()))
                case _:
                    self.pass_on(message)

    async with MemoryServer(TWO, voice=ToneVoice()) as server:
        provider, pipeline = OpenAIRealtime(api_key=""), Pipeline(message=(Louder,))
        async with Session(provider, sink=MemorySink(), connect=server.connect, pipeline=pipeline) as session:
            news = session.events()
            said = await (await session.generate_reply()).done()
        shown = "".join([event.text async for event in news if isinstance(event, MessageText)])
    assert [item.heard_text for item in said] == ["THE FIRST MESSAGE.", "THE SECOND, WHICH IS A BIT LONGER."]
    assert shown == "THE FIRST MESSAGE.THE SECOND, WHICH IS A BIT LONGER."


async def test_a_stage_speaks_to_the_others_as_actors_do(begin: Callable[..., Any]) -> None:
    class Impatient(Stage[mail.MessageMail]):
        """Lets nothing be heard to its end."""

        def __init__(self, place: MessagePlace) -> None:
            super().__init__(place)
            self._ring = place.ring

        def handle(self, message: mail.MessageMail) -> None:
            self.pass_on(message)
            if isinstance(message, mail.SegmentStarted | events.AudioDone):
                self._ring.context.send(mail.InterruptAll())

    async with begin(TWO, session={"pipeline": Pipeline(message=(Impatient,))}) as talk:
        reply = await talk.ask()
        await reply.done()
        assert reply.interrupted
        assert talk.session.history[1:] == []


# ---------------------------------------------------------------------------------------------------- the urgent lane


async def test_what_was_urgent_stays_so() -> None:
    inbox, onward = Inbox[str]("stage", 8), Inbox[str]("behind", 8)
    session = Session(OpenAIRealtime(api_key=""), sink=MemorySink())
    stage = Stage(Place(inbox, onward, session._actors.ring, session._actors.surroundings))  # pyright: ignore[reportPrivateUsage]  nobody else has them
    for message in ("a", "b"):
        inbox.send(message)
    inbox.urgent("u")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.run)
        await anyio.wait_all_tasks_blocked()
        inbox.urgent("v")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert [await onward.receive() for _ in range(4)] == ["u", "v", "a", "b"]
    assert inbox.closed


def test_control_overtakes_audio_through_stages_too() -> None:
    """Counted in passes of the event loop: one for each that stands in the way, also with 10 s of audio before it."""

    async def passes(pieces: int) -> int:
        begun = stopped = 0

        class Watch(Stage[T]):
            def handle(self, message: T) -> None:
                nonlocal begun, stopped
                if isinstance(message, events.SpeechStarted):
                    begun = loop_passes()
                if isinstance(message, mail.ClearSegment):
                    stopped = loop_passes()
                self.pass_on(message)

        server = ServerByHand()
        pipeline = Pipeline(turn=(Watch[mail.TurnMail],), message=(Stage, Stage), sink=(Watch[mail.SinkMail],))
        session = Session(
            OpenAIRealtime(api_key=""), sink=MemorySink(hold=True), connect=server.connect, pipeline=pipeline
        )
        async with session:
            await session.generate_reply()
            await server.begin(await server.receive("response.create"))
            await server.announce(MESSAGE)
            await anyio.sleep(0.1)
            for _ in range(pieces):
                await server.speak(20)
            await server.say("input_audio_buffer.speech_started", item_id="item_user", audio_start_ms=0)
            await anyio.sleep(0.1)
            assert begun
            return stopped - begun

    to_the_sink = 6  # from the turn actor's stage: turn, response, two stages, message, the sink's stage
    assert run_virtual(passes, 1) <= to_the_sink
    assert run_virtual(passes, 500) <= to_the_sink


# ---------------------------------------------------------------------------------------------------- to the transport


class Gated(Stage[mail.TransportMail]):
    """Takes nothing before the gate opens, and then one after the other."""

    def __init__(self, place: Place[mail.TransportMail], gate: anyio.Event) -> None:
        super().__init__(place)
        self._gate = gate

    async def run(self) -> None:
        await self._gate.wait()
        while True:
            self.pass_on(await self.inbox.receive())
            await checkpoint()


def appended(talk: Conversation) -> int:
    return len(talk.sent("input_audio_buffer.append"))


async def test_a_slow_network_holds_up_the_app_through_stages() -> None:
    """Nothing piles up between them."""
    gate, accepted, bounds = anyio.Event(), 0, Bounds(input=10, offered=10)
    pipeline = Pipeline(transport=(Stage, partial(Gated, gate=gate)))
    async with conversation(TWO, bounds=bounds, session={"pipeline": pipeline}) as talk:

        async def speak() -> None:
            nonlocal accepted
            for _ in range(100):
                await talk.session.send_audio(speech(20))
                accepted += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)
            await anyio.wait_all_tasks_blocked()
            assert accepted <= bounds.input + len(pipeline.transport)
            assert not talk.session.offer_audio(speech(20))
            gate.set()
    assert appended(talk) == accepted == 100


async def test_what_was_accepted_goes_out_though_the_session_closes() -> None:
    gate = anyio.Event()

    async def open_later() -> None:
        await anyio.sleep(1)
        gate.set()

    async with anyio.create_task_group() as tasks:
        pipeline = Pipeline(transport=(Stage, partial(Gated, gate=gate)))
        async with conversation(TWO, session={"pipeline": pipeline}) as talk:
            for _ in range(20):
                await talk.session.send_audio(speech(20))
            tasks.start_soon(open_later)
        assert appended(talk) == 20


async def test_a_reply_is_asked_for_behind_the_turn_that_was_committed(begin: Callable[..., Any]) -> None:
    options = {"provider": {"turn_detection": None}, "session": {"pipeline": Pipeline(transport=(Stage, Stage))}}
    async with begin(TWO, **options) as talk:
        talk.sink.play_all()
        for _ in range(50):
            await talk.session.send_audio(speech(20))
        await talk.session.commit_audio()
        await (await talk.generate_reply()).done()
        types = [record.type for record in talk.log.received]
    assert types.index("input_audio_buffer.commit") < types.index("response.create")


async def test_a_turn_by_hand_goes_the_same_way(begin: Callable[..., Any]) -> None:
    options = {"provider": {"turn_detection": None}, "session": {"pipeline": EVERYWHERE}}
    async with begin(TWO, **options) as talk:
        talk.sink.play_all()
        await talk.session.begin_turn()
        for _ in range(50):
            await talk.session.send_audio(speech(20))
        await (await talk.session.end_turn()).done()
        (turn,) = talk.items("user")
        assert turn.audio_ms == 1000


# ---------------------------------------------------------------------------------------------------- how they end


@pytest.mark.parametrize("place", Pipeline.__struct_fields__)
async def test_a_stage_that_crashes_ends_the_session_with_the_cause(begin: Callable[..., Any], place: str) -> None:
    talks: list[Conversation] = []

    async def converse() -> None:
        async with begin(TWO, session={"pipeline": Pipeline(**{place: (Failing,)})}) as talk:
            talks.append(talk)
            await asked(talk)

    with pytest.raises(ZeroDivisionError, match="a stage's own mistake"):
        await converse()
    (ended,) = [event async for event in talks[0].session.events()]
    assert isinstance(ended, ConversationEnded)
    assert (ended.reason, ended.message) == ("error", "a stage's own mistake")


async def test_one_that_ends_by_itself_does_too(begin: Callable[..., Any]) -> None:
    class Short(Stage[T]):
        def handle(self, message: T) -> None:
            self.pass_on(message)
            self.ended = isinstance(message, mail.AddItem)

    with pytest.raises(RuntimeError, match=r"^Short before context ended, and nothing can pass it any more"):
        async with begin(TWO, session={"pipeline": Pipeline(context=(Short,))}) as talk:
            await asked(talk)


async def test_one_that_cannot_be_made_does_too(begin: Callable[..., Any]) -> None:
    def broken(place: MessagePlace) -> Actor[mail.MessageMail]:
        raise ZeroDivisionError(place.inbox.name)

    with pytest.raises(ZeroDivisionError, match=r"^broken before message item_"):
        async with begin(TWO, session={"pipeline": Pipeline(message=(broken,))}) as talk:
            await asked(talk)


async def test_stages_end_with_their_message() -> None:
    """Of two hundred messages nothing is left, to the very one: no task, no stage."""
    alive: WeakSet[object] = WeakSet()

    class Counted(Stage[mail.MessageMail]):
        def __init__(self, place: MessagePlace) -> None:
            super().__init__(place)
            alive.add(self)

    script = replies(*[["A.", "B.", "C.", "D."]] * 50)
    async with conversation(script, session={"pipeline": Pipeline(message=(Counted, Counted))}) as talk:
        talk.sink.play_all()
        await (await talk.ask()).done()
        await talk.session.quiet()
        tasks = len(anyio.get_running_tasks())
        for _ in range(49):
            await (await talk.session.generate_reply()).done()
        await talk.session.quiet()
        gc.collect()
        assert (len(talk.said()), len(alive), len(anyio.get_running_tasks())) == (200, 0, tasks)


@pytest.mark.parametrize("place", Pipeline.__struct_fields__)
async def test_closing_ends_whatever_is_held_back(place: str) -> None:
    """Each step of it has its deadline, and no task is left (which the conversation looks for)."""
    server = ServerByHand()
    provider = OpenAIRealtime(api_key="")
    pipeline = Pipeline(**{place: (Deaf,)})
    with anyio.fail_after(30):
        async with Session(provider, sink=MemorySink(), connect=server.connect, pipeline=pipeline) as session:
            await session.generate_reply()
            await server.say("response.created", response={"id": "resp_1", "status": "in_progress"})
            await server.announce(MESSAGE)
            await server.speak(100)
            await anyio.sleep(1)
    for _ in range(10):
        await checkpoint()
    assert not [task for task in anyio.get_running_tasks() if "actor" in (task.name or "")]


async def test_closing_waits_until_everybody_knows_of_it() -> None:
    """The server never ends what it began, so what becomes of it is known only when there is no server any more."""
    server = ServerByHand()
    provider, pipeline = OpenAIRealtime(api_key=""), Pipeline(response=(Stage,) * 20)
    async with Session(provider, sink=PacedSink(), connect=server.connect, pipeline=pipeline) as session:
        reply = await session.generate_reply()
        await server.begin(await server.receive("response.create"))
        await server.announce(MESSAGE)
        await server.speak(5000)
        await anyio.sleep(0.5)
    assert (reply.status, reply.interrupted) == ("cancelled", True)


async def test_an_interruption_ends_a_message_that_is_held_back(begin: Callable[..., Any]) -> None:
    pipeline = Pipeline(message=(partial(Holding, what=mail.TakeFloor),))
    async with begin(TWO, session={"pipeline": pipeline}) as talk:
        reply = await talk.ask()
        await reply.started()
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.session.quiet()
        assert reply.interrupted
        assert (talk.said(), talk.held()) == ([], [])


async def test_a_connection_that_is_lost_before_all_know_of_it() -> None:
    """Its end reaches the response actor before its beginning, which comes by the context actor."""
    async with conversation(TWO, reconnect=AT_ONCE, session={"pipeline": Pipeline(context=(Stage, Stage))}) as talk:
        talk.sink.play_all()
        await talk.wire.close(1001, LIMIT)
        reply = await talk.ask()
        assert len(await reply.done()) == 2


# ---------------------------------------------------------------------------------------------------- asking outside


class Judged(Stage[mail.ContextMail]):
    """Asks about each reply that is wanted before it passes it on."""

    def __init__(self, place: Place[mail.ContextMail], judge: Callable[[], Awaitable[object]]) -> None:
        super().__init__(place)
        self._judge = judge

    def handle(self, message: mail.ContextMail) -> None:
        if isinstance(message, mail.AddItem):
            self.ask(self._judge, partial(self._on_verdict, message))
        else:
            self.pass_on(message)

    def _on_verdict(self, message: mail.AddItem, verdict: object) -> None:
        self.pass_on(replace(message, item=replace(message.item, text=f"{message.item.text} {verdict}")), urgent=False)


def judging(judge: Callable[[], Awaitable[object]]) -> Pipeline:
    return Pipeline(context=(partial(Judged, judge=judge),))


async def test_a_stage_goes_on_while_it_waits_for_an_answer(begin: Callable[..., Any]) -> None:
    asked_for, answer = anyio.Event(), anyio.Event()

    async def judge() -> str:
        asked_for.set()
        await answer.wait()
        return "(fine)"

    async with begin(TWO, session={"pipeline": judging(judge)}) as talk:
        talk.sink.play_all()
        reply = await talk.ask("May I?")
        await asked_for.wait()
        await talk.session.add("By the way.", role="system")
        answer.set()
        await reply.done()
        assert talk.session.history[0].heard_text == "May I? (fine)"


async def test_what_is_asked_ends_with_the_stage() -> None:
    cancelled = False

    async def judge() -> None:
        nonlocal cancelled
        try:
            await anyio.sleep_forever()
        finally:
            cancelled = True

    async with conversation(TWO, session={"pipeline": judging(judge)}) as talk:
        await talk.session.add("May I?")
        await anyio.sleep(1)
    assert cancelled


async def test_a_question_that_fails_ends_the_session(begin: Callable[..., Any]) -> None:
    async def judge() -> None:
        raise ZeroDivisionError("no judge today")

    with pytest.raises(ZeroDivisionError, match="no judge today"):
        async with begin(TWO, session={"pipeline": judging(judge)}) as talk:
            await asked(talk)


# ---------------------------------------------------------------------------------------------------- replay


def recorded(pipeline: Pipeline, backend: BackendName, scene: Callable[[Conversation], Awaitable[None]]) -> bytes:
    file = BytesIO()

    async def run() -> None:
        async with conversation(TWO, recorder=Recorder(file), session={"pipeline": pipeline}) as talk:
            await scene(talk)

    run_virtual(run, backend=backend, seed=1)
    return file.getvalue()


@backends
@pytest.mark.parametrize("scene", [asked, interrupted])
def test_a_session_with_stages_can_be_replayed(
    backend: BackendName, scene: Callable[[Conversation], Awaitable[None]]
) -> None:
    data = recorded(EVERYWHERE, backend, scene)
    assert read(data).header.stages == EVERYWHERE.stages
    history = replay(read(data), pipeline=EVERYWHERE)
    assert [item.id for item in history] == [item["id"] for item in events_of(data)[-1]["history"]]


@backends
def test_a_replay_asks_nobody(backend: BackendName) -> None:
    times = 0

    async def judge() -> dict[str, object]:
        nonlocal times
        times += 1
        await anyio.sleep(0.5)
        return {"fine": True, "why": ["luck"]}

    data = recorded(judging(judge), backend, asked)
    replay(read(data), pipeline=judging(judge))
    assert times == 1


@backends
def test_a_crash_of_a_stage_happens_again(backend: BackendName) -> None:
    async def judge() -> None:
        raise ZeroDivisionError("no judge today")

    file = BytesIO()

    async def run() -> None:
        async with conversation(TWO, recorder=Recorder(file), session={"pipeline": judging(judge)}) as talk:
            await asked(talk)

    with pytest.raises(ZeroDivisionError, match="no judge today"):
        run_virtual(run, backend=backend, seed=1)
    data = file.getvalue()
    assert [event["who"] for event in events_of(data) if event["kind"] == "crashed"] == ["Judged before context"]
    replay(read(data), pipeline=judging(judge))


@pytest.mark.parametrize("given", [Pipeline(), Pipeline(context=(Stage,))])
def test_a_replay_needs_the_same_stages(given: Pipeline) -> None:
    data = recorded(Pipeline(message=(Stage, Stage)), "asyncio", asked)
    what = r"of a session with Stage before message, Stage 2 before message in its pipeline, .*replay\(file, pipeline="
    with pytest.raises(ConfigurationError, match=what):
        replay(read(data), pipeline=given)


# ---------------------------------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"message": Stage}, r"Pipeline\(message=...\) is a tuple of what makes stages, such as \(Stage,\), not Stage"),
        ({"context": [Stage]}, r"Pipeline\(context=...\) is a tuple of what makes stages, .* not \[<class"),
        ({"sink": ("Stage",)}, r"Pipeline\(sink=...\) holds what makes a stage, such as its class, not 'Stage'"),
    ],
)
def test_a_pipeline_of_something_else(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        Pipeline(**wrong)


def session_with(pipeline: Any) -> Session:
    return Session(OpenAIRealtime(api_key=""), sink=MemorySink(), pipeline=pipeline)


def test_a_session_with_something_else() -> None:
    with pytest.raises(TypeError, match=r"a pipeline is made by Pipeline\(message=\(...,\), ...\), it is not .*Stage"):
        session_with(Stage)


def test_a_stage_that_is_none() -> None:
    def nothing(_place: Place[mail.SinkMail]) -> Any:
        return None

    with pytest.raises(TypeError, match=r"nothing before sink: <function .*nothing.*> gave None, not an actor"):
        session_with(Pipeline(sink=(nothing,)))


def test_a_stage_with_another_inbox() -> None:
    def elsewhere(place: Place[mail.SinkMail]) -> Actor[mail.SinkMail]:
        return Stage(replace(place, inbox=Inbox("elsewhere", 1)))

    with pytest.raises(TypeError, match=r"elsewhere before sink: .* with another inbox than that of its place: call"):
        session_with(Pipeline(sink=(elsewhere,)))


def test_names_tell_them_apart() -> None:
    pipeline = Pipeline(message=(Stage, partial(Noting, notes=[]), Stage, lambda _place: Stage(_place)))  # noqa: PLW0108 - what has no name
    assert pipeline.names("message item_1") == (
        "Stage before message item_1",
        "Noting before message item_1",
        "Stage 2 before message item_1",
        "stage before message item_1",
        "message item_1",
    )
    assert pipeline.names("context") == ("context",)


async def test_who_does_not_keep_up_is_named() -> None:
    class Stuck(Stage[T]):
        async def run(self) -> None:
            await anyio.sleep_forever()

    bounds = Bounds(inbox=20)
    with pytest.raises(Exception, match=r"the Stuck before message item_.* actor does not keep up: 20 messages wait"):
        async with conversation(TWO, bounds=bounds, session={"pipeline": Pipeline(message=(Stuck,))}) as talk:
            await asked(talk)


async def test_what_is_said_is_told_as_a_stage_left_it() -> None:
    """The app's own stage before the record sees what the app asks for, too."""
    seen: list[tuple[str, mail.ContextMail]] = []
    async with conversation(TWO, session={"pipeline": Pipeline(context=(partial(Noting, notes=seen),))}) as talk:
        await talk.session.add("One thing.")
        await asked(talk)
        assert await talk.tells(AgentSaid)
    assert next(message.item.text for _, message in seen if isinstance(message, mail.AddItem)) == "One thing."
