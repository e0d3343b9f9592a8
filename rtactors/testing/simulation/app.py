"""The app and the user of a simulated conversation: they do what the plan says.

Somebody's own app can take the app's place; then the plan's user speaks to that one.
"""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import anyio

from rtactors.errors import ReplyFailed, SessionClosed
from rtactors.events import Item
from rtactors.history import HistoryItem
from rtactors.interruption import NEVER
from rtactors.loopback.conversation import BYTES_PER_MS
from rtactors.session import Session, Wanted, WantedReply
from rtactors.session_events import FunctionCalled
from rtactors.testing.conversation import speech
from rtactors.testing.simulation.plan import Deed, Plan, Step, Wish
from rtactors.testing.simulation.provider import COUGH_MS, OWN_FUNCTION, text_of
from rtactors.testing.simulation.watched import AppRecord

OwnApp: TypeAlias = Callable[[Session], Coroutine[Any, Any, None]]
"""Code that uses a session. It is cancelled when the plan is over; it may return before."""

PATIENCE_S = 300.0
"""How long a session may take to become quiet, with all that its deadlines allow."""
AFTERWARDS_S = 12.0
"""How long it is left alone then: what comes late, comes now."""
_CHUNK_MS = 100
_SILENCE = bytes(600 * BYTES_PER_MS)
_LONGEST_WAIT_S = 30


class NeverQuiet(Exception):
    """The session did not become quiet."""


class AppCrashed(Exception):
    """The app's own error, as the plan wants it."""


