"""What an agent is given: a request with what was said about it, and the way to talk back while it works."""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from html import escape
from typing import Final, Self, TypeAlias

import anyio
from msgspec import Struct

from rtactors.delegation.transcript import Line

OUTPUT: Final = 64
"""Texts of the agent's that wait for the network; then `Work.progress` waits."""


class Request(Struct, frozen=True):
    """Something that the speech model asks of the agent."""

    id: str
    """That of the function call or handoff by which it came."""
    input: str
    """What is asked, in the model's words or the user's; if there are none, all that is new in the conversation."""
    transcript: tuple[Line, ...] = ()
    """What was said since the last request: of the user's words those that were understood by then, of the model's
    those that were heard, or, as long as that isn't known, generated."""

    @property
    def prompt(self) -> str:
        """All of it for a text model, as XML."""
        told = "\n".join(map(str, self.transcript))
        transcript = f"  <transcript_delta>{_xml(told)}</transcript_delta>\n" if told else ""
        return f"<realtime_delegation>\n  <input>{_xml(self.input)}</input>\n{transcript}</realtime_delegation>"


class Work:
    """A request, while an agent works on it.

    Requests that come meanwhile are for the agent that works: it reads them by `steering` or, between two steps, by
    `next_steering`. With what it leaves unread it is run again.
    """

    def __init__(
        self, request: Request, further: deque[Request], tell: "Callable[[Work, str], Awaitable[None]]"
    ) -> None:
        self.request = request
        self.over = False
        """True once the agent has returned, or was stopped."""
        self._further = further
        self._tell = tell
        self._news = anyio.Event()

    def __repr__(self) -> str:
        return f"Work({self.id!r}, {self.input!r})"

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def input(self) -> str:
        """What is asked."""
        return self.request.input

    @property
    def transcript(self) -> tuple[Line, ...]:
        """What was said since the last request."""
        return self.request.transcript

    @property
    def prompt(self) -> str:
        """All of it for a text model, as XML."""
        return self.request.prompt

    async def progress(self, text: str) -> None:
        """Let the speech model know how it goes. Waits while `OUTPUT` texts are on their way.

        Of a long text the beginning and the end are kept. What comes when the work is over is dropped.
        """
        await self._tell(self, text_of("progress", text))

    def steering(self) -> "Steering":
        """Further requests, as they come: `async for more in work.steering()`. Ends when the work is over."""
        return Steering(self)

    def next_steering(self) -> Request | None:
        """The next further request, if there is one."""
        return self._further.popleft() if self._further and not self.over else None

    async def news(self) -> None:
        """Until there is a further request, or the end."""
        await self._news.wait()

    def wake(self) -> None:
        """There is."""
        self._news.set()
        self._news = anyio.Event()

    def end(self) -> None:
        self.over = True
        self.wake()


class Steering:
    """The further requests of a work. (No generator: one that is left before its end is nobody's to close.)"""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Request:
        while not self._work.over:
            if request := self._work.next_steering():
                return request
            await self._work.news()
        raise StopAsyncIteration


Agent: TypeAlias = Callable[[Work], Awaitable[str]]
"""Does the work, and returns the answer. What it raises is told to the speech model as a failure, in a sentence."""

_UNSPEAKABLE: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML can't hold."""


def _xml(text: str) -> str:
    return escape(_UNSPEAKABLE.sub("\ufffd", text), quote=False)


def text_of(what: str, text: object) -> str:
    """`text` as UTF-8 has it: who makes texts of pieces may have half of a surrogate pair in one.

    Raises TypeError for what is none.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is a text, not a {type(text).__name__}")
    return text.encode(errors="replace").decode()
