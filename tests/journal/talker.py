"""A process that holds a conversation, for `test_kill` to kill.

`python -m tests.journal.talker URL FILE BACKEND RUN` talks with the server at URL, writes FILE, and prints a line of
JSON for all that it was told or has heard, as it happens: `[what, ...]`. Its first RUN is 0.
"""

import os
import sys
from collections.abc import Callable, Sequence

import anyio
from anyio.abc import TaskGroup
from msgspec import json

from rtactors import Session
from rtactors.journal import SqliteJournal
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, FunctionCalled
from rtactors.sinks import PacedSink
from rtactors.sinks.base import Progress, Report

SESSION = "the conversation"


def tell(*what: object) -> None:
    os.write(1, json.encode(what) + b"\n")  # at once, and in one piece


class TellingJournal(SqliteJournal):
    """Tells the number of the last record that it has."""

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        await super().append(session_id, first, records)
        tell("durable", first + len(records) - 1)


class TellingSink(PacedSink):
    """Tells what was heard before the session knows."""

    async def run(self, report: Callable[[Report], None]) -> None:
        def listen(heard: Report) -> None:
            if isinstance(heard, Progress):
                tell("heard", heard.message_id, heard.frames)
            report(heard)

        await super().run(listen)


async def listen(session: Session, tasks: TaskGroup) -> None:
    async for event in session.events():
        match event:
            case AgentSaid():
                tell("said", event.message)
            case FunctionCalled():
                tell("called", event.call_id, event.resumed)
                tasks.start_soon(answer, session, event.call_id)
            case _:
                pass


async def answer(session: Session, call_id: str) -> None:
    await session.answer_call(call_id, "done")
    tell("answered", call_id)
    await session.generate_reply()


async def talk(session: Session, run: int) -> None:
    for turn in range(1000):
        note = await session.add("Never mind.", role="system")
        text = f"Turn {turn} of run {run}."
        reply = await session.ask(text)
        tell("asked", text)
        await session.remove(note)
        tell("removed", note)
        if turn % 3 == 2:
            await reply.started()
            await anyio.sleep(0.4)
            await session.interrupt()
        await reply.done()


async def main(url: str, file: str, run: int) -> None:
    provider = OpenAIRealtime(api_key="", websocket_base_url=url)
    sink = TellingSink(progress_ms=50)
    async with TellingJournal(file) as journal:
        if run:
            session = Session.resume(journal, SESSION, provider, sink=sink)
        else:
            session = Session(provider, sink=sink, journal=journal, session_id=SESSION)
        async with session, anyio.create_task_group() as tasks:
            tell("opened", session.history)
            tasks.start_soon(listen, session, tasks)
            await session.quiet()
            tell("restored")
            await talk(session, run)


if __name__ == "__main__":
    _, url, file, backend, run = sys.argv
    anyio.run(main, url, file, int(run), backend=backend)
