"""The delegate of a session: hears what is said, hands requests to the agent, and tells the model what comes of them.

It is a companion: beside the ring, and talking back as an app does. It owns the active transcript, the one delegation
that is under way, and the task in which the agent runs. Nothing that it does holds anybody up: it hears in passing, and
whatever takes time has a task of its own.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec import Struct

from rtactors import mail
from rtactors.causes import causes
from rtactors.channels import Inbox
from rtactors.companion import Companion, Company
from rtactors.delegation.telling import ByCall, ByHandoff, Telling
from rtactors.delegation.transcript import Transcript
from rtactors.delegation.work import OUTPUT, Agent, Request, Work
from rtactors.events import Function
from rtactors.providers.base import Capabilities
from rtactors.session_events import (
    AgentSaid,
    FunctionCalled,
    HandoffRequested,
    MessageAnnounced,
    MessageText,
    Problem,
    SessionEvent,
    Transition,
    UserSaid,
    UserStartedSpeaking,
    UserTranscript,
)
from statecharts import delegation as chart
from statecharts.chart import Life
from statecharts.delegation import DELEGATION, DelegationEvent

GRACE_S = 1.0
"""How long the words that trail a request are collected, where it is an event that comes ahead of them (V1)."""
REMEMBERED = 1024
"""Requests whose ids are known when they come again."""
_INBOX = 1024
"""Requests and news of the agent that wait for their turn: they are handled at once."""

_KEYS = ("input_transcript", "input", "text", "prompt", "query")
"""The arguments that may hold what is asked: the first that isn't blank does."""
_DESCRIPTION = (
    "Hand work to the background agent, who can do what you can't: look things up, plan, calculate, act. Also hand it "
    "whatever the user adds or changes while it works. It answers later; until then tell the user that it is under way."
)
_PROMPT = "What the user wants, in full, with all that the agent has to know."
_SILENCE = "Call this if nothing should be said now, such as when the user speaks to somebody else."

Tail: TypeAlias = Callable[[Request], Awaitable[None]]


class Delegate(Struct, frozen=True, kw_only=True):
    """Who does the work that a speech model hands over: `Session(..., delegate=Delegate(agent=plan))`.

    `agent` is any async function from a `Work` to the answer: `async def plan(work: Work) -> str`. One works at a time;
    what is asked meanwhile steers it. An actor is one by `rtactors.delegation.by_actor`.
    """

    agent: Agent
    grace: float | None = None
    """Seconds in which the words that trail a request are collected, before the agent has it; 0: none. Left out, it is
    1 for providers that announce requests ahead of their words (V1), 0 for function calls (V2)."""
    name: str = "background_agent"
    """Of the function by which work is handed over (V2)."""
    description: str = _DESCRIPTION
    """What the model is told of it."""
    silence: str | None = "remain_silent"
    """The name of the function by which the model says that nothing is to be said (V2); None: there is none."""
    speak_progress: bool = False
    """Ask for a reply to each progress (V2). Otherwise the model has it for when it speaks next."""
    unattached: str | None = None
    """Under which id to tell what comes when no request is open any more (V1; the Codex app takes `codex`); None: it is
    dropped."""
    tail: Tail | None = None
    """Is given what nobody was told when the session ends: the words since the last request, and what was asked and not
    handed over yet. It has `Deadlines.close` for that. None: nothing is run after the end."""


class _Due(Struct, frozen=True):
    """The time of grace of what was collected `number`th is over."""

    number: int


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


class _Stop(Struct, frozen=True):
    reason: str


class _Asked(Struct, frozen=True):
    """A request as it came; its words may still be coming."""

    id: str
    text: str
    item_id: str = ""
    """The user's item that it repeats the words of, if it does."""


class _Active:
    """The delegation that is under way."""

    def __init__(self, asked: _Asked) -> None:
        self.life: Life = DELEGATION.start(asked.id)
        self.request_id = asked.id
        """What is to be answered."""
        self.asked: _Asked | None = asked  # what is being collected
        self.further: deque[Request] = deque()  # for the agent, and not read by it
        self.work: Work | None = None
        self.scope: anyio.CancelScope | None = None  # of the agent
        self.told = False  # anything, as progress


