"""The calls of one session: which wait, which run, what the model is told of each, and when it is asked to go on.

An actor, though not one of the ring's: it lets functions run, each in a task of its own, and never waits for one.
"""

from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from msgspec import Struct

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.causes import sentence_of
from rtactors.channels import Inbox
from rtactors.companion import Company
from rtactors.events import Item
from rtactors.reminders import Reminder, Reminders
from rtactors.session_events import CallsComplete, FunctionCalled, Interrupted, Problem, ToolProgress
from rtactors.tools.call import Call
from rtactors.tools.outputs import NoOutput, output_of, place_of
from rtactors.tools.parameters import BadArguments
from rtactors.tools.tool import Tool
from statecharts import call as chart
from statecharts.call import CALL, CallEvent

MOST_PROGRESS = 100
"""How often the model is told of one call's progress; what comes after that only the app is."""

_LONGEST_NAME = 64
"""Characters of one that there is no function of."""

_RESUMED = (
    "the conversation was broken off after this call was made: the function may have been run, or not, or in part. "
    "It was not run again"
)
_OVER = "the conversation ended"
_INTERRUPTED = {"user": "the user interrupted", "app": "it was interrupted"}

_OPEN = CALL.group("waiting", "running")
"""The states of a call that is not answered."""
_HOLDS_PLACE = CALL.group("running", "stopping")


class Called(Struct, frozen=True):
    """The model called a function, and might have called any of `offered`."""

    event: FunctionCalled
    offered: dict[str, Tool[..., Any]]


class _Ended(Struct, frozen=True):
    """A function no longer runs."""

    call_id: str
    event: CallEvent


class _Deadline(Struct, frozen=True):
    """A call has had its time, waiting or running."""

    call_id: str


CallsMail: TypeAlias = Called | CallsComplete | Interrupted | _Ended | _Deadline


class _Round:
    """The calls of one response. When the last output of them is in, the model is asked to go on, once."""

    __slots__ = ("complete", "open", "reply")

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.complete = False  # no more calls come
        self.reply = False  # one of the outputs is something to speak of


class _Call:
    """What is known of one call."""

    __slots__ = ("arguments", "call", "deadline", "life", "response_id", "scope", "told", "tool")

    def __init__(self, event: FunctionCalled, tool: Tool[..., Any] | None) -> None:
        self.life = CALL.start(event.call_id)
        self.tool = tool
        self.response_id = event.response_id
        self.arguments: dict[str, Any] = {}
        self.call: Call
        self.scope = anyio.CancelScope(shield=True)  # only its chart stops it
        self.deadline: Reminder | None = None
        self.told = 0  # how often its progress was


