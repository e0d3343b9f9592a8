"""The companion that runs the session's tools: hears which functions the model calls, and knows which it may call."""

from collections.abc import Callable, Sequence
from typing import Any

from rtactors.channels import Inbox
from rtactors.companion import Companion, Company
from rtactors.events import Function
from rtactors.limits import Bounds
from rtactors.reply import ReplyRecord
from rtactors.session_events import CallsComplete, FunctionCalled, Interrupted, SessionEvent
from rtactors.tools.calls import Called, Calls, CallsMail
from rtactors.tools.tool import Tool, tools_of


class Runner(Companion):
    """Of one session. Raises ConfigurationError if one of `tools` is none, or two have the same name."""

    def __init__(self, tools: Sequence[Tool[..., Any] | Callable[..., Any]]) -> None:
        self._tools = tools_of(tools)
        self.functions = tuple(tool.declaration for tool in self._tools.values())
        self._lent: list[tuple[ReplyRecord, dict[str, Tool[..., Any]]]] = []
        self._inbox: Inbox[CallsMail] = Inbox("tools", Bounds().inbox)

    def lend(self, reply: ReplyRecord, tools: Sequence[Tool[..., Any] | Callable[..., Any]]) -> tuple[Function, ...]:
        """Tools for one reply, which come before the session's; raises as above. Gives what the server is told."""
        self._lent = [each for each in self._lent if not each[0].ended.is_set()]
        lent = tools_of(tools)
        self._lent.append((reply, lent))
        return tuple(tool.declaration for tool in lent.values())

    def hear(self, event: SessionEvent) -> None:
        match event:
            case FunctionCalled():
                self._inbox.send(Called(event, self._offered(event.response_id)))
            case CallsComplete() | Interrupted():
                self._inbox.send(event)
            case _:
                pass

    def _offered(self, response_id: str) -> dict[str, Tool[..., Any]]:
        lent = (tools for reply, tools in self._lent if reply.response_id == response_id)
        return self._tools | next(lent, {})

    async def run(self, company: Company) -> None:
        self._inbox.capacity = company.bounds.inbox
        await Calls(self._inbox, company).run()
