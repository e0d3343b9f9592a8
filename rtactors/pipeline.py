"""Pipelines: actors of one's own between the actors of a session.

A *stage* stands in an actor's place: it hears what was meant for that actor and passes it on, as it is or changed, now
or later, more of it or less. Nobody else can tell: an actor knows of another only the inbox.

    class Quiet(Stage[mail.MessageMail]):
        def handle(self, message: mail.MessageMail) -> None:
            if isinstance(message, events.AudioDelta):
                message = replace(message, audio=halved(message.audio))
            self.pass_on(message)

    Session(provider, sink=sink, pipeline=Pipeline(message=(Quiet,)))

What a stage may and may not do stands in docs/pipelines.md.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar, cast

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from rtactors import events, mail
from rtactors.actor import Actor, ReactiveActor
from rtactors.channels import Inbox
from rtactors.ring import Ring, Run, Surroundings

T = TypeVar("T")
AnswerT = TypeVar("AnswerT")


class Place(Struct, Generic[T], frozen=True):
    """Where a stage stands."""

    inbox: Inbox[T]
    """Its own."""
    onward: Inbox[T]
    """The next stage's, or that of the actor which the stage stands before."""
    ring: Ring
    """The inboxes of the session's actors, as these know them: of those with stages, that of the first."""
    surroundings: Surroundings


class MessagePlace(Place[mail.MessageMail], frozen=True):
    """Before one message. A stage is made for each, when it is announced, and ends with it."""

    announced: events.OutputStarted
    """Which message of which response it is."""


Factory: TypeAlias = Callable[[Place[T]], Actor[T]]
"""Makes a stage for a place: the class of one, or anything that gives one."""


class Pipeline(Struct, frozen=True, kw_only=True):
    """The stages before each kind of actor; of several, the first is the nearest to the senders."""

    transport: tuple[Factory[mail.TransportMail], ...] = ()
    """Before what is sent to the provider: commands, the user's audio."""
    turn: tuple[Factory[mail.TurnMail], ...] = ()
    """Before what decides whether the user interrupts: the user's speech and words, what the server says of responses,
    and what the app asks for."""
    response: tuple[Factory[mail.ResponseMail], ...] = ()
    """Before what decides about replies and the floor."""
    message: tuple[Callable[[MessagePlace], Actor[mail.MessageMail]], ...] = ()
    """Before each of the model's messages: its audio and text, its turn to be heard, and interruptions."""
    transcript: tuple[Factory[mail.TranscriptMail], ...] = ()
    """Before what tells which words were heard: text, audio, and what the sink reports."""
    sink: tuple[Factory[mail.SinkMail], ...] = ()
    """Before what gives messages the audio device. (Their audio goes from the message straight to the device.)"""
    context: tuple[Factory[mail.ContextMail], ...] = ()
    """Before what keeps the record: what was said, heard, called and answered; and what the app asks for."""

    def __post_init__(self) -> None:
        for place in self.__struct_fields__:
            stages: object = getattr(self, place)
            if not isinstance(stages, tuple):
                what = f"Pipeline({place}=...) is a tuple of what makes stages, such as ({_name(stages)},)"
                raise TypeError(f"{what}, not {_told(stages)}")
            for stage in cast("tuple[object, ...]", stages):
                if not callable(stage):
                    what = f"Pipeline({place}=...) holds what makes a stage, such as its class"
                    raise TypeError(f"{what}, not {_told(stage)}")

    def names(self, actor: str) -> tuple[str, ...]:
        """What the inboxes on the way to `actor` (`"context"`, `"message item_1"`) are called; its own is the last."""
        stages: tuple[object, ...] = getattr(self, actor.partition(" ")[0])
        seen = Counter[str]()
        names: list[str] = []
        for stage in map(_name, stages):
            seen[stage] += 1
            names.append(f"{stage} {seen[stage]}" if seen[stage] > 1 else stage)
        return *(f"{name} before {actor}" for name in names), actor

    @property
    def stages(self) -> tuple[str, ...]:
        """All of them, by name."""
        return tuple(name for place in self.__struct_fields__ for name in self.names(place)[:-1])


