"""The server of the benchmarks: OpenAI Realtime (GA) as a client sees it, cheap enough for a thousand calls a core.

    python benchmarks/traffic.py

A process of its own, so that its CPU time is nobody's. It prints `{"port": N}`, then does what the lines of its
standard input say, one JSON object each, with one line of answer, and ends with it. Times are `time.monotonic_ns()`.

    {"do": "script", "delta_ms": 20, "seconds": 4, "pace": 1.0, "interrupt_ms": null}
        what each response is from now on: so many seconds of speech in deltas of `delta_ms`, at `pace` times the pace
        of speech (0: as fast as they are taken). With `interrupt_ms` [lo, hi] the user speaks at a random moment
        between them, after the first delta: what is still being generated is cancelled, and nobody answers the user.
    {"do": "log"}
        {"late_ms": ..., "responses": [...]}: how late it was itself at the 99th percentile, and what became of each
        response since the last log, in the order of the calls: a `Record` each

It is a loop over epoll and one heap of what is due, without asyncio, since the loop is all that it would use of it.
Nothing is encoded for a delta: its frame is the response's head, a number for its event, and a tail that was made once
for all calls. What is said is speech, of eSpeak, with its words a second ahead of its sound.
"""

import base64
import gc
import itertools
import json
import os
import random
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from heapq import heappop, heappush
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeGuard

import anyio
import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from rtactors.loopback.voice import EspeakVoice, Speech

BYTES_PER_MS = 48  # PCM16 at 24 kHz
TEXT_LEAD_MS = 1000
UTTERANCE_MS = 200
"""How long the user speaks who interrupts."""
READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

TEXT = (
    "Of course, I'd be glad to explain how that works. When you call us in the morning, somebody looks at your order, "
    "checks that everything is in stock, and packs it for you. In the afternoon it goes to the depot, and from there "
    "it takes two or three days, depending on where you live. If anything is missing, we'll write to you at once, and "
    "you can decide whether you would rather wait, or have the money back. Is there anything else you'd like to know? "
)

Object: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[int], None]
"""Does what is due; is told what time it is."""


class Script(msgspec.Struct, frozen=True):
    """What each response is; see the command."""

    delta_ms: int = 20
    seconds: float = 4
    pace: float = 1
    interrupt_ms: tuple[float, float] | None = None


class Sound(NamedTuple):
    """A script's message, cut into deltas."""

    ends: list[bytes]
    """How the event of each delta ends: with its audio."""
    texts: list[str]
    """What is written just before each."""

    @property
    def transcript(self) -> str:
        return "".join(self.texts)


class Record(msgspec.Struct):
    """What became of a response. None: that did not happen."""

    call: int
    """In the order in which they connected."""
    first_ns: int | None = None
    """Its first delta was written."""
    speech_ns: int | None = None
    """The user began to speak: speech_started was written."""
    truncate_ns: int | None = None
    truncate_ms: int | None = None
    deletes: int = 0
    cancel_ns: int | None = None
    errors: list[str] = []


class Command(msgspec.Struct):
    """An event of a client's, as far as it is read: its audio isn't."""

    type: str
    event_id: str | None = None
    session: Object = {}
    item: Object = {}
    response: Object = {}
    item_id: str = ""
    previous_item_id: str | None = None
    content_index: int = 0
    audio_end_ms: int = 0
    response_id: str | None = None


read_command = msgspec.json.Decoder(Command).decode
encode = msgspec.json.encode
numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """Of the same length each time."""
    return f"{kind}_{next(numbers):021d}"


def head_of(size: int) -> bytes:
    """The header of a text frame of so many bytes."""
    return Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)[:-size]


@lru_cache(maxsize=1)
def speech() -> Speech:
    """Half a minute; the same in each run."""
    return anyio.run(EspeakVoice().speak, TEXT)


