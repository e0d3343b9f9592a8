"""The embedded provider for `soak.py`, in a process of its own, so that what it takes isn't counted with the sessions.

It prints its port, and ends when its standard input is closed.
"""

import sys
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from msgspec.structs import replace

from rtactors.loopback.script import IMMEDIATE, replies
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice

SCRIPT = replies(["The first of two.", "And the second."])
TIMING = replace(IMMEDIATE, delta_ms=100)  # it is the sessions that are to work


async def main() -> None:
    async with Server(SCRIPT, voice=ToneVoice(40), timing=TIMING, keep=False) as server:
        print(urlsplit(server.url).port, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(main)
