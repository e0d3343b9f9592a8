"""The journal actor: writes down what the context actor tells it, and lets the app know only what is durable.

What has come while it was writing goes into the journal together, so that a slow disk makes batches larger, never a
queue longer. Nobody waits for it but the app: audio, control and what is sent to the server don't.

When the journal fails, or does not answer in time, the session ends: what is said from then on would be lost. Nothing
that was not written is acknowledged.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from rtactors import mail
from rtactors.actor import Actor
from rtactors.actors.scribe import acknowledge
from rtactors.channels import Inbox
from rtactors.errors import ConfigurationError, JournalConflict, JournalFailed, RtactorsError
from rtactors.journal.base import Journal
from rtactors.journal.recall import Past, recall
from rtactors.journal.records import VERSION, Change, Opened, Record, encode
from rtactors.ring import Surroundings

T = TypeVar("T")


class JournalActor(Actor[mail.JournalMail]):
    """Writes the journal of one session. `failure` is why it can't any more, which `fail` is told, too."""

    def __init__(
        self,
        inbox: Inbox[mail.JournalMail],
        surroundings: Surroundings,
        *,
        journal: Journal,
        session_id: str,
        fail: Callable[[RtactorsError], None],
    ) -> None:
        super().__init__(inbox, surroundings.publish)
        self.failure: JournalFailed | None = None
        self.epoch = 0.0
        """When the session's clock was 0, in unix seconds."""
        self._journal = journal
        self._session_id = session_id
        self._look_up_epoch = surroundings.epoch
        self._deadline = surroundings.deadlines.journal
        self._fail = fail
        self._next = 1

    async def open(self, *, resumes: bool) -> Past:
        """Begin to write, before anything else happens; what the journal holds.

        Raises ConfigurationError if it `resumes` a session that the journal doesn't know; JournalConflict if it
        doesn't, and the journal does; JournalDamaged and JournalFailed.
        """
        self.epoch = self._look_up_epoch()
        past = Past()
        if resumes:
            past = await self._in_time(recall(self._journal, self._session_id))
            if not past.records:
                raise ConfigurationError(
                    f"there is no session {self._session_id!r} in the journal: begin one by `Session`"
                )
        self._next = past.next
        try:
            await self._append([Opened(past.torn)])
        except JournalConflict as conflict:
            if resumes:
                raise
            raise JournalConflict(
                f"there is a session {self._session_id!r} in the journal already: go on with it by `Session.resume`, "
                "or give this one an id of its own"
            ) from conflict
        return past

    async def run(self) -> None:
        try:
            while True:
                batch = [await self.inbox.receive()]
                while not self.inbox.empty:
                    batch.append(await self.inbox.receive())
                await self._write(batch)
        finally:
            self.inbox.close()

    async def _write(self, batch: Sequence[mail.WriteDown]) -> None:
        changes = [change for message in batch for change in message.changes]
        if changes and not self.failure:
            try:
                await self._append(changes)
            except JournalFailed as failure:
                self.failure = failure
                self._fail(failure)
        for message in batch:
            for acknowledgement in message.then:
                # Whoever waits is not left waiting for what will never be, and looks for the failure.
                if not self.failure or isinstance(acknowledgement, anyio.Event):
                    acknowledge(acknowledgement, self.publish)

    async def _append(self, changes: Sequence[Change]) -> None:
        at = self.epoch + anyio.current_time()
        records = [
            encode(self._session_id, number, Record(VERSION, at, self.epoch, change))
            for number, change in enumerate(changes, self._next)
        ]
        await self._in_time(self._journal.append(self._session_id, self._next, records))
        self._next += len(records)

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            with anyio.fail_after(self._deadline):
                return await work
        except TimeoutError as error:
            raise JournalFailed(
                f"the journal did not answer within {self._deadline:g} s: see whether its disk is busy or hangs, or "
                "give it more time (Deadlines.journal)"
            ) from error
