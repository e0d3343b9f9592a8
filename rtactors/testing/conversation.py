"""A whole conversation in a test: a session, the embedded provider and a sink, judged when it is over.

    async with conversation(replies(["First.", "Second."])) as talk:
        reply = await talk.ask("Tell me.")
        await talk.sink.play(300)      # so much is heard
        await talk.speak()             # the user speaks over it
        await talk.session.quiet()
        assert talk.held("assistant") == [...]

In memory it runs in virtual time (`rtactors.testing.clock`); with `sockets=True` the same goes over real websockets,
and with a plan as `chaos` through a network that fails (`rtactors.testing.chaos`). At its end the session is closed and
`check_invariants` is called, so that a test of anything is a test of all that must always hold.
"""

import math
from array import array
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from typing import Any, TypeVar, Unpack
from urllib.parse import urlsplit

import anyio
from anyio.lowlevel import checkpoint

from rtactors.alignment import EvenAligner, SpeechAligner
from rtactors.errors import RtactorsError, SessionClosed
from rtactors.history import HistoryItem
from rtactors.journal.base import Journal
from rtactors.journal.recall import ledger_of, recall
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.loopback.conversation import BYTES_PER_MS, Snapshot
from rtactors.loopback.conversation import RATE as SERVER_RATE
from rtactors.loopback.log import Log
from rtactors.loopback.script import IMMEDIATE, Script, story
from rtactors.loopback.server import MemoryServer, Options, Server
from rtactors.loopback.session import Session as ServerSession
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.recording import Recorder
from rtactors.reply import Reply
from rtactors.session import Session, Wanted, WantedReply, WantedWords
from rtactors.session_events import ConnectionChanged, MessageShown, SessionEvent, Transition
from rtactors.sinks.base import Report, Sink
from rtactors.testing.chaos import ChaosProxy, Plan
from rtactors.testing.ears import Ears
from rtactors.testing.evidence import HAIR_S, Connection, Evidence
from rtactors.testing.eyes import Eyes, SeenSession
from rtactors.testing.invariants import check_invariants
from rtactors.testing.stepped_sink import SteppedSink
from rtactors.testing.voice import HeardVoice
from rtactors.transports.base import Connect, Socket
from rtactors.transports.websocket import connect
from rtactors.voices.base import Voice

EventT = TypeVar("EventT")

MS_PER_CHARACTER = 60
"""How fast the server speaks here: the same for each character, so that a text's length says how long it sounds."""
PATIENCE_S = 40
"""After so long a conversation over sockets is given up. (In virtual time a wait without an end is a `Deadlock`.)"""
AT_ONCE = Backoff(first=0.01, luck=lambda: 1.0)
"""A lost connection is made again with hardly a pause, and the same one each time."""
ALL_EVENTS = 1 << 20
"""Session events that are kept for the end: all of them."""


