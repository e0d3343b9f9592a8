"""The recording, as what happens next."""

import sys
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import anyio
from msgspec import json
from msgspec.structs import replace

from rtactors.recording import Recording, lines
from rtactors.recording.notes import who
from rtactors.recording.reading import Recorded
from rtactors.recording.tap import Tap
from rtactors.ring import Run, Surroundings
from rtactors.testing.replay.difference import Difference, Differs, Found, first_difference, told
from rtactors.testing.replay.turns import takes_time

_HAIR_S = 1e-6
"""So exactly a moment is known that was told in unix seconds: a float of today's has steps of a quarter of that."""


class Tape(Tap):
    """Knows what happens next; who depends on that waits for its turn. What happens is compared.

    What an actor does has to come in the order of that actor's events. It may come before those of others that stand
    ahead of it: a task takes some passes of the event loop to notice that what it waited for has ended.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__(audio=recording.audio)
        self.header = recording.header
        self.events = [each for each in recording.events if not isinstance(each.event, lines.Incomplete)]
        self.happened = 0
        """How many of them have, without a gap."""
        self.difference: Difference | None = None
        self._to_come: defaultdict[str, deque[Recorded]] = defaultdict(deque)
        for recorded in self.events:
            self._to_come[recorded.event.who].append(recorded)
        self._done: set[int] = set()
        self._complete = bool(self.events) and isinstance(self.events[-1].event, lines.Over)
        self._waiting: dict[object, deque[tuple[anyio.Event, anyio.CancelScope]]] = {}
        self._let: Counter[object] = Counter()
        self._turns = [recording.header.at]
        self._until = 0.0
        self._over = False
        self._exact = not any(map(takes_time, recording.events, recording.events[1:]))

    @property
    def next(self) -> lines.Event | None:
        """What happens next; None at the end."""
        return self.events[self.happened].event if self.happened < len(self.events) else None

    @property
    def mine(self) -> lines.Event | None:
        """What whoever asks does next."""
        to_come = self._to_come[who.get()]
        return to_come[0].event if to_come else None

    def has_happened(self, event: lines.Event) -> bool:
        return event.n <= self.happened or event.n in self._done

    # -- whose turn it is

    def begin_turn(self, at: float) -> None:
        self._turns.append(at)

    async def turn(self, what: object) -> None:
        """Wait until it is time for this; only the recording knows whether it was cancelled before."""
        if self._let[what]:
            self._let[what] -= 1
            return
        waiting, now = self._waiting.setdefault(what, deque()), anyio.Event()
        with anyio.CancelScope(shield=not self._over) as scope:
            waiting.append((now, scope))
            await now.wait()

    def let(self, what: object) -> None:
        """It is time for this."""
        if waiting := self._waiting.get(what):
            waiting.popleft()[0].set()
        else:
            self._let[what] += 1

    def let_cancel(self, what: object) -> None:
        """It was cancelled."""
        if waiting := self._waiting.get(what):
            waiting.popleft()[1].shield = False

    def let_all_cancel(self) -> None:
        """There is nothing more to come, and nothing more to compare."""
        self._over, self._listening = True, False
        for what, waiting in self._waiting.items():
            while waiting:
                self.let_cancel(what)

    # -- what a session is given

    def surroundings(self, surroundings: Surroundings) -> Surroundings:
        return replace(super().surroundings(surroundings), voiced=self.header.voiced)

    def outside(self, run: Run) -> Run:  # noqa: ARG002 - what came of it is in the recording
        async def nothing() -> None:
            pass

        return nothing

    async def may_begin(self, task: int) -> None:
        await self.turn(("begin", task))

    def _seen(self, what: str, look: Callable[[], float]) -> Callable[[], float]:
        def recorded() -> float:
            return self.mine.value if isinstance(self.mine, lines.Seen) else look()

        return super()._seen(what, recorded)

    def running(self, name: str, run: Run) -> Run:
        tapped = super().running(name, run)

        async def contained() -> None:
            with suppress(Exception):  # it was noted; that the session ends with it is the recording's to say
                await tapped()

        return contained

    # -- comparing

    def note(self, event: lines.Event) -> int:
        to_come = self._to_come[event.who]
        if self.difference:
            return 0
        if not to_come:
            if self._complete and not isinstance(event, lines.Closed):  # else it was to come when the recording ended
                self.differ(self.next or self.events[-1].event, event)
            return 0
        recorded = to_come[0]
        self._until = recorded.event.at
        line = json.encode(replace(event, n=recorded.event.n))
        if line != recorded.line and not _is_what_was_brought(event, recorded.event):
            found = first_difference(json.decode(recorded.line), json.decode(line), self._same_moment)
            if found:
                self.differ(recorded.event, event, found)
        to_come.popleft()
        self._done.add(recorded.event.n)
        while self.happened + 1 in self._done:
            self.happened += 1
            self._done.remove(self.happened)
        return recorded.event.n

    def differ(self, expected: lines.Event, got: lines.Event | None = None, found: Found | None = None) -> NoReturn:
        """Raises Differs; the first difference counts."""
        self.difference = told(expected, got, found, sys.exception())
        raise Differs(self.difference)

    def _same_moment(self, recorded: float, replayed: float) -> bool:
        """Whether it lies between the turns around the one in which it was looked up."""
        if self._exact:
            return recorded == replayed
        first, last = bisect_left(self._turns, replayed - _HAIR_S), bisect_right(self._turns, replayed + _HAIR_S)
        if first == last:
            return False
        begin = self._turns[max(first - 1, 0)]
        end = self._turns[last] if last < len(self._turns) else self._until
        return begin - _HAIR_S <= recorded <= end + _HAIR_S


def _is_what_was_brought(event: lines.Event, recorded: lines.Event) -> bool:
    """A frame that was received is the recording's own."""
    match event, recorded:
        case lines.Socket(call="receive"), lines.Socket(call="receive"):
            return event.socket == recorded.socket
        case _:
            return False
