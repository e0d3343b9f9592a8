"""What an app holds: one spoken conversation, whose record equals what was heard.

A session wires the five actors to one another in one task group. It steers nothing by itself.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Self, cast
from weakref import WeakSet

import anyio
import anyio.lowlevel
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup

from rtactors import arguments, events, mail
from rtactors.actor import Actor
from rtactors.actors.context import ContextActor
from rtactors.actors.response import ResponseActor
from rtactors.actors.sink import SinkActor
from rtactors.actors.transport import TransportActor
from rtactors.channels import Inbox
from rtactors.errors import ConfigurationError, RtactorsError, SessionClosed
from rtactors.event_stream import EventStream
from rtactors.events import Item, Role
from rtactors.history import HistoryItem
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.operations import operation_id
from rtactors.providers.base import Endpoint, Provider
from rtactors.reminders import Reminders
from rtactors.reply import Reply, ReplyRecord
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import SessionEvent
from rtactors.sinks.base import Sink
from rtactors.transports.base import Connect, Socket


class Session(AsyncContextManagerMixin):
    """A conversation with `provider`, heard through `sink`.

    Use it with `async with`: entering connects (ConnectionFailed, ConfigurationError); leaving, also by an error or a
    cancellation, stops what is being said, lets the server know what was heard of it, and closes.

    A connection that is lost is made again as `reconnect` says, and the new server told what was heard; before the
    provider's time limit the next one takes over. A session that can't go on (the key is refused, the account empty,
    the server gone for too long, the device lost, or `reconnect` is None) plays what it has received, then cancels the
    block and raises SessionClosed or SinkLost with the cause. `history` stays readable.

    An agent with a function to call, given to the provider as one of its `tools`:

        async for event in session.events():
            if isinstance(event, FunctionCalled):  # from rtactors.session_events
                await session.answer_call(event.call_id, look_up(event.name, event.arguments))
                await session.generate_reply()
    """

    def __init__(  # noqa: PLR0913 - all but the provider go by name
        self,
        provider: Provider,
        *,
        sink: Sink,
        connect: Connect | None = None,
        reconnect: Backoff | None = Backoff(),  # noqa: B008 - immutable
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - immutable
        bounds: Bounds = Bounds(),  # noqa: B008 - immutable
    ) -> None:
        capabilities = provider.capabilities
        if sink.rate != capabilities.output_rate:
            raise ConfigurationError(
                f"{provider.name} sends audio at {capabilities.output_rate} Hz, but the sink plays at {sink.rate} Hz: "
                f"make the sink with rate={capabilities.output_rate}"
            )
        self.provider = provider
        self._deadlines = deadlines
        self._bounds = bounds
        self._streams: WeakSet[EventStream] = WeakSet()  # one that nobody reads any more is gone
        self._failure: RtactorsError | None = None
        self._failed = anyio.Event()
        self._tasks: TaskGroup
        self._count = 0
        self._brought: set[str] = set()  # ids that look like ours, in histories of other sessions
        self._open = False
        self._used = False
        self._over = False
        self._reminders = Reminders()
        self._asked: WeakSet[ReplyRecord] = WeakSet()
        self._awaited: set[anyio.Event] = set()
        self._scopes: set[anyio.CancelScope] = set()  # what the actors run in

        ring = Ring(
            transport=Inbox("transport", bounds.commands),
            response=Inbox("response", bounds.inbox),
            sink=Inbox("sink", bounds.inbox),
            context=Inbox("context", bounds.inbox),
        )
        surroundings = Surroundings(self._publish, self._reminders, capabilities, deadlines, bounds)
        self._transport = TransportActor(
            ring,
            surroundings,
            provider=provider,
            connect=connect or partial(_websocket, open_timeout=deadlines.connect),
            reconnect=reconnect,
            fail=self._fail,
        )
        self._response = ResponseActor(ring, surroundings, spawn=self._start)
        self._context = ContextActor(ring, surroundings)
        self._sink = SinkActor(ring, surroundings, sink=sink, fail=self._fail)

    # -- asking

    async def ask(self, text: str, *, instructions: str | None = None) -> Reply:
        """Say `text` as the user and ask for a reply. Returns its handle at once; requests wait their turn."""
        item = Item(id=self._new_id("user"), role="user", text=self._text("text", text))
        request = self._request(instructions)
        await self._tell(mail.AddItem(item, then=request))
        return Reply(request.reply)

    async def generate_reply(self, *, instructions: str | None = None) -> Reply:
        """Ask for a reply to the conversation as it stands. `instructions` replace the session's for this one."""
        request = self._request(instructions)
        await self._tell(request)
        return Reply(request.reply)

    async def answer_call(self, call_id: str, output: str) -> None:
        """The output of a function call (see `FunctionCalled`). It is sent once; ask for a reply when all are in."""
        await self._tell(mail.AnswerCall(self._text("call_id", call_id), self._text("output", output)))

    # -- the user's voice

    async def send_audio(self, pcm: bytes) -> None:
        """The user's audio: mono PCM16 little-endian at the provider's input rate. Waits while the network is slow."""
        audio = arguments.audio(pcm)
        self._check()
        await self._transport.inbox.put(events.AppendAudio(audio), self._bounds.input)

    async def commit_audio(self) -> None:
        """End the user's turn by hand (for providers without turn detection). It asks for no reply.

        Returns when all of the turn has gone out: a reply that is asked for then is one to it.
        """
        self._check()
        await self._transport.inbox.deliver(events.CommitAudio(self._new_operation()))

    async def clear_audio(self) -> None:
        """Throw away what was sent of the user's turn."""
        self._check()
        await self._transport.inbox.put(events.ClearAudio(self._new_operation()))

    # -- steering

    async def interrupt(self, reply: Reply | None = None) -> None:
        """Stop what is being said, or just one reply. Replies that wait for their turn keep it, but for that one."""
        if reply is not None and not isinstance(reply, Reply):  # pyright: ignore[reportUnnecessaryIsInstance]  an app may not check types
            raise TypeError(f"only a Reply can be interrupted, or everything, not a {type(reply).__name__}")
        await self._steer(mail.StopReply(reply.id) if reply else mail.InterruptAll())

    async def pause(self) -> None:
        """Hold what is being said, to go on at the same frame, and what is yet to be said. An interruption ends it."""
        await self._steer(mail.SetPaused(paused=True))

    async def resume(self) -> None:
        await self._steer(mail.SetPaused(paused=False))

    # -- the record

    @property
    def history(self) -> list[HistoryItem]:
        """What was said, in the order of the conversation; of the model's messages only what was heard."""
        return self._context.ledger.history()

    async def add(self, text: str, *, role: Role = "user", after: str | None = None) -> str:
        """Put a message into the conversation, behind the item `after`; gives its id.

        `""` is the front; None is the end, as is the id of an item that there is none of.
        """
        arguments.role(role)
        item = Item(id=self._new_id(role), role=role, text=self._text("text", text))
        await self._tell(mail.AddItem(item, after if after is None else self._text("after", after)))
        return item.id

    async def remove(self, item_id: str) -> None:
        """Take an item out of the conversation, here and on the server."""
        await self._tell(mail.RemoveItem(self._text("item_id", item_id)))

    async def set_history(self, items: Iterable[HistoryItem]) -> None:
        """Make the conversation hold these: what is not among them goes, what is new comes behind the one before it.

        What stands in it already is left alone, where it is, cut or whole; with another text it is new. What is new
        keeps its id if that was never used.
        """
        wanted = tuple(arguments.history_item(item, self._bounds.text) for item in items)
        self._brought.update(item.id for item in wanted if item.id.startswith("rt_"))
        await self._tell(mail.SetHistory(wanted))

    def events(self) -> EventStream:
        """What happens from now on, as it happens."""
        stream = EventStream(self._bounds.events)
        self._streams.add(stream)
        if self._over:
            stream.close()
        return stream

    async def quiet(self) -> None:
        """Wait until nothing is being generated or heard, and the server has acknowledged all that was sent."""
        if self._context.inbox.closed:
            return
        quiet = anyio.Event()
        self._awaited.add(quiet)
        self._context.inbox.send(mail.WhenSilent(quiet))
        try:
            await quiet.wait()
        finally:
            self._awaited.discard(quiet)

    # -- its life

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._used:
            raise SessionClosed("a session is one conversation and can be entered once: make another one")
        self._used = True
        try:
            async with anyio.create_task_group() as self._tasks:
                try:
                    self._run(self._reminders.run, "reminders")
                    for actor in (self._sink, self._context, self._response, self._transport):
                        self._start(actor)
                    await self._transport.decided.wait()
                    if self._failure:
                        raise self._failure
                    self._tasks.start_soon(self._end_on_failure)
                    self._open = True
                    yield self
                finally:
                    with anyio.CancelScope(shield=True) as closing:
                        if self._open and self._scopes:  # else an actor has crashed
                            self._scopes.add(closing)
                            self._open = False
                            await self._close()
                    self._open = False
                    self._stop()
                    self._tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _cause(group) from None
        finally:
            self._over = True
            self._let_go()

    def _let_go(self) -> None:
        """Nobody waits for a session that is over."""
        for stream in self._streams:
            stream.close()
        for record in self._asked:
            if not record.ended.is_set():
                failure = str(self._failure or "the session is over")
                record.resolve("failed", interrupted=False, failure=failure)
        for quiet in self._awaited:
            quiet.set()

    async def _close(self) -> None:
        """Stop what is being said, settle the record, hang up; none of it for longer than its deadline."""
        self._context.inbox.send(mail.FallSilent())
        with anyio.move_on_after(self._deadlines.close):
            await self.quiet()
        self._transport.inbox.send(mail.CloseConnection())
        with anyio.move_on_after(self._deadlines.close):
            await self._transport.closed.wait()

    async def _end_on_failure(self) -> None:
        """A session that can't go on plays what it has, or what can still be heard, then ends with the cause."""
        await self._failed.wait()
        if not self._transport.ended:  # then it is the sink that is lost
            self._context.inbox.send(mail.FallSilent())
        await self.quiet()
        if self._failure and self._open:
            raise self._failure

    def _fail(self, failure: RtactorsError) -> None:
        """The first cause counts."""
        self._failure = self._failure or failure
        self._failed.set()

    def _start(self, actor: Actor[Any]) -> None:
        self._run(actor.run, f"{actor.inbox.name} actor")

    def _run(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        self._tasks.start_soon(self._shielded, run, name=name)

    async def _shielded(self, run: Callable[[], Awaitable[None]]) -> None:
        """What outlives the cancellation of the block, until the record is settled; its own crash ends all."""
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            try:
                await run()
            except BaseException:
                self._stop()
                raise
            finally:
                self._scopes.discard(scope)

    def _stop(self) -> None:
        for scope in self._scopes:
            scope.cancel()
        self._scopes = set()

    def _publish(self, event: SessionEvent) -> None:
        for stream in self._streams:
            stream.push(event)

    def _check(self) -> None:
        if self._failure:
            raise SessionClosed(str(self._failure)) from self._failure
        self._check_open()

    def _check_open(self) -> None:
        if not self._open:
            raise SessionClosed("the session is not open: use it inside `async with`")

    async def _tell(self, message: mail.ContextMail) -> None:
        self._check()
        await self._send(message)

    async def _steer(self, message: mail.Steering) -> None:
        """As `_tell`, but also while a session that can't go on plays what it has."""
        self._check_open()
        await self._send(message)

    async def _send(self, message: mail.ContextMail) -> None:
        self._context.inbox.send(message)
        await anyio.lowlevel.checkpoint()

    def _text(self, name: str, value: str) -> str:
        return arguments.text(name, value, self._bounds.text)

    def _request(self, instructions: str | None) -> mail.RequestReply:
        if instructions is not None:
            self._text("instructions", instructions)
        record = ReplyRecord(self._new_id("reply"))
        self._asked.add(record)
        return mail.RequestReply(record, instructions)

    def _new_operation(self) -> str:
        self._count += 1
        return operation_id("input", self._count)

    def _new_id(self, kind: str) -> str:
        """One that no item has, also none of a history that began in another session."""
        self._count += 1
        while (new_id := f"rt_{kind}_{self._count}") in self._context.ledger or new_id in self._brought:
            self._count += 1
        return new_id


def _websocket(endpoint: Endpoint, *, open_timeout: float) -> AbstractAsyncContextManager[Socket]:
    from rtactors.transports.websocket import connect  # noqa: PLC0415 - a library that only a real connection needs

    return connect(endpoint, open_timeout=open_timeout)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error in nested groups, so that `except SessionClosed` works; the group itself if there are several.

    Cancellations don't count, and neither does it when the session, which ended for its own reason, said so to an app
    that went on using it.
    """
    errors = [error for error in _leaves(group) if not isinstance(error, anyio.get_cancelled_exc_class())]
    causes = [error for error in errors if not (isinstance(error, SessionClosed) and error.__cause__ in errors)]
    return causes[0] if len(causes) == 1 else group


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(member)
    else:
        yield error
