"""A delegate without a session: what it hears is up to the test, and what it tells is kept."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

import anyio

from rtactors import mail
from rtactors.companion import Company
from rtactors.delegation import Delegate, Delegation, Work
from rtactors.delegation.telling import BACKEND
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Capabilities
from rtactors.session_events import FunctionCalled, HandoffRequested, SessionEvent, Transition, UserSaid

V2 = Capabilities(input_rate=24_000, output_rate=24_000, cancels_on_speech=True, replies_to_speech=True)
V1 = Capabilities(input_rate=24_000, output_rate=24_000, cancels_on_speech=True, replies_to_speech=True, hands_off=True)


class Alone:
    """A delegate, and what it does."""

    def __init__(self, delegate: Delegate, capabilities: Capabilities) -> None:
        self.delegation = Delegation(delegate, capabilities)
        self.mail: list[mail.ContextMail] = []
        self.events: list[SessionEvent] = []
        self.slow = False
        """Nothing goes out."""
        ids = count(1)
        self.company = Company(
            self._tell,
            self._publish,
            lambda kind: f"rt_{kind}_{next(ids)}",
            capabilities,
            Deadlines(),
            Bounds(),
        )

    # -- what it hears

    def hear(self, *events: SessionEvent) -> None:
        for event in events:
            self.delegation.hear(event)

    def call(self, call_id: str, prompt: str, name: str = "background_agent") -> None:
        self.hear(FunctionCalled(call_id, name, f'{{"prompt": "{prompt}"}}'))

    def hand_off(self, handoff_id: str, text: str, item_id: str = "u1") -> None:
        self.hear(HandoffRequested(handoff_id, item_id, text))

    def user_said(self, item_id: str, text: str) -> None:
        self.hear(UserSaid(item_id, text, 0))

    # -- what it told

    @property
    def outputs(self) -> list[tuple[str, str]]:
        """Of calls, with their ids."""
        return [(each.call_id, each.output) for each in self.mail if isinstance(each, mail.AnswerCall)]

    @property
    def appended(self) -> list[tuple[str, str]]:
        """To handoffs, with their ids."""
        return [(each.handoff_id, each.text) for each in self.mail if isinstance(each, mail.AppendHandoff)]

    @property
    def progress(self) -> list[str]:
        added = [each.item.text for each in self.mail if isinstance(each, mail.AddItem)]
        assert all(text.startswith(BACKEND) for text in added)
        return [text.removeprefix(BACKEND) for text in added]

    @property
    def requests(self) -> int:
        """How often a reply was asked for."""
        return sum(isinstance(each, mail.RequestReply) for each in self.mail)

    @property
    def states(self) -> list[tuple[str, str]]:
        """Of its delegations, as they went through them."""
        return [(each.id, each.after) for each in self.events if isinstance(each, Transition)]

    def _tell(self, message: mail.ContextMail) -> None:
        self.mail.append(message)
        if isinstance(message, mail.WhenSent) and not self.slow:
            message.sent.set()

    def _publish(self, event: SessionEvent) -> None:
        self.events.append(event)
        self.delegation.hear(event)


class ByHand:
    """An agent that does what the test says."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.cancelled = 0
        self._answers: list[str | Exception] = []
        self._news = anyio.Event()

    def returns(self, answer: str | Exception) -> None:
        self._answers.append(answer)
        self._ring()

    async def work(self, count: int = 1) -> Work:
        """Until it was given so many; gives the last of them."""
        while len(self.works) < count:
            await self._news.wait()
        return self.works[count - 1]

    def _ring(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def __call__(self, work: Work) -> str:
        self.works.append(work)
        self._ring()
        try:
            while not self._answers:
                await self._news.wait()
        except BaseException:
            self.cancelled += 1
            raise
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def alone(delegate: Delegate, capabilities: Capabilities = V2) -> AsyncGenerator[Alone]:
    """Runs until the block is left."""
    one = Alone(delegate, capabilities)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.delegation.run, one.company)
        await settled()
        yield one
        tasks.cancel_scope.cancel()


async def settled() -> None:
    """Until everybody has done what there is to do, in virtual time."""
    await anyio.sleep(0.01)