class Stage(ReactiveActor[T]):
    """A stage that handles one message after the other: change `handle`. It ends with what it stands before."""

    def __init__(self, place: Place[T]) -> None:
        super().__init__(place.inbox, place.surroundings.publish, place.surroundings.reminders)
        self._onward = place.onward
        self._outside = place.surroundings.outside
        self._asked: dict[int, Callable[[Any], None]] = {}
        self._failures: dict[int, Exception] = {}
        self._questions = 0
        self._tasks: TaskGroup

    def handle(self, message: T) -> None:
        """React to one message, by `pass_on` if it is to arrive."""
        self.pass_on(message)

    def pass_on(self, message: T, *, urgent: bool | None = None) -> None:
        """Tell the next one; in the lane by which that came which is being handled, if `urgent` doesn't say which."""
        if self.inbox.was_urgent if urgent is None else urgent:
            self._onward.urgent(message)
        else:
            self._onward.send(message)

    def ask(self, question: Callable[[], Awaitable[AnswerT]], then: Callable[[AnswerT], None]) -> None:
        """Await something outside of the session, while the stage goes on; `then` handles the answer.

        The answer is what a recording can hold: text, numbers, booleans, None, lists and dicts of these. In a replay
        nobody is asked: the answer is the recorded one. An exception ends the session, as in `handle`.
        """
        self._questions += 1
        self._asked[self._questions] = then
        self._tasks.start_soon(self._outside(partial(self._find_out, self._questions, question)))

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                while not self.ended:
                    message: T | mail.Answer = await self.inbox.receive()
                    if isinstance(message, mail.Answer):
                        self._on_answer(message)
                    else:
                        self.handle(message)
                self._tasks.cancel_scope.cancel()
        finally:
            self.inbox.close()

    async def _find_out(self, number: int, question: Callable[[], Awaitable[object]]) -> None:
        try:
            answer = mail.Answer(number, await question())
        except Exception as error:  # noqa: BLE001 - the stage raises it, in its own turn
            self._failures[number] = error
            answer = mail.Answer(number, failure=f"{type(error).__name__}: {error}")
        cast("Inbox[mail.Answer]", self.inbox).urgent(answer)

    def _on_answer(self, answer: mail.Answer) -> None:
        then = self._asked.pop(answer.question)
        if answer.failure:
            raise self._failures.pop(answer.question, None) or _error(answer.failure)
        then(answer.value)


class Line(Generic[T]):
    """The way to one actor: the inboxes of the stages before it, then its own."""

    def __init__(self, inboxes: Sequence[Inbox[T]], factories: Sequence[Callable[[Any], Actor[T]]]) -> None:
        self.first, self.own = inboxes[0], inboxes[-1]
        self._inboxes = inboxes
        self._factories = factories

    def build(self, place: Callable[[Inbox[T], Inbox[T]], Place[T]]) -> list[Actor[T]]:
        """Make the stages; a `place` is made of the inbox of one and the next. Raises TypeError if one is no stage."""
        stages: list[Actor[T]] = []
        for factory, inbox, onward in zip(self._factories, self._inboxes, self._inboxes[1:], strict=False):
            stage = factory(place(inbox, onward))
            _check(stage, factory, inbox)
            stages.append(stage)
        return stages

    async def put(self, message: T, most: int) -> None:
        """`Inbox.put`; however many inboxes there are, in none of them more than `most` wait."""
        for inbox in reversed(self._inboxes):
            await inbox.room(most)
        self.first.send(message)

    def offer(self, message: T, most: int) -> bool:
        """`Inbox.offer`, likewise."""
        return all(inbox.has_room(most) for inbox in self._inboxes) and self.first.offer(message, most)

    async def deliver(self, message: T) -> None:
        """`Inbox.deliver`, to the actor itself if the stages pass it on at once."""
        await self.first.put(message)
        for inbox in self._inboxes:
            await inbox.taken()

    async def passed(self) -> None:
        """Wait until the stages have taken all that waits for them now."""
        for inbox in self._inboxes[:-1]:
            await inbox.taken()


async def run_behind(stages: Sequence[Run], run: Run) -> None:
    """Let an actor run, and its stages as long as it does."""
    async with anyio.create_task_group() as tasks:
        for stage in stages:
            tasks.start_soon(stage)
        await run()
        tasks.cancel_scope.cancel()


async def run_on(stage: Actor[Any]) -> None:
    """Let a stage run until it is cancelled. Raises RuntimeError if it ends by itself."""
    await stage.run()
    name = stage.inbox.name
    raise RuntimeError(f"{name} ended, and nothing can pass it any more: a stage has to live as long as what is behind")


def _check(stage: object, factory: object, inbox: Inbox[Any]) -> None:
    if not isinstance(stage, Actor):
        raise TypeError(f"{inbox.name}: {_told(factory)} gave {_told(stage)}, not an actor such as a Stage")
    if cast("Actor[Any]", stage).inbox is not inbox:
        what = f"{inbox.name}: {_told(factory)} gave an actor with another inbox than that of its place"
        raise TypeError(f"{what}: call super().__init__(place)")


def _error(failure: str) -> Exception:
    """One like that which was recorded."""
    name, _, message = failure.partition(": ")
    return type(name, (Exception,), {})(message)


def _name(factory: object) -> str:
    """Of the class or function, also where arguments were added to it."""
    while isinstance(factory, partial):
        factory = cast("partial[object]", factory).func
    name: str = getattr(factory, "__name__", type(factory).__name__)
    return name if name.isidentifier() else "stage"


def _told(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
