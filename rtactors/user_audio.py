"""What was sent of the user's voice and may be needed once more: a connection that is lost takes along all it held.

Synchronous and pure. Positions are bytes of the input stream of one connection; pieces are held, not copied.

Nothing here guesses where silence is, though a server that detects speech has no use for it: that nobody speaks is
known only from a server, and one that is gone and not yet missed says nothing about words that it never got. What that
costs is one upload of the capacity. Where a server did say that speech has begun, what is before it is left out.
"""

from collections import deque
from itertools import chain
from typing import TypeAlias

from msgspec import Struct, field

from rtactors.events import (
    BYTES_PER_FRAME,
    AppendAudio,
    ClearAudio,
    CommitAudio,
    InputCleared,
    InputCommitted,
    InputTranscript,
    SpeechStarted,
    SpeechStopped,
)

InputCommand: TypeAlias = AppendAudio | CommitAudio | ClearAudio
InputEvent: TypeAlias = SpeechStarted | SpeechStopped | InputCommitted | InputCleared | InputTranscript

OVERHEAD = 64
"""Bytes that a piece is counted as, besides its audio: tiny pieces are bounded, too."""
SPEECHES = 64
"""User's turns whose place in the stream is remembered: a server that repeats itself does so soon."""


class _Stretch(Struct):
    """Audio that belongs together, and the command that ends it and has no answer yet; the last one has none."""

    stop: int
    """Where in the stream it ends."""
    command: CommitAudio | ClearAudio | None = None
    pieces: deque[bytes] = field(default_factory=deque[bytes])


class _Speech(Struct):
    """What a server said of one turn of the user."""

    start: int = 0
    stop: int | None = None
    committed: bool = False


