"""A quicksilver server's frames, in our words. It names neither responses nor, mostly, items: `Reader` gives them ids.

What is said belongs to what, by these rules. Nothing here knows a clock: only what comes says that something is over.

- A *message* of the model begins with the first of: an assistant's item that is added (whose id it takes), audio,
  words. It is a response of its own.
- It ends with the first of: its item's `done`; the next assistant's item; the next words after all of its words were
  told; a new turn of the user (then it is cancelled, unless all of its words were told). A message without an item or
  audio ends when all of its words were told.
- A *turn* of the user begins with words, and the id they name, or that of an empty user's item that was added, or
  that of a handoff whose words nobody has told yet. Words that follow belong to it until all of its words were told,
  or a message of the model has ended behind them; all of its words may be told at any time after. Until somebody does,
  or if nobody does, those that came are all.
- That a new turn has words is the only sign of speech that these servers give: it interrupts, as speech does. The
  turn's audio is what was sent until all of its words were told, or the model answered.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from rtactors.events import (
    BYTES_PER_FRAME,
    AudioDelta,
    AudioDone,
    HandoffRequested,
    InputCommitted,
    InputTranscript,
    Item,
    ItemAdded,
    OutputDone,
    OutputStarted,
    ProviderError,
    ProviderEvent,
    ResponseDone,
    ResponseStarted,
    SessionConfigured,
    SessionStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TextDone,
)
from rtactors.providers.base import Frame
from rtactors.providers.openai.errors import provider_error
from rtactors.providers.openai.wire import ErrorDetail
from rtactors.providers.quicksilver import wire
from rtactors.providers.unread import unread

RATE: Final = 24_000
"""Hz of the PCM16 in both directions."""
_REMEMBERED: Final = 64
"""Turns whose words may still come, by the ids that they name."""


class _Message:
    """What the model is saying."""

    __slots__ = ("has_audio", "id", "response_id", "server_id", "text", "words_told")

    def __init__(self, id: str, response_id: str, server_id: str) -> None:
        self.id = id
        self.response_id = response_id
        self.server_id = server_id  # "" if no item was announced for it
        self.text = ""
        self.has_audio = False
        self.words_told = False


class _Turn:
    """What the user is saying, or said last."""

    __slots__ = ("answered", "committed", "id", "over", "text", "words_told")

    def __init__(self, id: str) -> None:
        self.id = id
        self.text = ""
        self.committed = False
        self.words_told = False  # all of them, by the server
        self.answered = False  # a message of the model has ended behind it
        self.over = False  # its words so far were passed on as all of them


class Reader:
    """Reads the frames of one connection after the other.

    The ids that it makes hold that of the server's session, and a number that is used once: the same frames give the
    same ids.
    """

    def __init__(self) -> None:
        self._session_id = ""
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """Another connection: nothing of the one before goes on."""
        self._message: _Message | None = None
        self._turn: _Turn | None = None
        self._turns: deque[str] = deque(maxlen=_REMEMBERED)  # ids of those that have begun
        self._turn_to_come = ""  # its id, if it is known already
        self._sent = 0  # bytes of the user's voice

    def sent(self, audio: bytes) -> None:
        """So much more of the user's voice is on its way."""
        self._sent += len(audio)

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        """See `rtactors.providers.base.Provider.decode`."""
        if isinstance(frame, bytes):
            message = f"unexpected binary realtime websocket event: {len(frame)} bytes, where text is expected"
            return (ProviderError(kind="malformed", message=message),)
        try:
            return tuple(self._translate(wire.server_decoder.decode(frame)))
        # JSON, UTF-8, base64, wrong and missing fields are all ValueErrors; deep nesting is a RecursionError.
        except (ValueError, RecursionError) as error:
            return (unread(frame, error, wire.SERVER_TYPES),)

    def _translate(self, event: wire.ServerEvent) -> Iterator[ProviderEvent]:  # noqa: C901, PLR0911 (a table: a case an event)
        match event:
            case wire.OutputAudioDelta():
                return self._on_audio(event)
            case wire.OutputTranscriptDelta() | wire.OutputTextDelta() | wire.OutputAudioTranscriptDelta():
                return self._on_words(event.delta)
            case wire.OutputAudioTranscriptDone():
                return self._on_all_words(event.transcript)
            case wire.InputTranscriptDelta() | wire.InputTranscriptionDelta():
                return self._on_user_words(event.item_id or "", event.delta)
            case wire.InputTranscriptTurnMarked() | wire.InputTranscriptionCompleted():
                return self._on_all_user_words(event.item_id or "", event.transcript)
            case wire.ConversationItemAdded():
                return self._on_added(event.item)
            case wire.ConversationItemDone():
                return self._on_done(event.item)
            case wire.HandoffRequested():
                return self._on_handoff(event)
            case wire.SessionUpdated():
                return self._on_updated(event.session)
            case wire.ServerError():
                return iter([_error(event)])

    def _on_updated(self, session: wire.SessionInfo) -> Iterator[ProviderEvent]:
        """It both greets and confirms."""
        self._session_id = session.id
        yield SessionStarted(session.id)
        yield SessionConfigured()

    # -- what the model says

    def _on_audio(self, event: wire.OutputAudioDelta) -> Iterator[ProviderEvent]:
        audio = event.delta or event.data
        rate, channels = event.sample_rate, event.channels or event.num_channels
        if not audio or not rate or not channels:
            return
        if (rate, channels) != (RATE, 1):
            told = f"the server sends {channels} channel(s) of audio at {rate} Hz: only mono at {RATE} Hz can be played"
            yield ProviderError(kind="malformed", message=told)
            return
        if self._message is None:
            yield from self._begin_message()
        message = cast("_Message", self._message)
        message.has_audio = True
        yield AudioDelta(message.response_id, message.id, audio)

    def _on_words(self, words: str) -> Iterator[ProviderEvent]:
        if not words:
            return
        if self._message and self._message.words_told:
            yield from self._end_message()
        if self._message is None:
            yield from self._begin_message()
        message = cast("_Message", self._message)
        message.text += words
        yield TextDelta(message.response_id, message.id, words)

    def _on_all_words(self, text: str) -> Iterator[ProviderEvent]:
        if self._message is None:
            yield from self._begin_message()
        message = cast("_Message", self._message)
        message.text = text
        message.words_told = True
        yield TextDone(message.response_id, message.id, text)
        if not message.server_id and not message.has_audio:
            yield from self._end_message()

    def _begin_message(self, server_id: str = "") -> Iterator[ProviderEvent]:
        """The model answers: the user's turn is over."""
        yield from self._commit_turn()
        self._message = message = _Message(server_id or self._new_id("message"), self._new_id("response"), server_id)
        item = Item(id=message.id, role="assistant", status="in_progress")
        yield ResponseStarted(message.response_id)
        yield OutputStarted(message.response_id, 0, item)
        yield ItemAdded(item)

    def _end_message(self, *, interrupted: bool = False) -> Iterator[ProviderEvent]:
        message, self._message = self._message, None
        if message is None:
            return
        if self._turn and not interrupted:
            yield from self._end_turn(self._turn)
            self._turn.answered = True
        cut = interrupted and not message.words_told
        status = "incomplete" if cut else "completed"
        item = Item(id=message.id, role="assistant", text=message.text, status=status)
        yield AudioDone(message.response_id, message.id)
        yield OutputDone(message.response_id, 0, item)
        yield ResponseDone(message.response_id, "cancelled" if cut else "completed", "turn_detected" if cut else "")

    # -- what the user says

    def _on_user_words(self, item_id: str, words: str) -> Iterator[ProviderEvent]:
        if not words:
            return
        if item_id in self._turns and not (self._turn and self._turn.id == item_id):
            yield InputTranscript(item_id, words)  # of an earlier one
            return
        yield from self._take_up_turn(item_id)
        turn = cast("_Turn", self._turn)
        turn.text += words
        yield InputTranscript(turn.id, words)

    def _on_all_user_words(self, item_id: str, text: str) -> Iterator[ProviderEvent]:
        if item_id in self._turns and not (self._turn and self._turn.id == item_id):
            yield InputTranscript(item_id, text, final=True)
            return
        if self._turn and self._turn.words_told and self._turn.text == text:
            return  # some servers have two events for it
        if item_id or not self._turn or self._turn.words_told:
            yield from self._take_up_turn(item_id)
        turn = cast("_Turn", self._turn)
        yield from self._commit_turn()
        turn.text, turn.words_told, turn.over = text, True, True
        yield InputTranscript(turn.id, text, final=True)

    def _take_up_turn(self, item_id: str) -> Iterator[ProviderEvent]:
        """The turn that words belong to: a new one, unless they go on with the one before."""
        turn = self._turn
        if turn and (turn.id == item_id if item_id else not (turn.words_told or turn.answered)):
            return
        if turn:
            yield from self._end_turn(turn)
        self._turn = _Turn(item_id or self._turn_to_come or self._new_id("turn"))
        self._turn_to_come = ""
        self._turns.append(self._turn.id)
        yield SpeechStarted(self._turn.id, 0)  # what was sent before, and answered, is no longer kept by anybody
        yield from self._end_message(interrupted=True)

    def _commit_turn(self) -> Iterator[ProviderEvent]:
        """Its audio ends here."""
        if self._turn and not self._turn.committed:
            self._turn.committed = True
            yield SpeechStopped(self._turn.id, self._sent // BYTES_PER_FRAME * 1000 // RATE)
            yield InputCommitted(self._turn.id)

    def _end_turn(self, turn: _Turn) -> Iterator[ProviderEvent]:
        """Nobody told all of its words: those that came are all."""
        yield from self._commit_turn()
        if not turn.over:
            turn.over = True
            yield InputTranscript(turn.id, turn.text, final=True)

    # -- items and handoffs

    def _on_added(self, item: wire.Item) -> Iterator[ProviderEvent]:
        if not item.id or item.type != "message":
            return
        if item.role == "assistant":
            message = self._message
            if message and not message.server_id and not message.words_told:
                message.server_id = item.id  # its beginning came before
            elif not message or message.server_id != item.id:
                yield from self._end_message()
                yield from self._begin_message(item.id)
        elif item.role == "user" and not any(part.text for part in item.content or ()):
            goes_on = self._turn and not (self._turn.words_told or self._turn.answered)
            if not goes_on and item.id not in self._turns:
                self._turn_to_come = item.id

    def _on_done(self, item: wire.Item) -> Iterator[ProviderEvent]:
        if self._message and item.id and item.id == self._message.server_id:
            yield from self._end_message()

    def _on_handoff(self, event: wire.HandoffRequested) -> Iterator[ProviderEvent]:
        turn = self._turn
        if event.item_id in self._turns:
            item_id = event.item_id
        elif turn and (not turn.answered or _alike(turn.text, event.input_transcript)):
            item_id = turn.id
        else:  # its words are still to come
            self._turn_to_come = item_id = self._turn_to_come or event.item_id or self._new_id("turn")
        yield HandoffRequested(event.handoff_id, item_id, event.input_transcript)

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._session_id}_{self._count}"


def _alike(text: str, other: str) -> bool:
    """Whether one is the beginning of the other, but for case and punctuation."""
    one, two = ("".join(filter(str.isalnum, each)).casefold() for each in (text, other))
    return one.startswith(two) or two.startswith(one)


def _error(event: wire.ServerError) -> ProviderError:
    """A server's error in our words, of which the codes are those of OpenAI."""
    error: Any = event.error
    fields: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    told = {name: value for name in ("message", "code", "type") if isinstance(value := fields.get(name), str)}
    whole = msgspec.json.encode(error).decode() if error else ""
    detail = ErrorDetail(
        message=event.message or told.get("message") or whole, code=told.get("code"), type=told.get("type", "")
    )
    return provider_error(detail, None)
