"""An actor as an agent: it is told of its work by its inbox, and answers when it is done.

planner = Planner()                          # an actor whose inbox takes `Job`s, run by the app
Session(..., delegate=Delegate(by_actor(planner.inbox)))
"""

import anyio

from rtactors.channels import Inbox
from rtactors.delegation.work import Agent, Work


class Job:
    """Work that an actor was given, and by which it answers: once, by `answer` or `fail`."""

    def __init__(self, work: Work) -> None:
        self.work = work
        """What is to be done; `work.over` is true once nobody wants it any more."""
        self._outcome: str | Exception | None = None
        self._decided = anyio.Event()

    def answer(self, text: str) -> None:
        """It is done."""
        self._decide(text)

    def fail(self, error: Exception) -> None:
        """It can't be done; the model is told why."""
        self._decide(error)

    async def outcome(self) -> str:
        await self._decided.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome or ""

    def _decide(self, outcome: str | Exception) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._decided.set()


def by_actor(inbox: Inbox[Job]) -> Agent:
    """The agent that puts its work into this inbox. Of an actor that has ended it says so, as a failure."""

    async def agent(work: Work) -> str:
        if inbox.closed:
            raise RuntimeError(f"the {inbox.name} actor has ended")
        job = Job(work)
        await inbox.put(job)
        return await job.outcome()

    return agent