class DelegateActor(Companion):
    """What an app has of it: `stop`, and what is under way (`active`)."""

    def __init__(self, delegate: Delegate, capabilities: Capabilities) -> None:
        self.functions = () if capabilities.hands_off else _functions(delegate, capabilities.functions)
        self._delegate = delegate
        self._by_handoff = capabilities.hands_off
        self._grace = delegate.grace if delegate.grace is not None else GRACE_S if capabilities.hands_off else 0.0
        self._inbox: Inbox[FunctionCalled | HandoffRequested | _Due | _Told | _Ended | _Stop] = Inbox("delegate", _INBOX)
        self._output: Inbox[_Told | _Ended] = Inbox("delegate's output", OUTPUT)
        self._transcript = Transcript()
        self._seen: dict[str, None] = {}  # ids of requests, in order
        self._active: _Active | None = None
        self._last_id = ""  # of the last request
        self._collected = 0
        self._company: Company
        self._telling: Telling
        self._tasks: TaskGroup

    # -- for the app

    @property
    def active(self) -> str | None:
        """The id of the request that the agent works on, or is about to; None if there is none."""
        return self._active.life.id if self._active else None

    def stop(self, reason: str = "the app wanted it so") -> None:
        """End what is under way: the agent is cancelled, and the model told so, which then isn't asked to speak.

        Does nothing if nothing is under way.
        """
        self._inbox.send(_Stop(reason))

    # -- what is heard, in passing

    def hear(self, event: SessionEvent) -> None:
        """Words go into the transcript at once, so what was said before a request is there when that is handled."""
        match event:
            case UserTranscript():
                self._transcript.add(event.item_id, "user", event.text)
            case MessageText():
                self._transcript.add(event.message_id, "assistant", event.text)
            case UserStartedSpeaking():
                self._transcript.begin(event.item_id, "user")
            case MessageAnnounced():
                self._transcript.begin(event.message_id, "assistant")
            case UserSaid():
                self._transcript.complete(event.item_id, "user", event.text)
            case AgentSaid(message=said):
                self._transcript.complete(said.id, "assistant", said.heard_text)
            case Transition(chart="message", after="skipped"):
                self._transcript.complete(event.id, "assistant", "")
            case FunctionCalled() if event.name in {self._delegate.name, self._delegate.silence}:
                self._inbox.send(event)
            case HandoffRequested():
                self._inbox.send(event)
            case _:
                pass

    # -- its life

    async def run(self, company: Company) -> None:
        self._company = company
        self._telling = (
            ByHandoff(company)
            if self._by_handoff
            else ByCall(company, speak_progress=self._delegate.speak_progress)
        )
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._pass_on)
                while True:
                    self._handle(await self._inbox.receive())
        finally:
            self._inbox.close()
            self._output.close()
            if self._delegate.tail:
                await self._hand_over_tail(self._delegate.tail)

    async def _pass_on(self) -> None:
        """What the agent says, in order and no faster than the network takes it."""
        while True:
            said = await self._output.receive()
            self._inbox.send(said)
            if isinstance(said, _Told):
                await said.sent.wait()

    def _handle(self, message: FunctionCalled | HandoffRequested | _Due | _Told | _Ended | _Stop) -> None:
        match message:
            case FunctionCalled():
                self._on_call(message)
            case HandoffRequested():
                self._on_request(_Asked(message.handoff_id, message.text, message.item_id))
            case _Due():
                if self._active and message.number == self._collected:
                    self._on_due(self._active)
            case _Told():
                self._on_told(message)
            case _Ended():
                self._on_ended(message)
            case _Stop():
                if self._active:
                    self._fire(self._active, chart.StopAsked(message.reason))

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
        self._last_id = asked.id
        if self._active is None:
            self._active = _Active(asked)
            self._collect()
            return
        active = self._active
        blank = not self._route(active)
        active.asked = asked
        if self._by_handoff:
            active.request_id = asked.id
        self._fire(active, chart.Steered(asked.id, blank))

    def _collect(self) -> None:
        """Wait for the words that trail what was asked last."""
        self._collected += 1
        if self._grace > 0:
            self._tasks.start_soon(self._remind, self._grace, _Due(self._collected))
        else:
            self._inbox.send(_Due(self._collected))

    async def _remind(self, seconds: float, due: _Due) -> None:
        await anyio.sleep(seconds)
        self._inbox.send(due)

    def _on_due(self, active: _Active) -> None:
        self._fire(active, chart.Due(blank=not self._route(active)))

    def _route(self, active: _Active) -> bool:
        """Put what was collected where the agent finds it, if there are any words in it."""
        asked, active.asked = active.asked, None
        request = self._request(asked) if asked else None
        if request:
            active.further.append(request)
        return request is not None

    def _request(self, asked: _Asked) -> Request | None:
        if asked.item_id:
            self._transcript.told(asked.item_id, "user", asked.text)
        transcript = self._transcript.take()
        words = asked.text.strip() or "\n".join(map(str, transcript))
        return Request(asked.id, words, transcript) if words else None

    # -- the agent

    def _run_agent(self, active: _Active) -> None:
        active.work = Work(active.further.popleft(), active.further, self._on_progress)
        active.scope = anyio.CancelScope()
        self._tasks.start_soon(self._run, active.work, active.scope)

    async def _run(self, work: Work, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                answer: object = await self._delegate.agent(work)
                if not isinstance(answer, str):
                    raise TypeError(f"the agent returned a {type(answer).__name__}, where its answer is a text")  # noqa: TRY301 - as if it were its own
                ended = _Ended(work, answer)
            except Exception as error:  # noqa: BLE001 - whatever an agent raises is told
                ended = _Ended(work, "", reason=_sentence(error))
            finally:
                work.end()
            await self._output.put(ended)  # behind all that it said before

    async def _on_progress(self, work: Work, text: str) -> None:
        if self._output.closed:
            raise_over()
        if text.strip() and not self._is_dropped(work):
            await self._output.put(_Told(work, text, anyio.Event()))

    def _is_dropped(self, work: Work) -> bool:
        return work.over and not (self._by_handoff and self._delegate.unattached)

    def _on_told(self, told: _Told) -> None:
        active = self._active
        if active and told.work is active.work:
            self._fire(active, chart.Progressed(told.text))
        elif self._by_handoff and self._delegate.unattached:
            self._telling.progress(self._delegate.unattached, told.text)
        self._company.tell(mail.WhenSent(told.sent))

    def _on_ended(self, ended: _Ended) -> None:
        active = self._active
        if active is None or ended.work is not active.work:
            return
        if ended.reason:
            what = f"the agent failed in the delegation {active.life.id}: {ended.reason}"
            self._company.publish(Problem(kind="other", message=what, operation=active.life.id))
            self._fire(active, chart.Raised(ended.reason))
        else:
            self._fire(active, chart.Returned(ended.text, unread=bool(active.further)))

    # -- effects

    def _fire(self, active: _Active, event: DelegationEvent) -> None:
        effects = self.fire(DELEGATION, active.life, event)
        if active.life.state in DELEGATION.final:
            self._active = None
        telling = self._telling
        for effect in effects:
            match effect:
                case chart.Collect():
                    self._collect()
                case chart.Acknowledge():
                    telling.acknowledge(effect.request_id)
                case chart.RunAgent():
                    self._run_agent(active)
                case chart.SteerAgent():
                    if active.work:
                        active.work.wake()
                case chart.StopAgent():
                    if active.scope:
                        active.scope.cancel()
                case chart.TellProgress():
                    if effect.text.strip():
                        active.told = True
                        telling.progress(active.request_id, effect.text)
                case chart.Answer():
                    if effect.text.strip():
                        telling.answer(active.request_id, effect.text)
                    else:
                        telling.conclude(active.request_id, told=True)
                case chart.Conclude():
                    telling.conclude(active.request_id, told=active.told)
                case chart.TellFailure():
                    telling.failed(active.request_id, effect.reason)
                case chart.GiveUp():
                    telling.given_up(active.request_id, effect.reason)
