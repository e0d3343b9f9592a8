"""The delegation actor: hands requests to the agent, and tells the model what comes of them.

It owns the one delegation that is under way, and the task in which the agent runs. Nothing that it does holds anybody
up: whatever takes time has a task of its own.
"""

from collections import deque
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.causes import sentence_of
from rtactors.channels import Inbox
from rtactors.companion import Company, is_cancelled
from rtactors.delegation.delegate import Delegate, input_of
from rtactors.delegation.telling import ByCall, ByHandoff, Telling
from rtactors.delegation.transcript import Transcript
from rtactors.delegation.work import OUTPUT, Request, Work, text_of
from rtactors.errors import SessionClosed
from rtactors.reminders import Reminder, Reminders
from rtactors.session_events import FunctionCalled, HandoffRequested, Problem
from statecharts import delegation as chart
from statecharts.delegation import DELEGATION, DelegationEffect, DelegationEvent

GRACE_S = 1.0
"""How long the words that trail a request are collected, where it is an event that comes ahead of them (V1)."""
REMEMBERED = 1024
"""Requests whose ids are known when they come again."""


class Stop(Struct, frozen=True):
    """The app doesn't want any more what is under way."""

    reason: str


class _Due(Struct, frozen=True):
    """The time of grace of a request is over."""

    request_id: str


class _Told(Struct, frozen=True):
    """The agent has something to say. `sent` is set once that is on its way, or not wanted."""

    work: Work
    text: str
    sent: anyio.Event


class _Ended(Struct, frozen=True):
    """The agent has returned, or raised (`reason`)."""

    work: Work
    text: str
    reason: str = ""


DelegationMail: TypeAlias = FunctionCalled | HandoffRequested | Stop | _Due | _Told | _Ended


class _Asked(Struct, frozen=True):
    """A request as it came; its words may still be coming."""

    id: str
    text: str
    item_id: str = ""
    """The user's item whose words it repeats, if it does."""


class _Active:
    """The delegation that is under way."""

    __slots__ = ("asked", "due", "further", "life", "request_id", "scope", "told", "work")

    def __init__(self, request_id: str) -> None:
        self.life = DELEGATION.start(request_id)
        self.request_id = request_id  # what is to be answered
        self.asked: _Asked | None = None  # what is being collected
        self.due: Reminder | None = None
        self.further: deque[Request] = deque()  # for the agent, and not read by it
        self.work: Work | None = None
        self.scope: anyio.CancelScope | None = None  # of the agent
        self.told = False  # anything, as progress