@lru_cache(maxsize=4)
def sound(delta_ms: int, seconds: float) -> Sound:
    """What is said, from its beginning again when it ends."""
    spoken = speech()
    length = int(seconds * 1000) // delta_ms * delta_ms * BYTES_PER_MS
    if not length:
        raise ValueError(f"a response of {seconds} s has no delta of {delta_ms} ms")
    pcm = (spoken.pcm * (length // len(spoken.pcm) + 1))[:length]
    size = delta_ms * BYTES_PER_MS
    ends = [base64.b64encode(pcm[at : at + size]) + b'"}' for at in range(0, length, size)]
    texts = ["" for _ in ends]
    for again in itertools.count():
        begins = again * len(spoken.pcm) // BYTES_PER_MS
        for word in spoken.words:
            at_ms = begins + word.at_ms
            if at_ms * BYTES_PER_MS >= length:
                return Sound(ends, texts)
            texts[max(0, at_ms - TEXT_LEAD_MS) // delta_ms] += word.text
    raise AssertionError("speech goes on for ever")


class Agenda:
    """What is due when."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Step]] = []
        self._order = itertools.count()
        self.late_ns: list[int] = []
        """How late each step was."""

    def add(self, at_ns: int, step: Step) -> None:
        heappush(self._due, (at_ns, next(self._order), step))

    def run(self) -> float | None:
        """Do what is due; in how many seconds there is more, or None."""
        while self._due:
            now = time.monotonic_ns()
            due = self._due[0][0]
            if due > now:
                return (due - now) / 1e9
            _, _, step = heappop(self._due)
            self.late_ns.append(now - due)
            step(now)
        return None


class Response:
    """One response of one message, as far as it was sent."""

    def __init__(self, call: "Call", wanted: Object) -> None:
        self.call = call
        self.script = call.server.script
        self.sound = sound(self.script.delta_ms, self.script.seconds)
        self.period_ns = int(self.script.delta_ms * 1e6 / self.script.pace) if self.script.pace else 0
        self.in_band = wanted.get("conversation") != "none"
        self.item_id = new_id("item")
        self.response: Object = {
            "object": "realtime.response",
            "id": new_id("resp"),
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": call.conversation_id if self.in_band else None,
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
            "metadata": wanted.get("metadata"),
            "usage": None,
        }
        self.record = Record(call.number)
        self.sent = 0
        self.over = False
        self.due_ns = 0
        self.previous_item_id: str | None = None
        self.place: Object = {"response_id": self.id, "item_id": self.item_id, "output_index": 0, "content_index": 0}
        delta = {"type": "response.output_audio.delta", "event_id": new_id("event"), **self.place, "delta": ""}
        before, after = encode(delta)[: -len('"}')].split(delta["event_id"].encode())
        self.before = head_of(len(encode(delta)) - len('"}') + len(self.sound.ends[0])) + before + b"event_"
        """A delta's frame, up to the number of its event."""
        self.after = after
        """From there up to its audio."""

    @property
    def id(self) -> str:
        return self.response["id"]

    @property
    def sent_ms(self) -> int:
        return self.sent * self.script.delta_ms

    def item(self, status: str) -> Object:
        item: Object = {"id": self.item_id, "object": "realtime.item", "type": "message", "role": "assistant"}
        content = [] if status == "in_progress" else [{"type": "output_audio", "transcript": self.text}]
        return {**item, "status": status, "content": content}

    @property
    def text(self) -> str:
        return "".join(self.sound.texts[: self.sent])

    def begin(self) -> None:
        """Announce it. Streams begin anywhere within a delta, so that they don't all come at the same moment."""
        call, item = self.call, self.item("in_progress")
        call.send("response.created", response=self.response)
        call.send("response.output_item.added", response_id=self.id, output_index=0, item=item)
        if self.in_band:
            self.previous_item_id = call.add(item)
            call.send("conversation.item.added", previous_item_id=self.previous_item_id, item=item)
        call.send("response.content_part.added", **self.place, part={"type": "audio", "transcript": ""})
        self.due_ns = time.monotonic_ns() + int(call.number * 0.618 % 1 * self.period_ns)
        call.server.agenda.add(self.due_ns, self.step)

    def step(self, now: int) -> None:
        """Send the deltas that are due, unless those before them still wait for the client."""
        call = self.call
        if self.record.first_ns is None:
            self.record.first_ns = now
            if self.script.interrupt_ms and self.in_band:
                after_ms = call.server.chance.uniform(*self.script.interrupt_ms)
                call.server.agenda.add(now + int(after_ms * 1e6), call.speak)
        while self.due_ns <= now and not (self.over or call.closed):
            if call.waiting:
                call.resuming.append(self.step)
                return
            text = self.sound.texts[self.sent]
            if text:
                call.send("response.output_audio_transcript.delta", **self.place, delta=text)
            number = b"%021d" % next(numbers)
            call.write(self.before + number + self.after + self.sound.ends[self.sent])
            self.sent += 1
            self.due_ns += self.period_ns
            if self.sent == len(self.sound.ends):
                self.end("completed")
        if not (self.over or call.closed):
            call.server.agenda.add(self.due_ns, self.step)

    def end(self, status: str, reason: str | None = None) -> None:
        """All that belongs to the end."""
        if self.over:
            return
        self.over = True
        call = self.call
        text = self.text
        item = self.item("completed" if status == "completed" else "incomplete")
        if self.sent:
            call.send("response.output_audio.done", **self.place)
            call.send("response.output_audio_transcript.done", **self.place, transcript=text)
        call.send("response.content_part.done", **self.place, part={"type": "audio", "transcript": text})
        if self.in_band:
            if self.item_id in call.items:
                call.items[self.item_id] = item
            call.send("conversation.item.done", previous_item_id=self.previous_item_id, item=item)
        call.send("response.output_item.done", response_id=self.id, output_index=0, item=item)
        tokens = self.sent_ms // 50
        usage = {
            "total_tokens": 100 + tokens,
            "input_tokens": 100,
            "output_tokens": tokens,
            "input_token_details": {"text_tokens": 100, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 0, "audio_tokens": tokens},
        }
        details = {"type": status, "reason": reason} if reason else None
        ended = {"status": status, "status_details": details, "output": [item], "usage": usage}
        call.send("response.done", response={**self.response, **ended})


class Call:
    """One connection, and the conversation on it."""

    def __init__(self, server: "Server", connection: socket.socket, number: int) -> None:
        self.server = server
        self.socket = connection
        self.number = number
        self.closed = False
        self.waiting = bytearray()
        """What the client hasn't taken."""
        self.resuming: list[Step] = []
        """What goes on once it has."""
        self.protocol = ServerProtocol()
        self.conversation_id = new_id("conv")
        self.session: Object = {
            "type": "realtime",
            "object": "realtime.session",
            "id": new_id("sess"),
            "model": "gpt-realtime",
            "output_modalities": ["audio"],
            "expires_at": int(time.time()) + 3600,
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
        }
        self.items: dict[str, Object] = {}
        self.responses: dict[str, Response] = {}
        """By the id of the item that it makes."""
        self.latest: Response | None = None
        """Of those in band; one at a time is active."""

    # -- the socket

    def on_socket(self, ready: int) -> None:
        if ready & WRITE:
            self.flush()
        if ready & READ and not self.closed:
            try:
                self.receive(self.socket.recv(65536))
            except BlockingIOError:
                pass
            except OSError:
                self.close()

    def receive(self, data: bytes) -> None:
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
                self.answer_protocol()
                self.send("session.created", session=self.session)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.obey(read_command(event.data))
        self.answer_protocol()

    def answer_protocol(self) -> None:
        """What the protocol itself wants to say: the handshake, pongs, the end."""
        for data in self.protocol.data_to_send():
            if data:
                self.write(data)
            else:
                self.close()

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        if not self.waiting:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self.server.selector.modify(self.socket, READ | WRITE, self.on_socket)
        self.waiting += data

    def flush(self) -> None:
        try:
            del self.waiting[: self.socket.send(self.waiting)]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not self.waiting:
            self.server.selector.modify(self.socket, READ, self.on_socket)
            steps, self.resuming = self.resuming, []
            for step in steps:
                step(time.monotonic_ns())

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.server.selector.unregister(self.socket)
            self.socket.close()

    def send(self, type: str, **fields: object) -> None:
        payload = encode({"type": type, "event_id": new_id("event"), **fields})
        self.write(head_of(len(payload)) + payload)

    def refuse(self, command: Command, code: str, message: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        if self.latest:
            self.latest.record.errors.append(message)
        self.send("error", error={**error, "event_id": command.event_id})

    # -- the conversation

    @property
    def active(self) -> Response | None:
        return self.latest if self.latest and not self.latest.over else None

    def add(self, item: Object, after: str | None = None) -> str | None:
        """Put it at the end, whatever it is to be behind: who comes before the end makes no difference here."""
        previous = after or next(reversed(self.items), None)
        self.items[item["id"]] = item
        return previous

    def obey(self, command: Command) -> None:
        if act := self.ACTS.get(command.type):
            act(self, command)
        else:
            self.refuse(command, "invalid_value", f"Invalid value: '{command.type}'.")

    def ignore(self, command: Command) -> None:
        """Audio is not listened to: the script says when the user speaks."""

    def update_session(self, command: Command) -> None:
        self.session = merged(self.session, command.session)
        self.send("session.updated", session=self.session)

    def create_item(self, command: Command) -> None:
        item = {"id": new_id("item"), "object": "realtime.item", "status": "completed", **command.item}
        previous = self.add(item, command.previous_item_id)
        self.send("conversation.item.added", previous_item_id=previous, item=item)
        self.send("conversation.item.done", previous_item_id=previous, item=item)

    def retrieve_item(self, command: Command) -> None:
        if item := self.known(command, "retrieve", "retrieving"):
            self.send("conversation.item.retrieved", item=item)

    def delete_item(self, command: Command) -> None:
        if not self.known(command, "delete", "deleting"):
            return
        del self.items[command.item_id]
        if response := self.responses.get(command.item_id):
            response.record.deletes += 1
        self.send("conversation.item.deleted", item_id=command.item_id)

    def truncate_item(self, command: Command) -> None:
        now = time.monotonic_ns()
        if not self.known(command, "truncate", "truncating"):
            return
        response, end_ms = self.responses.get(command.item_id), command.audio_end_ms
        if not response or not response.sent or end_ms <= 0:
            self.refuse(command, "unsupported_content_type", "Only model output audio messages can be truncated")
        elif end_ms > response.sent_ms:
            message = f"Audio content of {response.sent_ms}ms is already shorter than {end_ms}ms"
            self.refuse(command, "invalid_value", message)
        else:
            response.record.truncate_ns, response.record.truncate_ms = now, end_ms
            self.items[command.item_id]["content"] = [{"type": "output_audio", "transcript": None}]
            place = {"item_id": command.item_id, "content_index": command.content_index}
            self.send("conversation.item.truncated", **place, audio_end_ms=end_ms)

    def known(self, command: Command, verb: str, gerund: str) -> Object | None:
        item = self.items.get(command.item_id)
        if item is None:
            message = f"Error {gerund} item: the item with id '{command.item_id}' does not exist."
            self.refuse(command, f"item_{verb}_invalid_item_id", message)
        return item

    def create_response(self, command: Command) -> None:
        in_band = command.response.get("conversation") != "none"
        if in_band and self.active:
            message = (
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one."
            )
            self.refuse(command, "conversation_already_has_active_response", message)
            return
        response = Response(self, command.response)
        self.responses[response.item_id] = response
        self.server.records.append(response.record)
        if in_band:
            self.latest = response
        response.begin()

    def cancel_response(self, command: Command) -> None:
        wanted = command.response_id
        running = [each for each in self.responses.values() if not each.over and wanted in {None, each.id}]
        if not running:
            self.refuse(command, "response_cancel_not_active", "Cancellation failed: no active response found")
        for response in running[-1:]:
            response.record.cancel_ns = time.monotonic_ns()
            response.end("cancelled", "client_cancelled")

    # -- the user

    def speak(self, now: int) -> None:
        """The user begins to speak. A server that may interrupt then does."""
        if self.closed:
            return
        item_id = new_id("item")
        if self.latest:
            self.latest.record.speech_ns = now
        self.send("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=0)
        detection: Object = self.session["audio"]["input"]["turn_detection"] or {}
        if self.active and detection.get("interrupt_response", True):
            self.active.end("cancelled", "turn_detected")
        self.server.agenda.add(now + UTTERANCE_MS * 1_000_000, lambda _now: self.fall_silent(item_id))

    def fall_silent(self, item_id: str) -> None:
        heard = {"type": "input_audio", "transcript": None}
        item: Object = {"id": item_id, "object": "realtime.item", "type": "message", "role": "user"}
        item |= {"status": "completed", "content": [heard]}
        previous = self.add(item)
        self.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=UTTERANCE_MS)
        self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        self.send("conversation.item.added", item=item, previous_item_id=previous)
        self.send("conversation.item.done", item=item, previous_item_id=previous)
        if self.session["audio"]["input"].get("transcription"):
            usage = {"type": "duration", "seconds": UTTERANCE_MS / 1000}
            place = {"item_id": item_id, "content_index": 0}
            done = "conversation.item.input_audio_transcription.completed"
            self.send(done, **place, transcript="Wait.", usage=usage)

    ACTS: ClassVar[dict[str, Callable[["Call", Command], None]]] = {
        "session.update": update_session,
        "input_audio_buffer.append": ignore,
        "input_audio_buffer.clear": ignore,
        "conversation.item.create": create_item,
        "conversation.item.retrieve": retrieve_item,
        "conversation.item.delete": delete_item,
        "conversation.item.truncate": truncate_item,
        "response.create": create_response,
        "response.cancel": cancel_response,
    }


def merged(old: Object, new: Object) -> Object:
    """Only what is there changes, at any depth."""
    pairs = ((key, old.get(key), value) for key, value in new.items())
    return old | {
        key: merged(before, value) if is_object(before) and is_object(value) else value for key, before, value in pairs
    }


def is_object(value: object) -> TypeGuard[Object]:
    return isinstance(value, dict)


class Server:
    """All calls, and the loop that they live in."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.agenda = Agenda()
        self.script = Script()
        self.chance = random.Random(1)
        self.records: list[Record] = []
        self.count = itertools.count()
        self.commands = b""
        self.ended = False

    def run(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            listener.settimeout(0)
            self.selector.register(listener, READ, partial(self.accept, listener))
            self.selector.register(0, READ, self.on_input)
            answer({"port": listener.getsockname()[1]})
            while not self.ended:
                wait_s = self.agenda.run()
                for key, ready in self.selector.select(wait_s):
                    key.data(ready)

    def accept(self, listener: socket.socket, _ready: int) -> None:
        connection, _ = listener.accept()
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(connection, READ, Call(self, connection, next(self.count)).on_socket)

    def on_input(self, _ready: int) -> None:
        data = os.read(0, 65536)
        self.ended = not data
        *lines, self.commands = (self.commands + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            match command.pop("do"):
                case "script":
                    self.script = msgspec.convert(command, Script)
                    sound(self.script.delta_ms, self.script.seconds)  # so that the first response needn't make it
                    answer({"script": command})
                case "log":
                    answer(self.log())
                case unknown:
                    raise ValueError(f"the server doesn't do {unknown!r}: script, log")

    def log(self) -> Object:
        late = sorted(self.agenda.late_ns)
        records = sorted(self.records, key=lambda record: record.call)
        self.agenda.late_ns, self.records = [], []
        late_ms = late[int(0.99 * len(late))] / 1e6 if late else 0.0
        return {"late_ms": late_ms, "responses": msgspec.to_builtins(records)}


def answer(value: Object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends with who started it, and has nothing to say about that
    gc.disable()  # it would make deltas late, and finds little: a few KiB for each call that is gone
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Server().run()
