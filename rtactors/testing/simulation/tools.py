"""The tools of a simulated conversation: functions that take their time, tell of it, raise, and write down each run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from rtactors.testing import evidence
from rtactors.testing.evidence import Run
from rtactors.testing.simulation.plan import Function, Plan
from rtactors.testing.simulation.provider import tool_name
from rtactors.testing.simulation.watched import AppRecord
from rtactors.tools import Call, Tool


def tools_of(plan: Plan, app: AppRecord) -> list[Tool[..., Any]]:
    """What the session is given; `app` has the runs."""
    return [
        Tool(
            _function(function, tool_name(number), app),
            name=tool_name(number),
            timeout=function.timeout_ms / 1000,
            on_interrupt="cancel" if function.cancels else "finish",
            reply=function.replies,
        )
        for number, function in enumerate(plan.tools)
    ]


def set_up(plan: Plan) -> Mapping[str, evidence.Tool]:
    """The same for the judge."""
    return {
        tool_name(number): evidence.Tool(
            timeout=function.timeout_ms / 1000, cancels=function.cancels, replies=function.replies
        )
        for number, function in enumerate(plan.tools)
    }


def _function(function: Function, name: str, app: AppRecord) -> Callable[..., Awaitable[str]]:
    async def work(what: str, call: Call) -> str:
        """Looks something up."""
        run = Run(call_id=call.id, name=name, given=what, at=anyio.current_time())
        app.runs.append(run)
        try:
            for step in range(function.progress):
                await anyio.sleep(function.ms / 1000 / (function.progress + 1))
                run.says += function.says
                await call.progress(f"step {step}", say=function.says)
            await anyio.sleep(function.ms / 1000 / (function.progress + 1))
            run.end = "raised" if function.raises else "returned"
            run.output = f"what was found of {what} for {call.id}"
        finally:
            run.end = run.end or "cancelled"
            run.ended_at = anyio.current_time()
        if function.raises:
            raise LookupError(run.output)
        return run.output

    return work