class DelegationActor(ReactiveActor[DelegationMail]):
    """Runs until cancelled, and with it the agent. `transcript` is written by others."""

    def __init__(
        self, inbox: Inbox[DelegationMail], company: Company, delegate: Delegate, transcript: Transcript
    ) -> None:
        super().__init__(inbox, company.publish, Reminders())  # its own: the session's are part of its recording
        hands_off = company.capabilities.hands_off
        self._company = company
        self._delegate = delegate
        self._transcript = transcript
        self._overwrites = hands_off  # a further request takes the place of the one before
        self._grace = (GRACE_S if hands_off else 0) if delegate.grace is None else delegate.grace
        self._unattached = delegate.unattached if hands_off else None
        self._telling: Telling = (
            ByHandoff(company) if hands_off else ByCall(company, self._request, speak_progress=delegate.speak_progress)
        )
        self._output: Inbox[_Told | _Ended] = Inbox("delegate's output", OUTPUT)
        self._seen: dict[str, None] = {}  # ids of requests, in order
        self._active: _Active | None = None
        self._place = anyio.Lock()  # for one agent: one that is stopped may take its time
        self._tasks: TaskGroup

    @property
    def active(self) -> str | None:
        return self._active.life.id if self._active else None

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._reminders.run)
                self._tasks.start_soon(self._pass_on)
                await super().run()
        finally:
            self._output.close()

    def _request(self) -> mail.RequestReply:
        return self._company.request("what the agent said")

    async def _pass_on(self) -> None:
        """What the agent says, in order, and no faster than the network takes it."""
        while True:
            said = await self._output.receive()
            self.inbox.send(said)
            if isinstance(said, _Told):
                await said.sent.wait()

    async def leave(self) -> None:
        """The session ends: what is under way is given up, and what nobody was told goes to who wants it, once."""
        rest = self._rest()
        if self._active:
            self._fire(self._active, chart.Stopped("the conversation ended"))
        if rest and self._delegate.tail:
            try:
                await self._delegate.tail(rest)
            except Exception as error:  # noqa: BLE001 - whatever the app's code raises: the session is over
                what = f"the end of the conversation could not be handed over: {sentence_of(error)}"
                self.publish(Problem(kind="other", message=what))

    def _rest(self) -> Request | None:
        """What was asked and not read by the agent, and what was said since."""
        unread = [*self._active.further] if self._active else []
        asked = self._active.asked if self._active else None
        transcript = (*(line for request in unread for line in request.transcript), *self._transcript.take())
        words = "\n".join(filter(None, [*(request.input for request in unread), asked.text.strip() if asked else ""]))
        return Request(self.active or "", words, transcript) if words or transcript else None

    def handle(self, message: DelegationMail) -> None:
        match message:
            case FunctionCalled():
                self._on_call(message)
            case HandoffRequested():
                self._on_request(_Asked(message.handoff_id, message.text, message.item_id))
            case _Due(request_id=request_id):
                if self._active and self._active.asked and self._active.asked.id == request_id:
                    self._fire(self._active, chart.Due(blank=not self._route(self._active)))
            case _Told():
                self._on_told(message)
            case _Ended():
                self._on_ended(message)
            case Stop():
                if self._active:
                    self._fire(self._active, chart.Stopped(message.reason))

    # -- requests

    def _on_call(self, call: FunctionCalled) -> None:
        if call.name == self._delegate.silence:
            self._company.tell(mail.AnswerCall(call.call_id, ""))
        elif call.resumed:
            self._telling.lost(call.call_id)
        else:
            self._on_request(_Asked(call.call_id, input_of(call.arguments)))

    def _on_request(self, asked: _Asked) -> None:
        if asked.id in self._seen:
            return
        self._seen[asked.id] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        active = self._active
        if active is None:
            self._active = _Active(asked.id)
            self._collect(self._active, asked)
            return
        if self._overwrites:
            active.request_id = asked.id
        # What is being collected is routed now, or was blank: in either case this one takes its place.
        self._fire(active, chart.Steered(asked.id, blank=not self._route(active)), asked)

    def _collect(self, active: _Active, asked: _Asked) -> None:
        """Wait for the words that trail it."""
        if active.due:
            active.due.cancel()
        active.asked = asked
        if self._grace:
            active.due = self.remind(self._grace, _Due(asked.id))
        else:
            self.handle(_Due(asked.id))

    def _route(self, active: _Active) -> bool:
        """Put what was collected where the agent finds it, if there are any words in it."""
        asked, active.asked = active.asked, None
        if asked is None:
            return False
        if asked.item_id:
            self._transcript.told(asked.item_id, "user", asked.text)
        transcript = self._transcript.take()
        words = asked.text.strip() or "\n".join(map(str, transcript))
        if words:
            active.further.append(Request(asked.id, words, transcript))
        return bool(words)

    # -- the agent

    def _run_agent(self, active: _Active) -> None:
        active.work = Work(active.further.popleft(), active.further, self._on_progress)
        active.scope = anyio.CancelScope()
        self._tasks.start_soon(self._work, active.work, active.scope)

    async def _work(self, work: Work, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                async with self._place:
                    answer: object = await self._delegate.agent(work)
                ended = _Ended(work, text_of("the agent's answer", answer))
            except anyio.get_cancelled_exc_class():
                if is_cancelled():
                    raise
                ended = _Ended(work, "", reason="what the agent waited for was cancelled")
            except Exception as error:  # noqa: BLE001 - whatever an agent raises is told
                ended = _Ended(work, "", reason=sentence_of(error))
            finally:
                work.end()
            await self._output.put(ended)  # behind all that it said before

    async def _on_progress(self, work: Work, text: str) -> None:
        if self._output.closed:
            raise SessionClosed("the session is over: nobody can be told how the work goes")
        if text.strip() and (not work.over or self._unattached):
            await self._output.put(_Told(work, text, anyio.Event()))

    def _on_told(self, told: _Told) -> None:
        if self._active and told.work is self._active.work:
            self._fire(self._active, chart.Progressed(told.text))
        elif self._unattached:
            self._telling.progress(self._unattached, told.text)
        self._company.tell(mail.WhenSent(told.sent))

    def _on_ended(self, ended: _Ended) -> None:
        active = self._active
        if active is None or ended.work is not active.work:
            return
        if ended.reason:
            what = f"the agent failed in delegation {active.life.id}: {ended.reason}"
            self.publish(Problem(kind="other", message=what, operation=active.life.id))
            self._fire(active, chart.Raised(ended.reason))
        else:
            self._fire(active, chart.Returned(ended.text, unread=bool(active.further)))

    # -- effects

    def _fire(self, active: _Active, event: DelegationEvent, asked: _Asked | None = None) -> None:
        """`asked` is what is to be collected from now on, if anything is."""
        effects = self.fire(DELEGATION, active.life, event)
        if active.life.state in DELEGATION.final:
            self._active = None
            if active.due:
                active.due.cancel()
        for effect in effects:
            match effect:
                case chart.Collect() if asked:
                    self._collect(active, asked)
                case chart.RunAgent():
                    self._run_agent(active)
                case chart.SteerAgent() if active.work:
                    active.work.wake()
                case chart.StopAgent() if active.scope:
                    active.scope.cancel()
                case _:
                    self._tell(active, effect)

    def _tell(self, active: _Active, effect: DelegationEffect) -> None:
        """Let the model know."""
        telling, request_id = self._telling, active.request_id
        match effect:
            case chart.Acknowledge():
                telling.acknowledge(effect.request_id)
            case chart.TellProgress(text=text) if text.strip():
                active.told = True
                telling.progress(request_id, text)
            case chart.Answer(text=text) if text.strip():
                telling.answer(request_id, text)
            case chart.Answer():
                telling.conclude(request_id, told=True)
            case chart.Conclude():
                telling.conclude(request_id, told=active.told)
            case chart.TellFailure():
                telling.failed(request_id, effect.reason)
            case chart.GiveUp():
                telling.given_up(request_id, effect.reason)
            case _:
                pass