class Conversation:
    """What a test holds of it."""

    def __init__(
        self, session: Session, server: MemoryServer | Server, ears: Ears, sink: Sink, voice: HeardVoice | None = None
    ) -> None:
        self.session = session
        self.server = server
        self.ears = ears
        self.eyes = Eyes(ears)
        self.replies: list[Reply] = []
        """All that were asked for, here or by the test."""
        self.spoken: dict[str, str] = {}
        """What the session's own voice was to say, by the ids of the replies."""
        self.removed: set[str] = set()
        """Ids of items that the test took out of the history."""
        self.failure: RtactorsError | None = None
        """Why the session ended on its own."""
        self.proxy: ChaosProxy
        """What it goes through, if there is `chaos`."""
        self.cut_mark = ""
        """The session's."""
        self.cut_off = False
        """True if the network let nothing through when the session ended: the server could not be told how."""
        self.events: list[SessionEvent] = []
        """The session's, as far as `until` has read them; all of them, once it is over."""
        self.virtual = isinstance(server, MemoryServer)
        """False if time is real."""
        self._sink = sink
        self._voice = voice
        self._news = session.events()

    # -- the two sides of the wire

    @property
    def sink(self) -> SteppedSink:
        """The device, if the test was given none of its own."""
        assert isinstance(self._sink, SteppedSink)
        return self._sink

    @property
    def wire(self) -> ServerSession:
        """The server's side of the newest connection."""
        return self.server.sessions[-1]

    @property
    def log(self) -> Log:
        return self.wire.log

    def items(self, role: str | None = None) -> list[Snapshot]:
        """What the server holds, in order; all of it, or what is of one role."""
        return [item for item in self.wire.items if role in {None, item.role}]

    def held(self) -> list[tuple[str, int]]:
        """Of the model's messages: which the server holds, and how many ms of each."""
        return [(item.id, item.audio_ms) for item in self.items("assistant")]

    def said(self) -> list[HistoryItem]:
        """The model's messages in the chat history."""
        return [item for item in self.session.history if item.role == "assistant"]

    def heard(self) -> list[tuple[str, int]]:
        """Which messages were heard, and how many ms of each, in the order heard."""
        rate = self.ears.rate
        return [(segment.message_id, segment.heard_ms(rate)) for segment in self.ears.heard if segment.heard_ms(rate)]

    def sent(self, event_type: str) -> list[Any]:
        """What the client sent of one type, as it stands on the wire."""
        return [record.json for record in self.log.received if record.type == event_type]

    # -- the app

    async def ask(self, text: str = "Tell me a story.", **wanted: Unpack[Wanted]) -> Reply:
        reply = await self.session.ask(text, **wanted)
        self.replies.append(reply)
        return reply

    async def generate_reply(self, **wanted: Unpack[WantedReply]) -> Reply:
        reply = await self.session.generate_reply(**wanted)
        self.replies.append(reply)
        return reply

    async def say(self, text: str, **wanted: Unpack[WantedWords]) -> Reply:
        reply = await self.session.say(text, **wanted)
        self.replies.append(reply)
        if self._voice:
            self.spoken[reply.id] = text
        return reply

    def shown(self) -> dict[str, str]:
        """What the app was told to show of each message, as far as `until` has read the session's events."""
        shown: dict[str, str] = {}
        for event in self.events:
            if isinstance(event, MessageShown):
                shown[event.message_id] = shown.get(event.message_id, "") + event.text
        return shown

    # -- the user

    async def speak(self, ms: int = 200) -> None:
        """The user speaks, all at once and loud enough to be heard; goes on until `fall_silent`."""
        begun = len(self.log.find("input_audio_buffer.speech_started"))
        await self.session.send_audio(speech(ms))
        await self.log.wait("input_audio_buffer.speech_started", begun + 1)

    async def fall_silent(self, ms: int = 600) -> None:
        """The user's turn is over."""
        ended = len(self.log.find("input_audio_buffer.speech_stopped"))
        await self.session.send_audio(bytes(ms * BYTES_PER_MS))
        await self.log.wait("input_audio_buffer.speech_stopped", ended + 1)

    # -- what is waited for

    async def reaches(self, chart: str, state: str) -> Transition:
        """Until something has come into a state of its chart, such as `"response", "finishing"`."""
        return await self.first(
            lambda event: isinstance(event, Transition) and (event.chart, event.after) == (chart, state),
            f"no {chart} came to be {state}",
        )

    async def connected(self, times: int) -> None:
        """Until the session has taken so many connections into use."""
        seen = 0

        def is_it(event: SessionEvent) -> bool:
            nonlocal seen
            seen += isinstance(event, ConnectionChanged) and event.state == "connected"
            return seen == times

        await self.first(is_it, f"there were fewer than {times} connections")

    async def tells(self, what: type[EventT], count: int = 1) -> EventT:
        """Until the session has told so many events of this type; gives the last of them."""
        seen = 0

        def is_it(event: SessionEvent) -> bool:
            nonlocal seen
            seen += isinstance(event, what)
            return seen == count

        return await self.first(is_it, f"there were fewer than {count} {what.__name__}")

    async def first(self, is_it: Callable[[SessionEvent], bool], otherwise: str) -> Any:  # noqa: ANN401 - its callers know
        """The first of the session's events of which `is_it` is true; if there is none, then `otherwise`."""
        for event in self.events:
            if is_it(event):
                return event
        async for event in self._news:
            self.events.append(event)
            if is_it(event):
                return event
        raise AssertionError(f"the session is over, and {otherwise}")

    async def time_passes(self, seconds: float) -> None:
        """If time is virtual. Real time passes by itself, and no test should wait for it."""
        if self.virtual:
            await anyio.sleep(seconds)

    async def over(self) -> None:
        """Read what is left of the session's events, once it is over."""
        self.events += [event async for event in self._news]

    def evidence(self, **more: Any) -> Evidence:  # noqa: ANN401 - fields of Evidence
        """What is known of it at this moment; `more` replaces what is given here."""
        states = [event.state for event in self.events if isinstance(event, ConnectionChanged)]
        there = states[-2:][0] in {"connected", "preparing", "prepared"} if states else True
        last = self.server.sessions[-1:]
        connections = tuple(
            Connection(
                items=wire.items,
                log=tuple(wire.log.records),
                open=wire in last and there and not self.cut_off and not isinstance(self.failure, SessionClosed),
            )
            for wire in self.server.sessions
        )
        fields: dict[str, Any] = {
            "segments": tuple(self.ears.segments),
            "connections": connections,
            "history": tuple(self.session.history),
            "events": tuple(self.events),
            "replies": tuple(self.replies),
            "said": self.spoken,
            "voice": self._voice and self._voice.spoken,
            "seen": tuple(self.eyes.seen),
            "alignments": self.eyes.alignments,
            "cut_mark": self.cut_mark,
            "removed": frozenset(self.removed),
            "device_lost_at": self.ears.lost_at,
            "rate": self.ears.rate,
        }
        return Evidence(**fields | more)