class Stage:
    """Where a plan is acted out. `cancel` cancels the block in which the session is used."""

    def __init__(
        self, plan: Plan, session: Session, record: AppRecord, *, own: OwnApp | None, cancel: Callable[[], None]
    ) -> None:
        self._plan = plan
        self._session = session
        self._record = record
        self._own = own
        self._cancel = cancel
        self._speaking = False
        self._count = 0
        users: dict[Deed, Callable[[int], Awaitable[None]]] = {
            "speak": self._speak,
            "hush": self._hush,
            "cough": self._cough,
            "clear_audio": self._clear_audio,
        }
        apps: dict[Deed, Callable[[int], Awaitable[None]]] = {
            "interrupt": self._interrupt,
            "stop_reply": self._stop_reply,
            "pause": self._pause,
            "unpause": self._unpause,
            "add": self._add,
            "remove": self._remove,
            "set_history": self._set_history,
            "wait_until_quiet": self._wait_until_quiet,
            "wait_until_heard": self._wait_until_heard,
        }
        asks: dict[Deed, Callable[[Step], Awaitable[None]]] = {"ask": self._ask, "generate_reply": self._generate_reply}
        self._deeds = users if own else users | apps
        self._asks = {} if own else asks

    async def act(self) -> None:
        """Returns, or raises, when the app leaves. A session that is over cancels it."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._own or _answer_calls_as(self._plan), self._session)
                await self._follow_the_plan()
                tasks.cancel_scope.cancel()
        except* SessionClosed:
            await self._wait_for_the_end()
        finally:
            self._record.left_at = anyio.current_time()

    async def _follow_the_plan(self) -> None:
        for step in self._plan.steps:
            await anyio.sleep(step.wait_ms / 1000)
            if ask := self._asks.get(step.do):
                await ask(step)
            if deed := self._deeds.get(step.do):
                await deed(step.which)
        match self._plan.ending:
            case "quiet":
                await self._settle()
            case "leave":
                pass
            case "crash":
                raise AppCrashed
            case "cancel":
                self._cancel()
                await anyio.sleep_forever()

    async def _wait_for_the_end(self) -> None:
        """It plays what it has, if it is let, then cancels us."""
        with suppress(SessionClosed):
            await self._session.unpause()
        await anyio.sleep_forever()

    async def _settle(self) -> None:
        await self._session.unpause()
        await self._hush(0)
        with anyio.move_on_after(PATIENCE_S) as patience:
            while not await self._stays_quiet():
                pass
        if patience.cancelled_caught:
            raise NeverQuiet(f"the session was not quiet {PATIENCE_S:.0f} s after the app's last step")
        self._record.settled = True

    async def _stays_quiet(self) -> bool:
        await self._session.quiet()
        await anyio.sleep(AFTERWARDS_S)
        since = anyio.current_time()
        await self._session.quiet()
        return anyio.current_time() == since and all(each.end for each in (*self._record.runs, *self._record.works))

    # -- the user

    async def _speak(self, which: int) -> None:
        """Goes on until `hush`; what is heard of it at once is between 0.2 and 1.4 s."""
        for _ in range(2 + 4 * (which % 4)):
            await self._session.send_audio(speech(_CHUNK_MS))
        self._speaking = True

    async def _hush(self, which: int) -> None:
        if not self._speaking:
            return
        self._speaking = False
        if self._plan.model.detects_speech:
            await self._session.send_audio(_SILENCE)
            return
        await self._session.commit_audio()
        if which % 2 == 0:
            await self._session.generate_reply()

    async def _cough(self, _which: int) -> None:
        """A sound without a word, and silence again."""
        if self._speaking or not self._plan.model.detects_speech:
            return
        await self._session.send_audio(speech(COUGH_MS))
        await self._session.send_audio(_SILENCE)

    async def _clear_audio(self, _which: int) -> None:
        self._speaking = False
        await self._session.clear_audio()

    # -- the app

    async def _ask(self, step: Step) -> None:
        await self._session.ask(text_of(1 + step.which % 4, step.which), **_wanted(step.wish, step.which))

    async def _generate_reply(self, step: Step) -> None:
        wanted: WantedReply = {**_wanted(step.wish, step.which), "out_of_band": step.wish.beside}
        if step.wish.beside and step.wish.other_input:
            wanted["input"] = [Item(id="", role="user", text=text_of(3, step.which))]
        await self._session.generate_reply(**wanted)

    async def _interrupt(self, _which: int) -> None:
        await self._session.interrupt()

    async def _stop_reply(self, which: int) -> None:
        if replies := self._record.replies:
            await replies[which % len(replies)].interrupt()

    async def _pause(self, _which: int) -> None:
        await self._session.pause()

    async def _unpause(self, _which: int) -> None:
        await self._session.unpause()

    async def _add(self, which: int) -> None:
        places = [None, "", *(item.id for item in self._session.history)]
        role, after = "system" if which % 2 else "user", places[which % len(places)]
        await self._session.add(text_of(2, which), role=role, after=after)

    async def _remove(self, which: int) -> None:
        if history := self._session.history:
            await self._session.remove(history[which % len(history)].id)

    async def _set_history(self, which: int) -> None:
        """Every item is kept or not by its bit of `which`; one of three times there is something new, too."""
        wanted = [item for index, item in enumerate(self._session.history) if not which >> index % 16 & 1]
        if which % 3 == 0:
            self._count += 1
            new = HistoryItem(id=f"new_{self._count}", role="user", heard_text=text_of(2, which))
            wanted.insert(which % (len(wanted) + 1), new)
        await self._session.set_history(wanted)

    async def _wait_until_quiet(self, _which: int) -> None:
        with anyio.move_on_after(_LONGEST_WAIT_S):
            await self._session.quiet()

    async def _wait_until_heard(self, which: int) -> None:
        """What follows follows in that very moment."""
        if replies := self._record.replies:
            with anyio.move_on_after(_LONGEST_WAIT_S), suppress(ReplyFailed):
                await replies[-1 - which % len(replies)].heard()


def _wanted(wish: Wish, key: int) -> Wanted:
    wanted: Wanted = {"priority": wish.priority}
    if wish.timeout_ms:
        wanted["timeout"] = wish.timeout_ms / 1000
    if wish.special:
        wanted["instructions"] = text_of(4, key)
        wanted["metadata"] = {"topic": text_of(1, key)}
        wanted["max_output_tokens"] = 1000 + key
    if wish.text:
        wanted["output"] = "text"
    if wish.uninterruptible:
        wanted["interruption"] = NEVER
    return wanted


def _answer_calls_as(plan: Plan) -> OwnApp:
    """The plan's app, beside what it does step by step."""
    calls = plan.calls

    async def answer(session: Session) -> None:
        async for event in session.events():
            if isinstance(event, FunctionCalled) and event.name == OWN_FUNCTION:
                await anyio.sleep(calls.answer_ms / 1000)
                for time in range(calls.times):
                    await session.answer_call(event.call_id, f"output {time} of {event.call_id}")
                if calls.times:
                    await session.generate_reply()

    return answer
