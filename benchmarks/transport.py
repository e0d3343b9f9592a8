"""What a frame costs from the socket to whoever takes it: for looking at changes of the transport.

    python -m benchmarks.transport [--loop uvloop] [--tls] [--rounds 5] [--calls 50]

One process receives the same traffic by each client in turn, in rounds of alternating order: deltas of 20 ms at the
pace of speech, so that nearly each frame finds an idle loop and wakes it up. Nothing is decoded. CPU time is that of
this process, per frame, with what every client pays: the loop's poll, and the system's read. picows takes part if it is
installed (`pip install picows`). With `--tls` a process in between speaks TLS with us.
"""

import argparse
import asyncio
import gc
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from websockets.asyncio.client import connect as connect_websockets

from benchmarks.processes import traffic
from rtactors.providers.base import Endpoint, Frame
from rtactors.transports.base import listen
from rtactors.transports.websocket import READ_BYTES, connect

SECONDS = 2
ASK = '{"type": "response.create"}'
CERTIFICATE = Path(__file__).parents[1] / "tests" / "transports" / "localhost.pem"

Hear: TypeAlias = Callable[[], Awaitable[int]]
"""Ask for a reply and receive all of it; how many frames that were."""
Client: TypeAlias = Callable[[str], AbstractAsyncContextManager[Hear]]
"""Connects to a URL."""


def is_last(frame: Frame) -> bool:
    return b"response.done" in frame if isinstance(frame, bytes) else "response.done" in frame


@asynccontextmanager
async def websockets(url: str, *, read_bytes: int = READ_BYTES) -> AsyncGenerator[Hear]:
    async with connect_websockets(url, compression=None, max_size=None) as socket:
        if hasattr(socket.transport, "max_size"):  # TLS and uvloop have other ways to read
            socket.transport.max_size = read_bytes  # pyright: ignore[reportAttributeAccessIssue] - asyncio's, untyped

        async def hear() -> int:
            await socket.send(ASK)
            frames = 1
            while not is_last(await socket.recv(decode=False)):
                frames += 1
            return frames

        yield hear


@asynccontextmanager
async def rtactors(url: str, *, listens: bool) -> AsyncGenerator[Hear]:
    async with connect(Endpoint(url=url)) as socket:

        async def hear() -> int:
            await socket.send(ASK)
            frames = 0

            def take(frame: Frame) -> bool:
                nonlocal frames
                frames += 1
                return not is_last(frame)

            if listens:
                await listen(socket, take)
            else:
                while take(await socket.receive()):
                    pass
            return frames

        yield hear


@asynccontextmanager
async def picows(url: str) -> AsyncGenerator[Hear]:
    """Told in its callback, by its own transport, `aiofastnet`."""
    library: Any = import_module("picows")
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Listener(library.WSListener):
        frames = 0

        def on_ws_frame(self, transport: object, frame: Any) -> None:  # noqa: ANN401, ARG002 - it has no types
            self.frames += 1
            if is_last(frame.get_payload_as_utf8_text()):
                done.set_result(self.frames)

    transport, _ = await library.ws_connect(Listener, url)

    async def hear() -> int:
        transport.send(library.WSMsgType.TEXT, ASK.encode())
        return await done

    yield hear
    transport.disconnect()
    await transport.wait_disconnected()


CLIENTS: dict[str, Client] = {
    "websockets": partial(websockets, read_bytes=2**18),  # asyncio's own
    "websockets, 64 KiB reads": websockets,
    "rtactors, receive": partial(rtactors, listens=False),
    "rtactors, listen": partial(rtactors, listens=True),
}
if find_spec("picows"):
    CLIENTS["picows, callback"] = picows


async def measure(client: Client, url: str, calls: int) -> float:
    """CPU microseconds per frame."""
    async with AsyncExitStack() as stack:
        hears = [await stack.enter_async_context(client(url)) for _ in range(calls)]
        gc.collect()
        before = process_time()
        frames = await asyncio.gather(*(hear() for hear in hears))
        return (process_time() - before) / sum(frames) * 1e6


async def measure_all(url: str, rounds: int, calls: int) -> None:
    took: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for number in range(rounds + 1):
        for name in CLIENTS if number % 2 else reversed(CLIENTS):
            microseconds = await measure(CLIENTS[name], url, calls)
            if number:  # the first round is for warming up
                took[name].append(microseconds)
    lean = took["websockets, 64 KiB reads"]
    for name, times in took.items():
        ratio = median(time / other for time, other in zip(times, lean, strict=True))
        print(f"{name:28}{median(times):6.1f} us ({min(times):.1f} to {max(times):.1f}){ratio:8.2f}")


@contextmanager
def behind_tls(url: str) -> Generator[str]:
    """The same server, by TLS."""
    command = [sys.executable, "-m", "benchmarks.transport", "--speak-tls-for", str(urlsplit(url).port)]
    os.environ["SSL_CERT_FILE"] = str(CERTIFICATE)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"wss://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.terminate()


async def speak_tls_for(port: int) -> None:
    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, server_writer), pipe(server_reader, writer), return_exceptions=True)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--speak-tls-for", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.speak_tls_for:
        asyncio.run(speak_tls_for(options.speak_tls_for))
        return
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if options.loop == "uvloop":
        factory = import_module("uvloop").new_event_loop
    with traffic() as server, behind_tls(server.url) if options.tls else nullcontext(server.url) as url:
        server.script(delta_ms=20, seconds=SECONDS)
        print(f"{options.calls} calls, 20 ms, {options.loop}{options.tls * ', TLS'}; CPU a frame, and as a ratio")
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(measure_all(f"{url}/realtime?model=gpt-realtime", options.rounds, options.calls))


if __name__ == "__main__":
    main()