@asynccontextmanager
async def conversation(  # noqa: PLR0913 - it has that many sides; all but the script go by name
    script: Script = story,
    *,
    sockets: bool = False,
    chaos: Plan | None = None,
    network: Callable[[Socket], Socket] = lambda socket: socket,
    round_trip: float | None = None,
    sink: Sink | None = None,
    loses: Callable[[Report], bool] = lambda _report: False,
    raises: type[RtactorsError] | tuple[type[RtactorsError], ...] = (),
    slack_ms: float = 0,
    ms_per_character: float | None = MS_PER_CHARACTER,
    provider: dict[str, Any] | None = None,
    reconnect: Backoff | None = AT_ONCE,
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - immutable
    bounds: Bounds = Bounds(events=ALL_EVENTS),  # noqa: B008 - immutable
    journal: Journal | None = None,
    recorder: Recorder | None = None,
    own_voice: Voice | None = None,
    session: dict[str, Any] | None = None,
    **options: Unpack[Options],
) -> AsyncGenerator[Conversation]:
    """Begin one with a server that follows `script`, at once if no `timing` is given; `options` are the server's.

    `provider` are arguments of `OpenAIRealtime`; `network` may stand between the two, such as a slow one, whose
    `round_trip` is then so many seconds; so may a plan of `chaos`, with real sockets. `sink` plays (a `SteppedSink` if
    none is given, so that nothing is heard until the test says so), `loses` are its reports that get lost, `slack_ms`
    is how coarsely it counts. `ms_per_character` is None where a fault makes the sound longer or shorter than the
    words. A `journal` must hold the history in the end. A session that ends on its own has to do so with what it
    `raises`; the block is then left there, and `failure` tells it. `recorder` and `own_voice` are the session's, and
    `session` are more arguments of it. A ToneVoice says all characters alike, and so the session aligns its words.

    Raises InvariantBroken at its end.
    """
    before = {task.id for task in anyio.get_running_tasks()}
    options = {"voice": ToneVoice(MS_PER_CHARACTER), "timing": IMMEDIATE, **options}
    device = sink or SteppedSink()
    ears = Ears(device, loses=loses)
    eyes = Eyes(ears)
    voice = HeardVoice(own_voice) if own_voice else None
    async with AsyncExitStack() as stack:
        sockets = sockets or chaos is not None
        stack.enter_context(anyio.fail_after(PATIENCE_S if sockets else None))
        server = await stack.enter_async_context((Server if sockets else MemoryServer)(script, **options))
        url = server.url if isinstance(server, Server) else "ws://memory/v1"
        proxy = None
        if chaos:
            port = urlsplit(url).port or 0
            proxy = await stack.enter_async_context(ChaosProxy(port, chaos))
            url = url.replace(str(port), str(proxy.port))
        settings: dict[str, Any] = {"api_key": "", "websocket_base_url": url, **(provider or {})}
        websocket = partial(connect, keepalive=deadlines.keepalive)
        more: dict[str, Any] = {
            "aligner": EvenAligner() if isinstance(options["voice"], ToneVoice) else SpeechAligner()
        }
        more |= session or {}
        more["aligner"] = eyes.aligner(more["aligner"])
        conversing = SeenSession(
            OpenAIRealtime(**settings),
            sink=ears,
            connect=_through(network, server.connect if isinstance(server, MemoryServer) else websocket),
            reconnect=reconnect,
            deadlines=deadlines,
            bounds=bounds,
            journal=journal,
            recorder=recorder,
            voice=voice,
            **more,
        )
        conversing.eyes = eyes
        talk = Conversation(conversing, server, ears, device, voice)
        talk.eyes, talk.cut_mark = eyes, more.get("cut_mark", "")
        if proxy:
            talk.proxy = proxy
        try:
            async with conversing:
                yield talk
        except raises as failure:
            talk.failure = failure
        for connection in [*proxy.connections] if proxy else ():
            if connection.stalled:  # the server would not learn that nobody is there any more
                talk.cut_off = True
                connection.cut("reset")
        for wire in server.sessions:
            await wire.closed.wait()
        await talk.over()
    check_invariants(
        talk.evidence(
            deadlines=deadlines,
            moment=0.05 if sockets else HAIR_S,
            delay=2.0 if sockets else 0.0,
            round_trip=round_trip or (2.0 if sockets else 0.05),
            slack_ms=slack_ms,
            ms_per_character=ms_per_character,
            left_over=await _left_over(before),
            journalled=await _journalled(journal, conversing.id, more.get("cut_mark", "")) if journal else None,
        )
    )
    if raises and talk.failure is None:
        raise AssertionError(f"the session did not end on its own, with {raises}")


