"""The app and the user of a simulated conversation: they do what the plan says, and keep a record of their own.

Nothing here looks at how a session works. What the app knows (what it took out, gave up, answered) is evidence.
"""

import math
from contextlib import suppress

import anyio
import anyio.lowlevel
from msgspec import Struct, field

from rtactors.errors import SessionClosed
from rtactors.history import HistoryItem
from rtactors.loopback.conversation import BYTES_PER_MS
from rtactors.reply import Reply
from rtactors.session import Session
from rtactors.session_events import FunctionCalled
from rtactors.testing.conversation import speech
from rtactors.testing.evidence import Placed
from rtactors.testing.simulation.plan import Plan
from rtactors.testing.simulation.provider import text_of

PATIENCE_S = 300.0
"""How long a session may take to become quiet, with all that its deadlines allow."""
AFTERWARDS_S = 12.0
"""How long it is left alone then: what comes late, comes now."""
_CHUNK_MS = 100
_SILENCE = bytes(600 * BYTES_PER_MS)


class NeverQuiet(Exception):
    """The session did not become quiet."""


class AppCrashed(Exception):
    """The app's own error."""


class AppRecord(Struct, kw_only=True):
    """What the app did; see `rtactors.testing.evidence.Evidence`."""

    replies: list[Reply] = field(default_factory=list[Reply])
    removed: set[str] = field(default_factory=set[str])
    stopped: dict[str, float] = field(default_factory=dict[str, float])
    placed: list[Placed] = field(default_factory=list[Placed])
    interruptions: list[float] = field(default_factory=list[float])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    replaced: list[tuple[float, set[str]]] = field(default_factory=list[tuple[float, set[str]]])
    """When it set the history, and which items it kept."""
    settled: bool = False
    left_at: float = math.inf
    """When it left, by whatever way."""


class App:
    def __init__(self, plan: Plan, session: Session, record: AppRecord) -> None:
        self._plan = plan
        self._session = session
        self._record = record
        self._speaking = False
        self._count = 0

    async def run(self) -> None:
        """Returns, or raises, when the app leaves. A session that is over cancels it."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._answer_calls)
                await self._act()
                tasks.cancel_scope.cancel()
        except* SessionClosed:
            await self._wait_for_the_end()
        finally:
            self._record.left_at = anyio.current_time()

    async def _act(self) -> None:
        for step in self._plan.steps:
            await anyio.sleep(step.wait_ms / 1000)
            await self._deeds[step.do](self, step.which)
        match self._plan.ending:
            case "quiet":
                await self._settle()
            case "leave":
                pass
            case "crash":
                raise AppCrashed
            case "cancel":
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()

    async def _wait_for_the_end(self) -> None:
        """It plays what it has, if it is let, then cancels us."""
        with suppress(SessionClosed):
            await self._session.unpause()
        await anyio.sleep_forever()

    async def _settle(self) -> None:
        await self._session.unpause()
        await self._hush(0)
        with anyio.move_on_after(PATIENCE_S) as patience:
            await self._session.quiet()
            await anyio.sleep(AFTERWARDS_S)
            await self._session.quiet()
        if patience.cancelled_caught:
            raise NeverQuiet(f"the session was not quiet {PATIENCE_S:.0f} s after the app's last step")
        self._record.settled = True

    async def _answer_calls(self) -> None:
        calls = self._plan.calls
        async for event in self._session.events():
            if isinstance(event, FunctionCalled):
                await anyio.sleep(calls.answer_ms / 1000)
                for time in range(calls.times):
                    output = f"output {time} of {event.call_id}"
                    self._record.answers.setdefault(event.call_id, output)
                    await self._session.answer_call(event.call_id, output)
                if calls.times:
                    self._record.replies.append(await self._session.generate_reply())

    # -- what is done

    async def _ask(self, which: int) -> None:
        self._record.replies.append(await self._session.ask(text_of(1 + which % 4, which)))

    async def _generate_reply(self, _which: int) -> None:
        self._record.replies.append(await self._session.generate_reply())

    async def _speak(self, which: int) -> None:
        """Goes on until `hush`; what is heard of it meanwhile is between 0.2 and 1.4 s."""
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
            await self._generate_reply(which)

    async def _clear_audio(self, _which: int) -> None:
        self._speaking = False
        await self._session.clear_audio()

    async def _interrupt(self, _which: int) -> None:
        at = anyio.current_time()
        await self._session.interrupt()
        self._record.interruptions.append(at)

    async def _stop_reply(self, which: int) -> None:
        if replies := self._record.replies:
            reply = replies[which % len(replies)]
            at = anyio.current_time()
            await self._session.interrupt(reply)
            self._record.stopped.setdefault(reply.id, at)

    async def _pause(self, _which: int) -> None:
        await self._session.pause()

    async def _resume(self, _which: int) -> None:
        await self._session.unpause()

    async def _add(self, which: int) -> None:
        there = [item.id for item in self._session.history]
        places = [None, "", *there]
        role, after = "system" if which % 2 else "user", places[which % len(places)]
        item_id = await self._session.add(text_of(2, which), role=role, after=after)
        if after is not None:
            self._put(item_id, there, there.index(after) + 1 if after else 0)

    def _put(self, item_id: str, there: list[str], index: int) -> None:
        self._record.placed.append(Placed(item_id, frozenset(there[:index]), frozenset(there[index:])))

    async def _remove(self, which: int) -> None:
        if history := self._session.history:
            item_id = history[which % len(history)].id
            await self._session.remove(item_id)
            self._record.removed.add(item_id)

    async def _set_history(self, which: int) -> None:
        """Every item is kept or not by its bit of `which`; one of three times there is something new, too."""
        at, history = anyio.current_time(), self._session.history
        kept = [item for index, item in enumerate(history) if not which >> index % 16 & 1]
        wanted, index = [*kept], 0
        new = HistoryItem(id="")
        if which % 3 == 0:
            self._count += 1
            new = HistoryItem(id=f"new_{self._count}", role="user", heard_text=text_of(2, which))
            index = which % (len(kept) + 1)
            wanted.insert(index, new)
        await self._session.set_history(wanted)
        if wanted != kept:
            self._put(new.id, [item.id for item in kept], index)
        self._record.removed.update(item.id for item in history if item not in kept)
        self._record.replaced.append((at, {item.id for item in wanted}))

    async def _wait_until_quiet(self, _which: int) -> None:
        with anyio.move_on_after(30):
            await self._session.quiet()

    _deeds = {
        "ask": _ask,
        "generate_reply": _generate_reply,
        "speak": _speak,
        "hush": _hush,
        "interrupt": _interrupt,
        "stop_reply": _stop_reply,
        "pause": _pause,
        "resume": _resume,
        "add": _add,
        "remove": _remove,
        "set_history": _set_history,
        "clear_audio": _clear_audio,
        "wait_until_quiet": _wait_until_quiet,
    }
