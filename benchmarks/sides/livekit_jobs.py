"""What a call takes in livekit-agents as it is deployed: a process for each job, made by its own `AgentServer`.

    build/bench/livekit-agents/bin/python benchmarks/sides/livekit_jobs.py URL JOBS

Its worker runs by its defaults (a forkserver that has imported the framework and its plugins, a pool of processes that
wait) but for a port of its own and `unregistered=True`, since there is no LiveKit server here; jobs come as its console
makes them, with a stand-in for the room, which takes 2 MB. In each, the `AgentSession` of `livekit_agents.py` has one
reply heard. It prints one line of JSON: what each of these processes takes then, as in `base.memory`.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from base import memory
from livekit.agents import AgentServer, JobContext
from livekit_agents import open_call

URL, SOCKET = "BENCHMARK_URL", "BENCHMARK_SOCKET"
"""How a job knows where to call, and whom to tell what it takes."""
LIMIT_S = 60

server = AgentServer(host="127.0.0.1", port=0)


@server.rtc_session()
async def talk(_job: JobContext) -> None:
    async with open_call(os.environ[URL], captions=True) as call:
        await call.reply()
        reader, writer = await asyncio.open_unix_connection(os.environ[SOCKET])
        writer.write(json.dumps(memory()).encode() + b"\n")
        await reader.read()  # until all of them are known, and nobody is needed any more


async def main(jobs: int) -> None:
    taken: list[dict[str, float]] = []
    known = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        taken.append(json.loads(await reader.readline()))
        if len(taken) == jobs:
            known.set()
        await known.wait()  # its job stays until then

    started = asyncio.Event()
    server.once("worker_started", started.set)
    running = asyncio.create_task(server.run(unregistered=True))
    try:
        async with asyncio.timeout(LIMIT_S), await asyncio.start_unix_server(hear, os.environ[SOCKET]):
            await started.wait()
            for _ in range(jobs):
                await server.simulate_job("benchmark", fake_job=True)
            await known.wait()
        print(json.dumps(taken), flush=True)
    except TimeoutError:
        print(f"{len(taken)} of {jobs} jobs were there after {LIMIT_S} s: {running}", file=sys.stderr)


if __name__ == "__main__":
    os.setpgrp()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {URL: sys.argv[1], SOCKET: str(Path(folder) / "socket")}
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main(int(sys.argv[2])))
    os.killpg(0, signal.SIGKILL)  # otherwise the processes of its pool wait for one another
