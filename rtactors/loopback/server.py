"""The embedded provider as a server: over real websockets on loopback, or over sockets in memory.

To talk to it with OpenAI's own client: `AsyncOpenAI(api_key="none", websocket_base_url=server.url)`.
"""

import hmac
import ipaddress
import math
import re
import secrets
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TypedDict, Unpack
from urllib.parse import parse_qs, urlsplit

import anyio
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from rtactors.errors import ConfigurationError
from rtactors.loopback.faults import Faults
from rtactors.loopback.host import PATH, Host, refusal
from rtactors.loopback.log import Listener
from rtactors.loopback.outbox import ServerSocket
from rtactors.loopback.recognizer import Recognizer
from rtactors.loopback.script import Script, Timing, story
from rtactors.loopback.session import AtLimit, Session, Shared
from rtactors.loopback.vad import Loudness, Vad
from rtactors.loopback.voice import EspeakVoice, ToneVoice, Voice
from rtactors.loopback.websocket import ServerWebsocket, serve_websockets
from rtactors.providers.base import Endpoint
from rtactors.transports.base import Socket
from rtactors.transports.failures import connection_failed
from rtactors.transports.memory import MemorySocket, socket_pair

MOST_SESSIONS = 1000
"""At a time; one more is refused with 503."""
OPENAI_LIMIT_S = 60 * 60
TOKEN_BYTES = 6
"""Of randomness in a server's ids. The longest (`call_item_...`) then has 29 characters: 32 are allowed."""
_KEY_SUBPROTOCOL = "openai-insecure-api-key."
_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Options(TypedDict, total=False):
    """How a server behaves, whatever it is reached by."""

    voice: Voice
    """How it sounds."""
    vad: Vad
    """How it finds speech (`Loudness`)."""
    recognizer: Recognizer
    """Who tells what the user said; without one nobody knows."""
    timing: Timing
    faults: Faults
    keep: bool
    """Hold the sessions that have ended, and the log of each, for reading (True). False for a server that runs long."""
    listener: Listener
    """Is told every event of every session."""
    admit: Callable[[int], HTTPStatus | None]
    """Is asked with the number of each connection, the first being 1: None takes it, a status refuses it."""
    session_limit_s: float
    """How long a session may last, from its first event. On a `Server` an hour, as at OpenAI; on a `MemoryServer` there
    is no limit, so that virtual time finds what waits for ever."""
    at_limit: AtLimit
    """How it ends then: with a close frame that says so (1001), or with the error `session_expired`, then a close."""
    obeys_turn_settings: bool
    """False: it takes `interrupt_response` and `create_response`, and acts as if they were true (True)."""
    word_times: bool
    """Tell with each word of a transcript when it is spoken (`start_time`), as xAI's servers do (False)."""


class _Sessions(Host):
    """What both servers are: the sessions that they serve."""

    def __init__(
        self,
        script: Script,
        voice: Callable[[], Voice],
        options: Options,
        *,
        token: str = "",
        session_limit_s: float = math.inf,
    ) -> None:
        super().__init__()
        self.sessions: list[Session] = []
        """In the order in which they began."""
        self._open = 0
        self._token = token
        self._numbers: Counter[str] = Counter()
        self._admit = options.get("admit", _everybody)
        self._shared = Shared(
            script=script,
            voice=options.get("voice") or voice(),
            vad=options.get("vad", Loudness),
            recognizer=options.get("recognizer"),
            timing=options.get("timing") or Timing(),
            faults=options.get("faults") or Faults(),
            keep=options.get("keep", True),
            listener=options.get("listener"),
            session_limit_s=options.get("session_limit_s", session_limit_s),
            at_limit=options.get("at_limit", "close"),
            obeys_turn_settings=options.get("obeys_turn_settings", True),
            word_times=options.get("word_times", False),
            new_id=self._new_id,
        )

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            if self._shared.recognizer:
                await stack.enter_async_context(self._shared.recognizer)
            await stack.enter_async_context(super()._run())
            yield

    async def _serve(self, connection: ServerSocket, model: str) -> None:
        session = Session(self._shared, connection, model)
        self.sessions.append(session)
        self._open += 1
        try:
            await session.run()
        finally:
            self._open -= 1
            if not self._shared.keep:
                self.sessions.remove(session)
            with anyio.CancelScope(shield=True):
                await connection.close()

    def _not_admitted(self) -> Response | None:
        """For one more connection, if it is not to be taken."""
        if self._open >= MOST_SESSIONS:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"There are {MOST_SESSIONS} sessions already.")
        self._numbers["connection"] += 1
        status = self._admit(self._numbers["connection"])
        return refusal(status, status.description or status.phrase) if status else None

    def _new_id(self, kind: str) -> str:
        """No two things that we name are ever named alike, in whichever sessions they are."""
        self._numbers[kind] += 1
        return f"{kind}_{self._token}{self._numbers[kind]:06}"