class Calls(ReactiveActor[CallsMail]):
    """Runs until cancelled. What may be cancelled then is; what may not has `Deadlines.close` to end by itself."""

    def __init__(self, inbox: Inbox[CallsMail], company: Company) -> None:
        super().__init__(inbox, company.publish, Reminders())  # its own: the session's are part of its recording
        self._company = company
        self._places = company.bounds.calls
        self._threads = anyio.CapacityLimiter(self._places)
        self._tasks: TaskGroup
        self._calls: dict[str, _Call] = {}  # those that have not ended
        self._waiting: dict[str, _Call] = {}
        self._holding: set[str] = set()  # those that have a place
        self._rounds: dict[str, _Round] = {}  # by response id
        self._over: dict[str, _Round] = {}  # rounds whose last output is in, as it seems
        self._closing = False

    async def run(self) -> None:
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._reminders.run)
            try:
                while True:
                    self.handle(await self.inbox.receive())
            finally:
                with anyio.CancelScope(shield=True):
                    await self._close()
                self.inbox.close()
                self._tasks.cancel_scope.cancel()

    def handle(self, message: CallsMail) -> None:  # noqa: C901 - a case for each thing that it is told
        match message:
            case Called():
                self._on_called(message.event, message.offered)
            case CallsComplete():
                if its := self._rounds.get(message.response_id):
                    its.complete = True
                    self._see_round(message.response_id, its)
            case Interrupted():
                for each in list(self._calls.values()):
                    if each.tool and each.tool.on_interrupt == "cancel":
                        self._fire(each, chart.Cancelled(_INTERRUPTED[message.by]))
            case _Ended():
                self._fire(self._calls[message.call_id], message.event)
            case _Deadline():
                if (each := self._calls.get(message.call_id)) and each.tool:
                    self._fire(each, chart.Expired(each.tool.timeout))
        self._fill_places()
        if self.inbox.empty:  # else there may be more of the same response
            self._go_on()

    # -- one call

    def _on_called(self, event: FunctionCalled, offered: dict[str, Tool[..., Any]]) -> None:
        tool = offered.get(event.name)
        declared = self._company.capabilities.functions
        if event.call_id in self._calls or (tool is None and (event.name in declared or not offered)):
            return  # known, or the app's own
        each = self._calls[event.call_id] = _Call(event, tool)
        opened = self._rounds.setdefault(event.response_id, _Round())
        opened.open.add(event.call_id)
        opened.complete = opened.complete or event.resumed
        if tool is None:
            names = ", ".join(sorted({*offered, *declared}))
            self._fire(each, chart.Refused(f"there is no function {event.name[:_LONGEST_NAME]!r}; there are {names}"))
        elif event.resumed and not tool.idempotent:
            self._fire(each, chart.Refused(_RESUMED))
        elif self._closing:
            self._fire(each, chart.Cancelled(_OVER))
        else:
            self._prepare(each, tool, event.arguments)

    def _prepare(self, each: _Call, tool: Tool[..., Any], arguments: str) -> None:
        try:
            each.arguments = tool.parameters.decode(arguments)
        except BadArguments as error:
            self._fire(each, chart.Refused(str(error)))
            return
        each.call = Call(each.life.id, tool.name, partial(self._on_progress, each))
        if tool.parameters.call:
            each.arguments[tool.parameters.call] = each.call
        self._expect_end(each, tool)
        self._waiting[each.life.id] = each

    def _fill_places(self) -> None:
        while self._waiting and len(self._holding) < self._places:
            self._fire(next(iter(self._waiting.values())), chart.PlaceFree())

    def _expect_end(self, each: _Call, tool: Tool[..., Any]) -> None:
        if each.deadline:
            each.deadline.cancel()
        each.deadline = self.remind(tool.timeout, _Deadline(each.life.id))

    def _fire(self, each: _Call, event: CallEvent) -> None:
        for effect in self.fire(CALL, each.life, event):
            match effect:
                case chart.Run():
                    assert each.tool
                    self._expect_end(each, each.tool)
                    self._tasks.start_soon(self._run, each, each.tool)
                case chart.Stop():
                    each.call.over = True
                    if each.tool and each.tool.is_async:
                        each.scope.cancel()
                case chart.Answer():
                    self._answer(each, effect.output, cancelled=isinstance(event, chart.Cancelled))
                case chart.Report():
                    name = each.tool.name if each.tool else ""
                    what = f"function call {each.life.id}{name and f' of {name}'}: {effect.problem}"
                    self.publish(Problem(kind="other", message=what, operation=each.life.id))
        if each.life.state != "waiting":
            self._waiting.pop(each.life.id, None)
        if each.life.state in _HOLDS_PLACE:
            self._holding.add(each.life.id)
        else:
            self._holding.discard(each.life.id)
        if each.life.state in CALL.final:
            del self._calls[each.life.id]

    def _answer(self, each: _Call, output: str, *, cancelled: bool) -> None:
        if each.deadline:
            each.deadline.cancel()
        self._company.tell(mail.AnswerCall(each.life.id, output))
        its = self._rounds[each.response_id]
        its.open.remove(each.life.id)
        its.reply = its.reply or not (cancelled or (each.tool and not each.tool.reply))
        self._see_round(each.response_id, its)

    # -- its function

    async def _run(self, each: _Call, tool: Tool[..., Any]) -> None:
        event: CallEvent = chart.Stopped()
        try:
            with each.scope:
                event = await self._outcome(each, tool)
        except anyio.get_cancelled_exc_class():  # not by us: it waited for something that was cancelled
            event = chart.Failed("what the function waited for was cancelled")
        self.inbox.send(_Ended(each.life.id, event))

    async def _outcome(self, each: _Call, tool: Tool[..., Any]) -> CallEvent:
        function = partial(tool.function, **each.arguments)
        try:
            if tool.is_async:
                result = await function()
            else:
                result = await self._in_thread(function)
                if isawaitable(result):  # an async function that something plain is wrapped around
                    result = await result
            return chart.Returned(output_of(result, self._company.bounds.text))
        except NoOutput as error:
            return chart.Failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a function raises, the model and the app are told
            return chart.Failed(sentence_of(error), place_of(error))

    async def _in_thread(self, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it gives
        def boxed() -> tuple[Any]:
            try:
                return (function(),)  # trio takes nothing from a thread that can be awaited
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio would never be done with a thread that raises it
                raise RuntimeError(f"the function wanted to end the program: {type(error).__name__}") from None

        (result,) = await anyio.to_thread.run_sync(boxed, abandon_on_cancel=True, limiter=self._threads)
        return result

    def _on_progress(self, each: _Call, text: str, say: bool) -> None:  # noqa: FBT001 - called from threads, by place
        if each.life.state not in _OPEN:
            return
        self.publish(ToolProgress(each.life.id, text, anyio.current_time()))
        each.told += 1
        if each.told > MOST_PROGRESS:
            return
        told = f"Progress of the function {each.call.name}, call {each.life.id}: {text}"
        item = Item(id=self._company.new_id("progress"), role="system", text=told)
        self._company.tell(mail.AddItem(item, then=self._request() if say else None))

    # -- all of them

    def _see_round(self, response_id: str, its: _Round) -> None:
        if its.complete and not its.open:
            self._over[response_id] = its

    def _go_on(self) -> None:
        """Ask the model to, once for each response whose functions have all given what they have."""
        for response_id, its in self._over.items():
            if not its.open:
                del self._rounds[response_id]
                if its.reply and not self._closing:
                    self._company.tell(self._request())
        self._over.clear()

    def _request(self) -> mail.RequestReply:
        return self._company.request("what functions gave")

    async def _close(self) -> None:
        """No call stays without an answer, and no order half made that can be helped."""
        self._closing = True
        for each in list(self._calls.values()):
            if each.life.state == "waiting" or (each.tool and each.tool.on_interrupt == "cancel"):
                self._fire(each, chart.Cancelled(_OVER))
        with anyio.move_on_after(self._company.deadlines.close):
            while any(each.life.state == "running" for each in self._calls.values()):
                self.handle(await self.inbox.receive())
        for each in list(self._calls.values()):
            self._fire(each, chart.Cancelled(_OVER))
            each.scope.cancel()