class UserAudio:
    """Tell it what is sent (`sent`) and what the server says of it (`told`), each in its order, of one connection.

    It keeps what is no item yet (`reconnected`), and the turns whose words nobody has told (`turn`).

    Servers answer in order. So whatever they say is about what stands before the oldest command without an answer.

    At most `capacity` bytes are kept. What was said last counts most: turns fall out first, the oldest before the
    others and each as a whole, since half a sentence may mean the opposite. Only the newest turn, and after it what is
    no item yet, lose no more than their beginning. `rate` is that of the input, in Hz.
    """

    def __init__(self, capacity: int, rate: int) -> None:
        self._capacity = capacity
        self._rate = rate
        self._stretches: deque[_Stretch] = deque([_Stretch(stop=0)])
        self._half: bytes = b""  # the first byte of a frame whose second is still to come
        self._speeches: dict[str, _Speech] = {}
        self._turns: dict[str, deque[bytes]] = {}
        self._kept = 0

    def turns(self) -> dict[str, bytes]:
        """The user's turns whose words are not known, as far as they are kept: PCM16 by the ids of their items."""
        return {item_id: b"".join(pieces) for item_id, pieces in self._turns.items()}

    def sent(self, command: InputCommand) -> None:
        """Remember what was sent, or is about to be."""
        if isinstance(command, AppendAudio):
            self._append(command.audio)
        else:
            last = self._stretches[-1]
            last.command = command
            self._stretches.append(_Stretch(last.stop))

    def told(self, event: InputEvent) -> None:
        """Hear what the server says. Of items that it never named before, or twice, it does no harm."""
        match event:
            case SpeechStarted(item_id=item_id, audio_ms=audio_ms):
                self._speech(item_id).start = self._position(audio_ms)
            case SpeechStopped(item_id=item_id, audio_ms=audio_ms):
                self._speech(item_id).stop = self._position(audio_ms)
            case InputCommitted(item_id=item_id):
                self._become(item_id)
            case InputCleared():
                self._clear()
            case InputTranscript(item_id=item_id, text=text, final=final):
                # Without words (and if none can be given) the voice is all there is to tell a server.
                if text and final and (known := self._turns.pop(item_id, None)):
                    self._kept -= _cost(known)

    def refused(self, operation_id: str) -> None:
        """The server did not do what a command asked: its audio is still no item, and goes on."""
        for index, stretch in enumerate(self._stretches):
            if stretch.command and stretch.command.operation_id == operation_id:
                self._stretches[index + 1].pieces.extendleft(reversed(stretch.pieces))
                del self._stretches[index]
                return

    def reconnected(self) -> list[InputCommand]:
        """What a new connection is to be sent first, in pieces of at most 1 s; its stream begins with that.

        From here on `told` is about the new connection, and nothing of these commands is to be given to `sent`. A clear
        needs no repetition: what it would clear is left out. The server that had heard of speech is gone, and what came
        before that is left out, too.
        """
        begun = [speech.start for speech in self._speeches.values() if not speech.committed]
        if begun:
            self._take(0, min(begun))
        again: list[InputCommand] = []
        for stretch in self._stretches:
            if not isinstance(stretch.command, ClearAudio):
                again += map(AppendAudio, self._cut_up(b"".join(stretch.pieces)))
                if stretch.command:
                    again.append(stretch.command)
        if self._half:
            again.append(AppendAudio(self._half))
        self._stretches = deque([_Stretch(stop=0)])
        self._half = b""
        self._speeches.clear()
        self._count()
        for command in again:
            self.sent(command)
        return again

    # ------------------------------------------------------------------------------------------------ what was sent

    def _append(self, audio: bytes) -> None:
        """For 20 ms, 50 times a second: no copy, and no look at what is kept already."""
        if self._half or len(audio) % BYTES_PER_FRAME:
            audio = self._half + audio
            whole = len(audio) - len(audio) % BYTES_PER_FRAME
            audio, self._half = audio[:whole], audio[whole:]
        last = self._stretches[-1]
        last.stop += len(audio)
        for piece in self._cut_up(audio):
            last.pieces.append(piece)
            self._kept += len(piece) + OVERHEAD
        if self._kept > self._capacity:
            self._let_go()

    def _cut_up(self, audio: bytes) -> list[bytes]:
        """Into pieces of 1 s, so that no more than needed falls out; the slice of a whole short one is itself."""
        longest = self._rate * BYTES_PER_FRAME
        return [audio[start : start + longest] for start in range(0, len(audio), longest)]

    def _let_go(self) -> None:
        while self._kept > self._capacity:
            oldest = next(iter(self._turns), None)
            if oldest and len(self._turns) > 1:
                self._kept -= _cost(self._turns.pop(oldest))
                continue
            # An emptied stretch keeps its command: the server answers it all the same.
            pieces = self._turns[oldest] if oldest else next(each.pieces for each in self._stretches if each.pieces)
            self._kept -= len(pieces.popleft()) + OVERHEAD
            if oldest and not pieces:
                del self._turns[oldest]

    # ------------------------------------------------------------------------------------------- what the server says

    def _speech(self, item_id: str) -> _Speech:
        if item_id not in self._speeches:
            self._speeches[item_id] = _Speech()
            if len(self._speeches) > SPEECHES:
                del self._speeches[next(iter(self._speeches))]
        return self._speeches[item_id]

    def _position(self, audio_ms: int) -> int:
        return audio_ms * self._rate // 1000 * BYTES_PER_FRAME

    def _become(self, item_id: str) -> None:
        """Audio became this item: as we asked, or because the server says that a turn is over."""
        speech = self._speech(item_id)
        if speech.committed:
            return
        speech.committed = True
        if speech.stop is None and self._awaits(CommitAudio):
            turn = self._answer(CommitAudio)
        else:
            stop = self._stretches[0].stop if speech.stop is None else speech.stop
            turn = self._take(min(speech.start, stop), stop)
        if turn:
            self._turns[item_id] = turn
        self._count()

    def _clear(self) -> None:
        """As we asked, or as the server pleased."""
        if self._awaits(ClearAudio):
            self._answer(ClearAudio)
        else:
            self._stretches[0].pieces.clear()
        self._speeches = {item_id: speech for item_id, speech in self._speeches.items() if speech.committed}
        self._count()

    def _awaits(self, kind: type[CommitAudio | ClearAudio]) -> bool:
        return any(isinstance(stretch.command, kind) for stretch in self._stretches)

    def _answer(self, kind: type[CommitAudio | ClearAudio]) -> deque[bytes]:
        """The oldest command of this kind is answered: what it was about. Answers to those before it were lost."""
        while not isinstance((stretch := self._stretches.popleft()).command, kind):
            pass
        return stretch.pieces

    def _take(self, start: int, stop: int) -> deque[bytes]:
        """What lies between two positions; it goes, and with it all before it, also commands that were passed by."""
        taken: deque[bytes] = deque()
        while True:
            stretch = self._stretches[0]
            first = stretch.stop - sum(map(len, stretch.pieces))
            _cut(stretch.pieces, start - first)
            taken += _cut(stretch.pieces, stop - max(first, start))
            if stretch.command is None or stretch.stop >= stop:
                return taken
            self._stretches.popleft()

    def _count(self) -> None:
        """After what happens once in a turn; cutting a piece has made two."""
        self._kept = sum(map(_cost, chain(self._turns.values(), (stretch.pieces for stretch in self._stretches))))
        self._let_go()


def _cost(pieces: deque[bytes]) -> int:
    return sum(map(len, pieces)) + OVERHEAD * len(pieces)


def _cut(pieces: deque[bytes], count: int) -> deque[bytes]:
    """The first `count` bytes, or as many as there are, leave `pieces`."""
    cut: deque[bytes] = deque()
    while count > 0 and pieces:
        piece = pieces.popleft()
        cut.append(piece[:count])
        if len(piece) > count:
            pieces.appendleft(piece[count:])
        count -= len(piece)
    return cut
