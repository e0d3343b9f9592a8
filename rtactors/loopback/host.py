"""What a server of ours is, whatever it speaks: it serves between `async with` and its end, never longer."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Self

import anyio
import msgspec
from anyio.abc import TaskGroup
from websockets.datastructures import Headers
from websockets.http11 import Response

PATH = "/v1/realtime"


class Host:
    """A failure of ours in what is served, such as a script that raises, ends the server with that failure."""

    def __init__(self) -> None:
        self._tasks: TaskGroup
        self._entered: AbstractAsyncContextManager[None]

    async def __aenter__(self) -> Self:
        self._entered = self._run()
        await self._entered.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        try:
            return await self._entered.__aexit__(exc_type, exc, traceback)
        except BaseExceptionGroup as group:
            _, others = group.split(lambda error: error is exc)
            if exc and not others:  # what was raised in the block leaves it as it was
                return False
            raise

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    async def _among_ours(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Let `serve` run among our tasks, so that its failure is ours, and return when it is done."""
        done = anyio.Event()

        async def served() -> None:
            try:
                await serve()
            finally:
                done.set()

        self._tasks.start_soon(served)
        await done.wait()


def refusal(status: HTTPStatus, message: str, *, code: str | None = None) -> Response:
    """The answer to a handshake that leads nowhere, as OpenAI gives it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = msgspec.json.encode({"error": error})
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status.value, status.phrase, headers, body)
