"""Delegation: a speech model talks to the user, and gives the work to a text agent behind it.

async def plan(work: Work) -> str:
    await work.progress("Looking at the map.")
    return best_route(work.input)

async with Session(OpenAIRealtime(), sink=Speaker(), delegate=Delegate(plan)) as session: ...
"""

from rtactors.delegation.by_actor import Job, by_actor
from rtactors.delegation.companion import Delegation
from rtactors.delegation.delegate import Delegate
from rtactors.delegation.startup import Budget, Thread, startup_context, with_context
from rtactors.delegation.transcript import Line
from rtactors.delegation.work import Agent, Request, Work

__all__ = [
    "Agent",
    "Budget",
    "Delegate",
    "Delegation",
    "Job",
    "Line",
    "Request",
    "Thread",
    "Work",
    "by_actor",
    "startup_context",
    "with_context",
]