async def _journalled(journal: Journal, session_id: str, cut_mark: str) -> tuple[HistoryItem, ...]:
    """What a session that is resumed now begins with, in the times of the one that ended."""
    records = (await recall(journal, session_id)).records
    ledger = ledger_of(records, epoch=records[-1].epoch)
    ledger.cut_mark = cut_mark
    return tuple(ledger.history())


def _through(network: Callable[[Socket], Socket], connect: Connect) -> Connect:
    @asynccontextmanager
    async def connect_through(endpoint: Endpoint) -> AsyncGenerator[Socket]:
        async with connect(endpoint) as socket:
            yield network(socket)

    return connect_through


async def _left_over(before: set[int]) -> tuple[str, ...]:
    """Names of tasks that were begun since and still run; what is ending gets a few turns to do so."""
    left: list[anyio.TaskInfo] = []
    for _ in range(20):
        left = [task for task in anyio.get_running_tasks() if task.id not in before]
        if not left:
            break
        await checkpoint()
    return tuple(task.name or "a task" for task in left)


@cache
def speech(ms: int) -> bytes:
    """PCM16 that any voice detection takes for a voice."""
    return array("h", (int(12_000 * math.sin(i * 0.1)) for i in range(ms * SERVER_RATE // 1000))).tobytes()
