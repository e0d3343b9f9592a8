"""One reply that an app asked for: the record of what became of it, and the handle through which the app sees that."""

from collections.abc import Awaitable, Callable

from rtactors.errors import ReplyFailed
from rtactors.events import Item
from rtactors.flag import Flag
from rtactors.history import HistoryItem


class ReplyRecord:
    """What is known of a reply; written by the context actor alone."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.response_id: str | None = None
        self.status = "waiting"
        self.interrupted = False
        self.failure: str | None = None
        self.output: tuple[Item, ...] = ()
        self.said: list[Callable[[], HistoryItem]] = []
        """One for each message that was heard; looks it up in the ledger."""
        self.begun = Flag()
        self.heard = Flag()
        self.ended = Flag()

    def start(self, response_id: str) -> None:
        """The server has begun it."""
        self.response_id = response_id
        self.status = "in_progress"
        self.begun.set()

    def resolve(self, status: str, *, interrupted: bool, failure: str | None, output: tuple[Item, ...] = ()) -> None:
        """Each of its messages has ended, or there is none."""
        self.status = status
        self.interrupted = interrupted
        self.failure = failure
        self.output = output
        self.begun.set()
        self.heard.set()
        self.ended.set()


class Reply:
    """The handle of one reply. It is over when the history holds what was heard of each of its messages."""

    def __init__(self, record: ReplyRecord, interrupt: "Callable[[Reply], Awaitable[None]]") -> None:
        self._record = record
        self._interrupt = interrupt

    def __repr__(self) -> str:
        return f"Reply({self.id!r}, {self.status})"

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def response_id(self) -> str | None:
        """The server's id of it, once it has started."""
        return self._record.response_id

    @property
    def status(self) -> str:
        """`waiting`, `in_progress`, then as it ended: `completed`, `cancelled`, `incomplete`, `failed`."""
        return self._record.status

    @property
    def over(self) -> bool:
        return self._record.ended.is_set()

    @property
    def interrupted(self) -> bool:
        """True if it was stopped before everything was heard."""
        return self._record.interrupted

    @property
    def failure(self) -> str | None:
        """Why there is none, once that is known."""
        return self._record.failure

    @property
    def messages(self) -> list[HistoryItem]:
        """What was heard of it, in order, as the history has it now; complete once it is over."""
        return [said() for said in self._record.said]

    @property
    def output(self) -> tuple[Item, ...]:
        """What the server says that it generated, once the reply is over: messages, heard or not, and function calls.

        This is what there is of a reply out of band, which is never heard.
        """
        return self._record.output

    @property
    def heard_text(self) -> str:
        """What was heard of it."""
        return " ".join(message.heard_text for message in self.messages)

    async def started(self) -> None:
        """Wait until the server has begun it. Raises ReplyFailed if it won't."""
        await self._record.begun.wait()
        self._check()

    async def heard(self) -> bool:
        """Wait until the first of it is heard, or shown. False if it is over and nothing was. Raises ReplyFailed."""
        await self._record.heard.wait()
        self._check()
        return bool(not self.over or self._record.said)

    async def interrupt(self) -> None:
        """Stop it, or give it up if it has not started. No other reply is touched."""
        await self._interrupt(self)

    async def done(self) -> list[HistoryItem]:
        """Wait until each of its messages was heard, cut or skipped; what was heard. Raises ReplyFailed."""
        await self._record.ended.wait()
        self._check()
        return self.messages

    def _check(self) -> None:
        if self._record.failure is not None:
            raise ReplyFailed(f"reply {self.id}: {self._record.failure}")
