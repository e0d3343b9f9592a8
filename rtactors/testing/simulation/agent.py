"""The agent of a simulated conversation: works for a while, tells of it, fails, and writes down what it was asked."""

import anyio

from rtactors.delegation import Delegate, Request, Work
from rtactors.testing.evidence import Worked
from rtactors.testing.simulation.plan import Agent, Plan
from rtactors.testing.simulation.watched import AppRecord


def delegate_of(plan: Plan, app: AppRecord) -> Delegate | None:
    """What the session is given; `app` has what it did."""
    if plan.agent is None:
        return None
    return Delegate(_Agent(plan.agent, app), grace=plan.agent.grace_ms / 1000, speak_progress=plan.agent.speaks)


class _Agent:
    def __init__(self, agent: Agent, app: AppRecord) -> None:
        self._agent = agent
        self._app = app

    async def __call__(self, work: Work) -> str:
        agent = self._agent
        worked = Worked(request_ids=[work.id], inputs=[work.input], at=anyio.current_time())
        self._app.works.append(worked)
        try:
            for step in range(agent.progress + 1):
                await anyio.sleep(agent.ms / 1000 / (agent.progress + 1))
                while agent.reads and (more := work.next_steering()):
                    _note(worked, more)
                if step < agent.progress:
                    worked.progress.append(f"step {step} of {work.id}")
                    await work.progress(worked.progress[-1])
            worked.end = "raised" if agent.raises else "returned"
            if not (agent.raises or agent.mute):
                worked.answer = f"the answer to {', '.join(worked.request_ids)}"
        finally:
            worked.end = worked.end or "cancelled"
            worked.ended_at = anyio.current_time()
        if agent.raises:
            raise LookupError(work.id)
        return worked.answer


def _note(worked: Worked, more: Request) -> None:
    worked.request_ids.append(more.id)
    worked.inputs.append(more.input)
