"""The handle of one reply that an app asked for. Read by the app, written by the context actor alone."""

from collections.abc import Callable

import anyio

from rtactors.errors import ReplyFailed
from rtactors.history import HistoryItem


class Reply:
    """What became of a request. It is resolved once, after the history holds each of its messages."""

    def __init__(self, request_id: str) -> None:
        self.id = request_id
        self.response_id: str | None = None
        """The server's id of it, once it has started."""
        self.status = "waiting"
        """waiting, in_progress, then as the provider says: completed, cancelled, incomplete, failed."""
        self.interrupted = False
        """True if it was stopped before everything was heard."""
        self.failure: str | None = None
        self._said: list[Callable[[], HistoryItem]] = []
        self._started = anyio.Event()
        self._over = anyio.Event()

    def __repr__(self) -> str:
        return f"Reply({self.id!r}, {self.status})"

    @property
    def messages(self) -> list[HistoryItem]:
        """What was heard of it, in order, as the history has it now; complete once it is done."""
        return [said() for said in self._said]

    @property
    def heard_text(self) -> str:
        """What was heard of it."""
        return " ".join(message.heard_text for message in self.messages)

    async def started(self) -> None:
        """Wait until the server has begun it. Raises ReplyFailed if it won't."""
        await self._started.wait()
        self._check()

    async def done(self) -> list[HistoryItem]:
        """Wait until each of its messages was heard, cut or skipped; what was heard. Raises ReplyFailed."""
        await self._over.wait()
        self._check()
        return self.messages

    def start(self, response_id: str) -> None:
        """The server has begun it."""
        self.response_id = response_id
        self.status = "in_progress"
        self._started.set()

    def say(self, said: Callable[[], HistoryItem]) -> None:
        """One more of its messages was heard; `said` looks it up in the record."""
        self._said.append(said)

    def resolve(self, status: str, *, interrupted: bool, failure: str | None) -> None:
        """It is over; the first time counts."""
        if self.over:
            return
        self.status = status
        self.interrupted = interrupted
        self.failure = failure
        self._started.set()
        self._over.set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def _check(self) -> None:
        if self.failure is not None:
            raise ReplyFailed(f"reply {self.id}: {self.failure}")
