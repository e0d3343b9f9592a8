"""The keyboard, or whatever else stdin is (a pipe, a file): its lines, as they come.

A thread reads it, since that works for all of them and on every event loop. It is never waited for: it ends with the
process, and it reads the file descriptor itself, so that it holds no lock that Python needs at its end.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from math import inf
from threading import Thread

import anyio
from anyio.abc import ObjectReceiveStream
from anyio.from_thread import BlockingPortal

STDIN = 0


@asynccontextmanager
async def typed_lines() -> AsyncGenerator[ObjectReceiveStream[str]]:
    """A stream of lines without their ends, which ends with stdin."""
    send, receive = anyio.create_memory_object_stream[str](inf)
    async with BlockingPortal() as portal:

        def read() -> None:
            rest = b""
            with suppress(RuntimeError):  # the portal is closed: nobody listens any more
                while piece := _read():
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        portal.call(send.send_nowait, line.decode(errors="replace").strip())
                if rest:
                    portal.call(send.send_nowait, rest.decode(errors="replace").strip())
                portal.call(send.close)

        Thread(target=read, name="keyboard", daemon=True).start()
        with send, receive:
            yield receive


def _read() -> bytes:
    try:
        return os.read(STDIN, 4096)
    except OSError:  # closed
        return b""
