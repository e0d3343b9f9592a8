"""The companion that runs the session's tools: hears which functions the model calls, and knows which it may call."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from rtactors.channels import Inbox
from rtactors.companion import Companion, Company
from rtactors.errors import ConfigurationError
from rtactors.events import Function
from rtactors.flag import Flag
from rtactors.limits import Bounds
from rtactors.reply import ReplyRecord
from rtactors.session_events import CallsComplete, FunctionCalled, Interrupted, SessionEvent
from rtactors.tools.calls import Called, Calls, CallsMail
from rtactors.tools.tool import Tool, tools_of

_REMEMBERED = 64
"""Replies that are over and had tools of their own."""


class Runner(Companion):
    """Of one session. Raises ConfigurationError if one of `tools` is none, two have the same name, or one has that of a
    function that is `declared` otherwise: by the provider's settings, or for the delegate.
    """

    def __init__(
        self, tools: Sequence[Tool[..., Any] | Callable[..., Any]], declared: Collection[str] = frozenset()
    ) -> None:
        self._tools = tools_of(tools)
        if twice := [name for name in self._tools if name in declared]:
            raise ConfigurationError(
                f"the provider's settings, or the delegate, declare the function {twice[0]!r}, and so does a tool of "
                "the session: leave it out of one of them"
            )
        self._declared = declared
        self.functions = tuple(tool.declaration for tool in self._tools.values())
        self._lent: list[tuple[ReplyRecord, dict[str, Tool[..., Any]]]] = []
        self._inbox: Inbox[CallsMail] = Inbox("tools", Bounds().inbox)
        self._called = Flag()

    def lend(self, reply: ReplyRecord, tools: Sequence[Tool[..., Any] | Callable[..., Any]]) -> tuple[Function, ...]:
        """Tools for one reply, which come before the session's; raises as above. Gives what the server is told."""
        lent = tools_of(tools)
        over = [each for each in self._lent if each[0].ended.is_set()]  # their calls may still wait to be handed over
        for each in over[:-_REMEMBERED]:
            self._lent.remove(each)
        self._lent.append((reply, lent))
        return tuple(tool.declaration for tool in lent.values())

    def hear(self, event: SessionEvent) -> None:
        match event:
            case FunctionCalled():
                offered = self._offered(event.response_id)
                if event.name in offered or event.name not in self._declared:
                    self._inbox.send(Called(event, offered))
                    self._called.set()
            case CallsComplete() | Interrupted() if self._called.is_set():
                self._inbox.send(event)
            case _:
                pass

    def _offered(self, response_id: str) -> dict[str, Tool[..., Any]]:
        for reply, tools in self._lent:
            if reply.response_id == response_id:
                return self._tools | tools
        return self._tools

    async def run(self, company: Company) -> None:
        self._inbox.capacity = company.bounds.inbox
        await self._called.wait()  # in most sessions nothing is: there is no need to have what would run it
        await Calls(self._inbox, company).run()
