"""Puts what four witnesses know of one conversation into a report: the sink, the server, the chat history, the user."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

from msgspec import Struct

from rtactors.cli.compare import Heard, differences
from rtactors.cli.person import Utterance
from rtactors.cli.report import Effect, Message, Report, Turn, VoiceKind
from rtactors.cli.seen import Seen, SeenMessage
from rtactors.history import HistoryItem
from rtactors.loopback.conversation import FRAMES_PER_MS
from rtactors.loopback.session import Session as ServerSession

PACKAGES = ("rtactors", "anyio", "msgspec", "transitions", "websockets")


class Generated(Struct):
    """What the server sent of one message's audio, by its own log; times are seconds of `anyio.current_time()`."""

    pcm: bytearray
    first_at: float
    last_at: float


def generated(server: ServerSession) -> dict[str, Generated]:
    """By the message's id."""
    found: dict[str, Generated] = {}
    for record in server.log.find("response.output_audio.delta"):
        item_id: str = record.event.item_id
        made = found.setdefault(item_id, Generated(bytearray(), record.at, record.at))
        made.pcm += record.event.delta
        made.last_at = record.at
    return found


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is left when the conversation is over. Times are seconds of `anyio.current_time()`."""

    voice: VoiceKind
    connected_at: float
    ended_at: float
    seen: Seen
    server: ServerSession
    history: Sequence[HistoryItem]
    recording: bytes
    """PCM16: what the sink played."""
    utterances: Sequence[Utterance]
    plan: Sequence[str]
    """What should have become of each message."""

    def report(self) -> Report:
        made = generated(self.server)
        messages = [self._message(message, made.get(message.id)) for message in self.seen.in_order]
        return Report(
            versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            voice=self.voice,
            duration_ms=self._ms(self.ended_at),
            turns=[self._turn(number, utterance) for number, utterance in enumerate(self.utterances)],
            messages=messages,
            interrupted_at=[self._ms(at) for at in self.seen.interrupted],
            problems=list(self.seen.problems),
            differences=[*self._off_plan(), *self._differences(made)],
        )

    def _differences(self, made: dict[str, Generated]) -> list[str]:
        played = sorted(self.seen.in_order, key=lambda message: message.started_at or float("inf"))
        heard = [
            Heard(
                id=message.id,
                number=message.number,
                state=message.state,
                frames=message.frames,
                generated=bytes(made[message.id].pcm) if message.id in made else b"",
                captions="".join(caption.text for caption in message.captions),
            )
            for message in played
        ]
        return differences(heard, self.server.items, self.history, self.recording)

    def _off_plan(self) -> list[str]:
        states = tuple(message.state for message in self.seen.in_order)
        if states == tuple(self.plan):
            return []
        return [f"the messages ended as {', '.join(states)}; planned was {', '.join(self.plan)}"]

    def _turn(self, number: int, utterance: Utterance) -> Turn:
        noticed = self.seen.speech_started[number : number + 1]
        transcript = self.seen.transcripts[number : number + 1]
        return Turn(
            text=utterance.text,
            recognized=transcript[0] if transcript else None,
            started_at=self._ms(utterance.started_at),
            stopped_at=self._ms(utterance.stopped_at),
            noticed_at=self._ms(noticed[0]) if noticed else None,
        )

    def _message(self, message: SeenMessage, made: Generated | None) -> Message:
        kept = next((item for item in self.server.items if item.id == message.id), None)
        said = next((item for item in self.history if item.id == message.id), None)
        return Message(
            id=message.id,
            response_id=message.response_id,
            number=message.number,
            state=message.state,
            text=message.text,
            heard_text=said.heard_text if said else "",
            generated_ms=len(made.pcm) // 2 // FRAMES_PER_MS if made else 0,
            heard_ms=message.frames // FRAMES_PER_MS,
            server_ms=kept.audio_ms if kept else None,
            history_ms=said.heard_ms if said else None,
            announced_at=self._ms(message.announced_at),
            generated_from=self._ms(made.first_at) if made else None,
            generated_until=self._ms(made.last_at) if made else None,
            started_at=None if message.started_at is None else self._ms(message.started_at),
            stopped_at=None if message.stopped_at is None else self._ms(message.stopped_at),
            effects=[
                Effect(kind=operation.kind, at=self._ms(operation.at), audio_end_ms=operation.audio_end_ms)
                for operation in message.operations
            ],
        )

    def _ms(self, at: float) -> int:
        return round((at - self.connected_at) * 1000)