class MemoryServer(_Sessions):
    """Serves without a network, and speaks with tones if no other voice is given: for virtual time.

    The same conversation gives the same ids.
    """

    def __init__(self, script: Script = story, **options: Unpack[Options]) -> None:
        super().__init__(script, ToneVoice, options)

    @asynccontextmanager
    async def connect(self, endpoint: Endpoint) -> AsyncGenerator[Socket]:
        """As a `rtactors.transports.base.Connect`: takes the model from the URL, and anything else as it is."""
        if refused := self._not_admitted():
            raise connection_failed(endpoint, InvalidStatus(refused), timeout_s=math.inf)
        client, ours = socket_pair()
        self._tasks.start_soon(self._serve, _MemoryConnection(ours), _model(endpoint.url) or "gpt-realtime-2")
        try:
            yield client
        finally:
            await client.close()


class _MemoryConnection:
    """The server's end of a pair of sockets."""

    def __init__(self, ours: MemorySocket) -> None:
        self._drop = ours.drop
        self.send = ours.send
        self.receive = ours.receive
        self.close = ours.close

    async def cut(self, frame: str, at_byte: int) -> None:
        """Half a frame is no frame: nothing of it arrives."""
        del frame, at_byte
        self._drop()


class Server(_Sessions):
    """Serves websockets at `url`, on asyncio and trio; speaks with eSpeak if no other voice is given.

    With `api_key` a client has to know it. A `host` that others can reach demands one. Raises ConfigurationError if it
    can't be served there. Without a key, web pages of other origins than this machine are refused.

    Its ids are no other server's: a client may bring items here that another one named.
    """

    def __init__(
        self,
        script: Script = story,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        token = secrets.token_hex(TOKEN_BYTES) + "_"
        super().__init__(script, EspeakVoice, options, token=token, session_limit_s=OPENAI_LIMIT_S)
        self._host = host
        self._port = port
        self._api_key = api_key
        self.public = True
        """Whether other machines can reach it."""
        try:
            with self._listen(0) as listener:
                self._check(listener)
        except (OSError, UnicodeError):  # another machine's, or nobody's
            raise ConfigurationError(
                f"{host} is no host of this machine: serve on 127.0.0.1, or on 0.0.0.0 for all"
            ) from None

    @property
    def url(self) -> str:
        """The base URL for websockets, as the SDK's `websocket_base_url`: `ws://127.0.0.1:1234/v1`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}{PATH.removesuffix('/realtime')}"

    @property
    def base_url(self) -> str:
        """The same as the SDK's `base_url`: `http://127.0.0.1:1234/v1`."""
        return self.url.replace("ws://", "http://")

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None]:
        with self._bind() as listener:
            self._port = listener.getsockname()[1]
            async with anyio.create_task_group() as acceptors, super()._run():
                accept = partial(serve_websockets, acceptors, listener, self._handle, self._refuse)
                async with accept(origins=None if self._api_key else [None, _LOCAL_ORIGIN]):
                    yield

    def _bind(self) -> socket.socket:
        try:
            listener = self._listen(self._port)
        except OSError as error:
            reason = (error.strerror or str(error)).partition(" (while")[0]  # what Python adds
            what = f"cannot serve on {self._host} port {self._port} ({reason}): choose another port, or 0"
            raise ConfigurationError(what) from error
        try:
            self._check(listener)
        except ConfigurationError:
            listener.close()
            raise
        return listener

    def _listen(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        return socket.create_server((self._host, port), family=family)

    def _check(self, listener: socket.socket) -> None:
        """The address counts, not its name: what `localhost` is, is up to the machine."""
        self.public = not ipaddress.ip_address(listener.getsockname()[0]).is_loopback
        if self.public and not self._api_key:
            raise ConfigurationError(
                f"{self._host} can be reached by others: give the server an api_key, or serve on 127.0.0.1"
            )

    async def _handle(self, connection: ServerWebsocket, path: str) -> None:
        """The connection lasts as long as the session."""
        await self._among_ours(partial(self._serve, connection, _model(path)))

    def _refuse(self, request: Request) -> Response | None:
        """The answers of OpenAI to what is wrong in the handshake; None if nothing is."""
        path = urlsplit(request.path).path
        if path != PATH:
            return refusal(HTTPStatus.NOT_FOUND, f"Invalid URL (GET {path})")
        if self._api_key:
            given = _given_key(request.headers)
            if not given:
                return refusal(HTTPStatus.UNAUTHORIZED, "Missing bearer or basic authentication in header")
            if not hmac.compare_digest(given.encode(), self._api_key.encode()):
                message = f"Incorrect API key provided: {given[:3]}***."
                return refusal(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key")
        if not _model(request.path):
            message = "You must provide a model parameter: this server takes ?model=<any name>, and nothing else."
            return refusal(HTTPStatus.BAD_REQUEST, message, code="missing_model")
        return self._not_admitted()


def _everybody(_number: int) -> None:
    pass


def _given_key(headers: Headers) -> str:
    bearer, _, key = headers.get("Authorization", "").partition(" ")
    if bearer.lower() == "bearer":
        return key.strip()
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    keys = [one.strip() for one in offered if one.strip().startswith(_KEY_SUBPROTOCOL)]
    return keys[0].removeprefix(_KEY_SUBPROTOCOL) if keys else ""


def _model(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("model", [""])[0]
