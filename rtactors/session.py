"""What an app holds: one spoken conversation, whose record equals what was heard.

Its actors are put together in `rtactors.ensemble`. A session steers nothing by itself. What only some sessions have (a
delegate, a voice, a recorder) is imported by those.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Self, Unpack
from uuid import uuid4
from weakref import WeakSet

import anyio
import anyio.lowlevel
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from msgspec.structs import replace

from rtactors import arguments, events, mail
from rtactors.actors.journal import JournalActor
from rtactors.alignment import Aligner, SpeechAligner
from rtactors.causes import causes, the_cause
from rtactors.companion import Companion, Company
from rtactors.ensemble import Ensemble
from rtactors.errors import ConfigurationError, RtactorsError, SessionClosed
from rtactors.event_stream import EventStream, EventStreams
from rtactors.events import Item, Role, Setup
from rtactors.flag import Flag
from rtactors.history import HistoryItem
from rtactors.interruption import AT_ONCE, Interruption, InterruptionRule
from rtactors.interruption_rule import RuleCompanion
from rtactors.journal.base import Journal
from rtactors.journal.recall import ledger_of
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.operations import number_of, operation_id, own_id
from rtactors.pipeline import Pipeline
from rtactors.providers.base import Capabilities, Endpoint, Provider
from rtactors.reminders import Reminders
from rtactors.reply import Reply, ReplyRecord
from rtactors.ring import Surroundings
from rtactors.session_events import CaptionEvent, ConversationEnded, FunctionCalled, Problem, SessionEvent
from rtactors.sinks.base import Sink
from rtactors.tools.runner import Runner
from rtactors.transports.base import Connect, Socket
from rtactors.wanted import Options, Tools, Wanted, WantedReply, WantedWords

if TYPE_CHECKING:
    from rtactors.delegation.companion import Delegation
    from rtactors.delegation.delegate import Delegate
    from rtactors.recording.tap import Tap
    from rtactors.voices.base import Voice


class Session(AsyncContextManagerMixin):
    """A conversation with `provider`, heard through `sink`.

    Use it with `async with`: entering connects (ConnectionFailed, ConfigurationError); leaving, also by an error or a
    cancellation, stops what is being said, lets the server know what was heard of it, and closes.

    A connection that is lost is made again as `reconnect` says, and the new server told what was heard; before the
    provider's time limit the next one takes over. A session that can't go on (the key is refused, the account empty,
    the server gone for too long, the device lost, or `reconnect` is None) plays what it has received, then cancels the
    block and raises SessionClosed or SinkLost with the cause. `history` stays readable. What a server could fill memory
    with is bounded: at one of these `bounds` the session ends with LimitReached. Every wait is one of `deadlines`.

    `interruption` says what becomes of what is being heard when the user speaks: by default it stops at once. A reply
    may have a policy of its own, and so may a message: by `set_interruption`, or by `interruption_rule`, which is asked
    for each message as it is announced (None: as its reply, else as the session); what that raises ends the session.

    A `recorder` (see `rtactors.recording`) keeps all that happens in a file. A `pipeline` (see `rtactors.pipeline`) has
    actors of your own between those of the session.

    An `aligner` says where the words of a message are in its audio (None: a SpeechAligner, see `rtactors.alignment`),
    for `captions`, and for the heard text of a message that is stopped: that ends with the `cut_mark`, here and on
    servers that are told it.

    Messages without sound are shown (`MessageShown`). With a `voice` (see `rtactors.voices`) they are spoken by it, and
    `say` needs no provider.

    `tools` are functions that the model may call, plain ones or made by `rtactors.tools.tool`, which says how they are
    run; what they give goes to the model, which is then asked to go on. Functions that the provider's own settings
    declare are left to the app:

        async for event in session.events():
            if isinstance(event, FunctionCalled):  # from rtactors.session_events
                await session.answer_call(event.call_id, look_up(event.name, event.arguments))
                await session.generate_reply()

    A `delegate` is a text agent to which the model hands work (see `rtactors.delegation`).

    With a `journal` the record outlives the process, however that ends: what the app was told (by UserSaid, AgentSaid
    and FunctionCalled, by a reply that is over, by `ask`, `add`, `remove`, `set_history` and `answer_call` returning)
    is in the journal under the session's `id`, and `Session.resume` goes on from there. Of a message that was being
    heard it has what was heard to a quarter of a second. A journal that fails ends the session with JournalFailed;
    `history` then has what the journal lacks. Entering raises JournalConflict for an id that the journal has already.
    """

    def __init__(  # noqa: PLR0913 - all but the provider go by name; it wires all actors
        self,
        provider: Provider,
        *,
        sink: Sink,
        tools: Tools = (),
        delegate: Delegate | None = None,
        interruption: Interruption = AT_ONCE,
        interruption_rule: InterruptionRule | None = None,
        aligner: Aligner | None = None,
        connect: Connect | None = None,
        reconnect: Backoff | None = Backoff(),  # noqa: B008 - immutable
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - immutable
        bounds: Bounds = Bounds(),  # noqa: B008 - immutable
        journal: Journal | None = None,
        session_id: str | None = None,
        recorder: Tap | None = None,
        pipeline: Pipeline = Pipeline(),  # noqa: B008 - immutable
        voice: Voice | None = None,
        cut_mark: str = "",
    ) -> None:
        arguments.settings(provider, sink, connect, reconnect, deadlines, bounds, interruption_rule)
        capabilities = provider.capabilities
        arguments.parts(provider, sink, journal, voice, pipeline)
        aligner = SpeechAligner() if aligner is None else arguments.aligner(aligner)
        self.provider = provider
        self.id = uuid4().hex if session_id is None else arguments.session_id(session_id)
        """Its name in the journal; a random one if it was given none."""
        self.delegate = _delegation(delegate, capabilities) if delegate is not None else None
        """What goes on with the delegate, if there is one: `stop` ends what it works on."""
        self._deadlines = deadlines
        self._bounds = bounds
        self._streams = EventStreams[SessionEvent](bounds.events)
        self._captions = EventStreams[CaptionEvent](bounds.events)
        self._failure: RtactorsError | None = None
        self._crash: Exception | None = None
        self._ended: ConversationEnded | None = None
        self._tasks: TaskGroup
        self._count = 0
        self._used = self._begun = self._open = False
        self._asked: WeakSet[ReplyRecord] = WeakSet()
        self._awaited: set[anyio.Event] = set()
        self._interruption = arguments.interruption(interruption)
        self._voiced = voice is not None
        delegating = self.delegate.calls if self.delegate else frozenset[str]()
        self._runner = Runner(tools, capabilities.functions | delegating)
        speaking = _speaking(voice) if voice else None
        rule = RuleCompanion(interruption_rule) if interruption_rule else None
        beside = (self._runner, self.delegate, speaking, rule)
        self._companions: list[Companion] = [each for each in beside if each is not None]
        self._company: anyio.CancelScope | None = None  # what the companions run in
        self._alone = Flag()  # once they have left

        connect = connect or partial(_websocket, deadlines=deadlines)
        surroundings = Surroundings(
            self._publish,
            Reminders(),
            capabilities,
            deadlines,
            bounds,
            voiced=voice is not None,
            cut_mark=arguments.text("cut_mark", cut_mark, bounds.text),
        )
        self._recorder = recorder
        self._reconnect = reconnect
        if recorder is not None:
            _check_recorder(recorder)
            surroundings = recorder.surroundings(surroundings)
            provider, connect, sink = recorder.provider(provider), recorder.connect(connect), recorder.sink(sink)
            reconnect = reconnect and recorder.reconnect(reconnect)
            journal = journal and recorder.journal(journal)
            aligner = recorder.aligner(aligner)
        self._pipeline = pipeline
        self._actors = Ensemble(
            surroundings,
            provider=provider,
            sink=sink,
            connect=connect,
            reconnect=reconnect,
            journal=journal,
            session_id=self.id,
            pipeline=pipeline,
            policy=interruption,
            aligner=aligner,
            setup=Setup(
                functions=tuple(each for companion in self._companions for each in companion.functions),
                server_acts=interruption.at_once or not capabilities.turn_settings,
            ),
            recorder=recorder,
            fail=self._fail,
            crashed=self._crashed,
        )
        self._ring = self._actors.ring
        self._journal = self._actors.journal
        self._resumes = False
        self._left: list[FunctionCalled | Problem] = []  # from before it was resumed

    @classmethod
    def resume(
        cls, journal: Journal, session_id: str, provider: Provider, *, sink: Sink, **options: Unpack[Options]
    ) -> Self:
        """A session that goes on where another one stopped, by whatever end: `async with Session.resume(...) as ...`.

        It begins with what was said, as it was heard, and tells it to the server. Of a message that was being heard the
        history has the part that the journal knows of (`interrupted`, not `confirmed`). What the user said and no
        transcript has come of is there without words. Requests for replies that were not over are forgotten: ask again.
        Function calls that were handed over and not answered are told again (see `events`). Times of before are on this
        session's clock, by the computer's: they may be negative.

        Entering raises ConfigurationError if the journal doesn't know the session, JournalDamaged, JournalFailed. A
        session object or process that still writes to it finds that out with its next record, and ends with
        JournalConflict.
        """
        arguments.journal(journal)
        session = cls(provider, sink=sink, journal=journal, session_id=session_id, **options)
        session._resumes = True
        return session

    # -- asking

    async def ask(self, text: str, **wanted: Unpack[Wanted]) -> Reply:
        """Say `text` as the user and ask for a reply. Returns its handle at once; requests wait their turn."""
        item = Item(id=self._new_id("user"), role="user", text=self._text("text", text))
        request = self._request(wanted)
        await self._record(mail.AddItem(item, then=request))
        return Reply(request.reply, self.interrupt)

    async def generate_reply(self, **wanted: Unpack[WantedReply]) -> Reply:
        """Ask for a reply to the conversation as it stands, or, with `input` and `out_of_band`, to something else.

        Returns its handle at once; requests wait their turn. While it waits another one that wants nothing in
        particular joins it: one reply answers both.
        """
        request = self._request(wanted, joins=True)
        await self._tell(request)
        return Reply(request.reply, self.interrupt)

    async def say(self, text: str, **wanted: Unpack[WantedWords]) -> Reply:
        """Say these words and no others. Returns the handle of that at once.

        The session's voice says them, if it has one and the provider could do so only by asking its model; then they
        wait for nothing but the end of what is being heard, and stand in the conversation once they were heard. A
        model that is asked (OpenAI's) may say something else, and they wait as any request does. Raises
        ConfigurationError if there is neither.
        """
        says = self.provider.capabilities.says
        if says == "never" and not self._voiced:
            raise ConfigurationError(
                f"{self.provider.name} can't say given words: give the session a voice, such as "
                "Session(..., voice=EspeakVoice()) from rtactors.voices"
            )
        arguments.words(wanted)
        if not self._text("text", text).strip():
            raise ValueError("text has to be words to say, not white space")
        request = self._request(wanted)
        if not self._voiced or says == "exactly":
            request = replace(request, options=replace(request.options, say=text))
        else:
            ours = Item(id=self._new_id("said"), role="assistant", text=text)
            request = replace(request, ours=ours)
        await self._tell(request)
        return Reply(request.reply, self.interrupt)

    async def answer_call(self, call_id: str, output: str) -> None:
        """The output of a function call (see `FunctionCalled`). It is sent once; ask for a reply when all are in."""
        await self._record(mail.AnswerCall(self._text("call_id", call_id), self._text("output", output)))

    # -- the user's voice

    async def send_audio(self, pcm: bytes) -> None:
        """The user's audio: mono PCM16 little-endian at the provider's input rate. Waits while the network is slow."""
        audio = arguments.audio(pcm)
        self._check()
        await self._actors.to_transport.put(events.AppendAudio(audio), self._bounds.input)

    def offer_audio(self, pcm: bytes) -> bool:
        """As `send_audio`, but never waits: while `Bounds.offered` pieces wait for a slow network, one more is dropped.

        Whether it was taken. For a microphone that can't be held up; who can wait loses nothing with `send_audio`.
        """
        audio = arguments.audio(pcm)
        self._check()
        return self._actors.to_transport.offer(events.AppendAudio(audio), self._bounds.offered)

    async def commit_audio(self) -> None:
        """End the user's turn by hand (for providers without turn detection). It asks for no reply.

        Returns when all of the turn has gone out: a reply that is asked for then is one to it.
        """
        self._check()
        await self._actors.to_transport.deliver(events.CommitAudio(self._new_operation()))

    async def clear_audio(self) -> None:
        """Throw away what was sent of the user's turn."""
        self._check()
        await self._ring.transport.put(events.ClearAudio(self._new_operation()))

    async def begin_turn(self) -> None:
        """The user begins to speak: their finger is on the button. For providers without turn detection.

        What was sent and not committed is thrown away. Requests wait until the turn is ended or cancelled, and
        what is being heard is interrupted, or held, or goes on, as the policy of interruption says.
        """
        await self._steer(mail.BeginTurn(self._new_id("turn")))
        await self.clear_audio()

    async def end_turn(self, **wanted: Unpack[Wanted]) -> Reply:
        """The user has finished: make an item of what they said, and ask for a reply to it. Returns its handle at once.

        If the server takes no item of it (none of it was sent, or too little), the reply fails with that as its reason.
        """
        operation, request = self._new_operation(), self._request(wanted)
        await self._tell(mail.EndTurn(operation, request.reply.id))
        await self._actors.to_transport.deliver(events.CommitAudio(operation))
        await self._tell(request)
        return Reply(request.reply, self.interrupt)

    async def cancel_turn(self) -> None:
        """Throw away what was sent of the user's turn. What the policy of interruption held goes on."""
        await self._steer(mail.CancelTurn())
        await self.clear_audio()

    # -- steering

    async def interrupt(self, reply: Reply | None = None) -> None:
        """Stop what is being said, or just one reply. Replies that wait for their turn keep it, but for that one.

        The app may always do so, whatever the policy of interruption is.
        """
        if reply is not None and not isinstance(reply, Reply):  # pyright: ignore[reportUnnecessaryIsInstance]  an app may not check types
            raise TypeError(f"only a Reply can be interrupted, or everything, not a {type(reply).__name__}")
        await self._steer(mail.StopReply(reply.id) if reply else mail.InterruptAll())

    async def pause(self) -> None:
        """Hold what is being said, to go on at the same frame, and what is yet to be said. An interruption ends it."""
        await self._steer(mail.SetPaused(paused=True))

    async def unpause(self) -> None:
        """Go on with what `pause` holds."""
        await self._steer(mail.SetPaused(paused=False))

    async def set_interruption(self, message_id: str, policy: Interruption) -> None:
        """When the user may interrupt a message that was announced (`MessageAnnounced`), from now on."""
        message_id, policy = self._text("message_id", message_id), arguments.interruption(policy)
        await self._steer(mail.SetInterruption(message_id, policy))

    # -- the record

    @property
    def agent_state(self) -> str:
        """What the agent is doing: `initializing`, `listening`, `thinking`, `speaking` or `closed`."""
        return self._actors.response.agent_state

    @property
    def history(self) -> list[HistoryItem]:
        """What was said, in the order of the conversation; of the model's messages only what was heard."""
        return self._actors.context.ledger.history()

    async def add(self, text: str, *, role: Role = "user", after: str | None = None) -> str:
        """Put a message into the conversation, behind the item `after`; gives its id.

        `""` is the front; None is the end, as is the id of an item that there is none of.
        """
        arguments.role(role)
        item = Item(id=self._new_id(role), role=role, text=self._text("text", text))
        await self._record(mail.AddItem(item, after if after is None else self._text("after", after)))
        return item.id

    async def remove(self, item_id: str) -> None:
        """Take an item out of the conversation, here and on the server."""
        await self._record(mail.RemoveItem(self._text("item_id", item_id)))

    async def set_history(self, items: Iterable[HistoryItem]) -> None:
        """Make the conversation hold these: what is not among them goes, what is new comes behind the one before it.

        What stands in it already is left alone, where it is, cut or whole; with another text it is new. What is new
        keeps its id if that was never used.
        """
        wanted = tuple(arguments.history_item(item, self._bounds.text) for item in items)
        self._count = max([self._count, *(number_of(item.id) for item in wanted)])
        await self._record(mail.SetHistory(wanted))

    def events(self) -> EventStream[SessionEvent]:
        """What happens from now on, as it happens.

        With a journal: as soon as it is written down. Of a resumed session it begins with the function calls that were
        handed over before and are not answered yet (`FunctionCalled.resumed`), on every stream.
        """
        stream = self._streams.open()
        for event in self._left:
            if isinstance(event, Problem) or event.call_id in self._actors.context.ledger.unanswered:
                stream.push(event)
        if self._ended:
            stream.push(self._ended)
            stream.close()
        return stream

    def captions(self) -> EventStream[CaptionEvent]:
        """The words of the model's messages from now on, each as it begins to be heard; ends with the session.

            async for caption in session.captions():
                if isinstance(caption, Caption):  # or CaptionsEnded, of rtactors.session_events
                    print(caption.text, end="", flush=True)

        Its words wait apart from what `events` has to tell, and so are lost (`Dropped`) by none but its own reader.
        """
        stream = self._captions.open()
        if self._ended:
            stream.close()
        return stream

    async def quiet(self) -> None:
        """Wait until nothing is being generated or heard, and the server has acknowledged all that was sent."""
        if not self._used:
            self._check_open()
        await self._until(mail.WhenSilent)

    # -- its life

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._used:
            raise SessionClosed("a session is one conversation and can be entered once: make another one")
        self._used = True
        try:
            if self._recorder:
                self._open_recorder(self._recorder)
            if self._journal:
                await self._open_journal(self._journal)
            async with anyio.create_task_group() as self._tasks:
                try:
                    self._tasks.start_soon(self._actors.run)
                    await self._actors.transport.decided.wait()
                    if self._failure:
                        raise self._failure
                    self._open = self._begun = True
                    self._company = anyio.CancelScope()
                    self._tasks.start_soon(self._keep_company, self._company)
                    yield self
                finally:
                    if self._company:
                        self._company.cancel()
                    with anyio.CancelScope(shield=True) as closing:
                        if self._open and not self._actors.stopped:  # else an actor has crashed
                            self._actors.shelter(closing)
                            self._open = False
                            await self._close()
                    self._open = False
                    self._stop()
                    self._tasks.cancel_scope.cancel()
                if self._journal and self._journal.failure:  # else the end of the block would say: all is written down
                    raise self._journal.failure
        except BaseExceptionGroup as group:
            raise the_cause(group, self._failure) from None
        finally:
            self._stop()  # if it did not come so far
            self._let_go()

    def _open_recorder(self, recorder: Tap) -> None:
        recorder.open(
            self.provider,
            self._deadlines,
            self._bounds,
            self._reconnect,
            interruption=self._interruption,
            session_id=self.id,
            journal=("resumed" if self._resumes else "begun") if self._journal else "",
            stages=self._pipeline.stages,
        )

    async def _open_journal(self, journal: JournalActor) -> None:
        past = await journal.open(resumes=self._resumes)
        ledger = ledger_of(past.records, epoch=journal.epoch)
        self._count = past.last_id
        self._actors.context.resume(ledger, past.last_id)
        for item_id in ledger.unanswered.values():
            item = ledger[item_id].item
            self._left.append(FunctionCalled(item.call_id, item.name, item.arguments, resumed=True))
        for number in past.torn:
            what = f"record {number} of session {self.id!r} was torn in the journal, and was left out"
            self._left.append(Problem(kind="other", message=what, operation=self.id))
        for event in self._left:
            journal.publish(event)

    def _let_go(self) -> None:
        """Nobody waits for a session that is over."""
        self._ended = self._how_it_ended()
        self._streams.push(self._ended)
        self._streams.close()
        self._captions.close()
        for record in self._asked:
            if not record.ended.is_set():
                failure = str(self._failure or "the session is over")
                record.resolve("failed", interrupted=False, failure=failure)
        for event in self._awaited:
            event.set()

    def _how_it_ended(self) -> ConversationEnded:
        cause = self._failure or self._crash
        if not (cause or self._begun):
            cause = sys.exception()  # why it could not begin
        if not isinstance(cause, Exception):
            return ConversationEnded("requested", "", anyio.current_time())
        lost = isinstance(cause, SessionClosed) and cause.connection_lost
        message = "; ".join(str(each) or type(each).__name__ for each in causes(cause))
        return ConversationEnded("transport_closed" if lost else "error", message, anyio.current_time())

    async def _close(self) -> None:
        """Stop what is being said, settle the record, hang up, write down; none of it for longer than its deadline."""
        self._ring.context.send(mail.FallSilent())
        with anyio.move_on_after(2 * self._deadlines.close):  # once to finish what they have begun, then to say so
            await self._alone.wait()
        with anyio.move_on_after(self._deadlines.close):
            await self.quiet()
        with anyio.move_on_after(self._deadlines.close):
            await self._actors.to_transport.passed()
        self._ring.transport.urgent(mail.CloseConnection())  # what was accepted goes out all the same
        with anyio.move_on_after(self._deadlines.close):
            await self._actors.transport.closed.wait()
        with anyio.move_on_after(self._deadlines.close):
            await self.quiet()  # everybody knows it, and what they did then stands in the record
        if self._journal:
            await self._until(mail.WhenDurable)

    async def _end_on_failure(self) -> None:
        """A session that can't go on plays what it has, or what can still be heard, then ends with the cause."""
        if not self._actors.transport.ended:  # then it is the sink that is lost, or the journal
            self._ring.context.send(mail.FallSilent())
        await self.quiet()
        if self._failure and self._open:
            raise self._failure

    async def _keep_company(self, scope: anyio.CancelScope) -> None:
        surroundings = self._actors.surroundings
        company = Company(
            self._ring.context.send,
            surroundings.publish,
            self._new_id,
            surroundings.capabilities,
            self._deadlines,
            self._bounds,
        )
        runner, *others = self._companions  # most sessions have no more than tools
        try:
            with scope:
                async with anyio.create_task_group() as tasks:
                    for companion in others:
                        tasks.start_soon(companion.run, company)
                    await runner.run(company)
        except BaseException as error:
            self._blame(error)
            raise
        finally:
            self._alone.set()

    def _fail(self, failure: RtactorsError) -> None:
        """The first cause counts."""
        if self._failure is None and self._open:
            self._tasks.start_soon(self._actors.surroundings.outside(self._end_on_failure))
        self._failure = self._failure or failure

    def _blame(self, error: BaseException) -> None:
        """What an actor or a companion raised ends the session; what it raised because that ends doesn't."""
        if isinstance(error, Exception):
            self._crash = self._crash or error

    def _crashed(self, error: BaseException) -> None:
        """An actor did: nothing of what follows counts."""
        self._blame(error)
        self._stop()

    def _stop(self) -> None:
        if self._recorder:
            self._recorder.end(self.history)
        self._actors.stop()

    def _publish(self, event: SessionEvent) -> None:
        for companion in self._companions:
            companion.hear(event)
        self._streams.push(event)
        if isinstance(event, CaptionEvent):
            self._captions.push(event)

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

    async def _record(self, message: mail.ContextMail) -> None:
        """As `_tell`, and wait until it is written down, if there is a journal."""
        await self._tell(message)
        if self._journal:
            await self._until(mail.WhenDurable)
            if self._actors.context.inbox.closed or self._journal.failure:
                raise SessionClosed(str(self._failure or "the session is over")) from self._failure

    async def _until(self, when: Callable[[anyio.Event], mail.ContextMail]) -> None:
        """Wait for something that the context actor is told to wait for, or for the session's end."""
        if self._actors.context.inbox.closed:
            return
        event = anyio.Event()
        self._awaited.add(event)
        self._ring.context.send(when(event))
        try:
            await event.wait()
        finally:
            self._awaited.discard(event)

    async def _steer(self, message: mail.ContextMail) -> None:
        """As `_tell`, but also while a session that can't go on plays what it has."""
        self._check_open()
        await self._send(message)

    async def _send(self, message: mail.ContextMail) -> None:
        self._ring.context.send(message)
        await anyio.lowlevel.checkpoint()

    def _text(self, name: str, value: str) -> str:
        return arguments.text(name, value, self._bounds.text)

    def _request(self, wanted: WantedWords, *, joins: bool = False) -> mail.RequestReply:
        if not self._actors.surroundings.capabilities.replies_on_request:
            raise ConfigurationError(
                f"{self.provider.name} can't be asked for a reply: it replies by itself to what the user says, or what "
                "is added as theirs (Session.add)"
            )
        tools = wanted.get("tools")
        rest = {name: value for name, value in wanted.items() if name != "tools"}
        request = arguments.request(ReplyRecord(self._new_id("reply")), rest, self._bounds.text, joins=joins)
        if tools is not None:
            options = replace(request.options, functions=self._runner.lend(request.reply, tools))
            request = replace(request, options=options, joins=False)
        self.provider.encode(
            events.CreateResponse(request.reply.id, request.options)
        )  # raises what it can't take: here
        self._asked.add(request.reply)
        return request

    def _new_operation(self) -> str:
        self._count += 1
        return operation_id("input", self._count)

    def _new_id(self, kind: str) -> str:
        """One that no item has, also none of a history that began in another session."""
        self._count += 1
        while (new_id := own_id(kind, self._count)) in self._actors.context.ledger:
            self._count += 1
        return new_id


def _check_recorder(recorder: object) -> None:
    from rtactors.recording.tap import Tap  # noqa: PLC0415 - most sessions have none

    arguments.instance("a recorder", recorder, Tap, 'Recorder("call.jsonl"), from rtactors.recording')


def _delegation(delegate: Delegate, capabilities: Capabilities) -> Delegation:
    from rtactors.delegation.companion import Delegation  # noqa: PLC0415 - the same

    return Delegation(delegate, capabilities)


def _speaking(voice: Voice) -> Companion:
    from rtactors.voices.speaking import Speaking  # noqa: PLC0415 - the same

    return Speaking(voice)


def _websocket(endpoint: Endpoint, *, deadlines: Deadlines) -> AbstractAsyncContextManager[Socket]:
    from rtactors.transports.websocket import connect  # noqa: PLC0415 - a library that only a real connection needs

    return connect(endpoint, open_timeout=deadlines.connect, keepalive=deadlines.keepalive)
