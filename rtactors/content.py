"""What one message is made of: pieces of text, each spoken by the server, shown, or spoken by a voice of ours. Pure.

Servers send a message in *parts*, most of them in one. The audio of all pieces, in their order, is one stretch of
frames, the one that the sink plays: its position says which pieces were heard, and how much of the one in which it
stopped.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from rtactors.events import BYTES_PER_FRAME
from rtactors.heard_text import heard_text

Kind: TypeAlias = Literal["spoken", "shown", "voiced"]

LONGEST_SENTENCE = 400
"""Characters that are given to a voice at once, if there is no end of a sentence among them."""

_END_OF_SENTENCE = re.compile(r"[.!?…]+[\"')\]”’»]*\s+|[。！？]+[」』）”’]*\s*|\n+")  # noqa: RUF001 - Chinese and Japanese


class Piece:
    """A stretch of one part's text, and the audio that goes with it."""

    __slots__ = ("asked", "audio_over", "kind", "part", "seen", "size", "text", "text_over")

    def __init__(self, part: int, kind: Kind) -> None:
        self.part = part
        self.kind: Kind = kind
        self.text = ""
        self.text_over = False
        self.size = 0  # bytes of audio
        self.audio_over = False
        self.seen = 0  # characters that were shown
        self.asked = False  # the voice is to speak it

    @property
    def frames(self) -> int:
        return self.size // BYTES_PER_FRAME


class Content:
    """All pieces, in the order of their parts; `rate` is that of their audio, in Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pieces: list[Piece] = []
        self._asked: list[Piece] = []  # by their numbers
        self._unspoken = 0  # of these
        self._rests: list[Piece] = []  # what the voice is to be asked for when it is a sentence

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def text(self) -> str:
        """All that was generated."""
        return "".join(piece.text for piece in self._pieces)

    def text_of(self, part: int) -> str:
        return "".join(piece.text for piece in self._pieces if piece.part == part)

    @property
    def last_part(self) -> int:
        return self._pieces[-1].part if self._pieces else 0

    @property
    def text_over(self) -> bool:
        """Whether the server has said so of each part."""
        return all(piece.text_over for piece in self._pieces if piece.kind != "voiced")

    @property
    def shown(self) -> bool:
        return any(piece.seen for piece in self._of("shown"))

    @property
    def unshown(self) -> bool:
        """Whether there is more to be shown than was."""
        return any(piece.seen < len(piece.text) for piece in self._of("shown"))

    @property
    def voiced(self) -> bool:
        """Whether any of it is for a voice of ours."""
        return any(self._of("voiced"))

    @property
    def awaits_voice(self) -> bool:
        """Whether a voice has not spoken yet what it was asked to, or will be."""
        return bool(self._unspoken or self._rests)

    def is_next(self, part: int) -> bool:
        """Whether the voice has spoken all that comes before this part."""
        return not any(piece.part < part and not piece.audio_over for piece in self._of("voiced"))

    # -- from the server

    def add_text(self, part: int, text: str, kind: Kind) -> None:
        self._piece(part, kind).text += text

    def end_text(self, part: int, text: str, kind: Kind) -> None:
        """All of a part's text, of which some or none may have come before; what was shown or said is not changed."""
        if kind == "spoken":
            piece = self._piece(part, kind)
            piece.text, piece.text_over = text, True
            return
        so_far = "".join(piece.text for piece in self._pieces if piece.part == part and piece.kind != "spoken")
        self.add_text(part, text[len(so_far) :] if text.startswith(so_far) else "", kind)
        self._piece(part, kind).text_over = True

    def add_audio(self, part: int, size: int) -> bool:
        """So many bytes more; whether they are to be heard: not if its audio was over."""
        piece = self._piece(part, "spoken")
        piece.size += size
        return not piece.audio_over

    def end_audio(self, part: int) -> None:
        self._piece(part, "spoken").audio_over = True

    # -- text that is shown

    def show(self) -> str:
        """What is to be shown now; it counts as shown."""
        shown = ""
        for piece in self._of("shown"):
            shown += piece.text[piece.seen :]
            piece.seen = len(piece.text)
        return shown

    # -- text that a voice speaks

    def wanted(self, *, over: bool) -> list[tuple[int, str]]:
        """What the voice is to be asked for now, sentence by sentence, each with its number; `over`: also the rest."""
        wanted: list[tuple[int, str]] = []
        for rest in [*self._rests]:
            *sentences, last = _sentences(rest.text)
            is_over = over or rest is not self._rests[-1]
            if is_over:
                sentences, last = [*sentences, *filter(None, [last])], ""
            for sentence in sentences:
                piece = Piece(rest.part, "voiced")
                piece.text, piece.asked = sentence, True
                self._pieces.insert(self._pieces.index(rest), piece)
                wanted.append((len(self._asked), sentence))
                self._asked.append(piece)
                self._unspoken += 1
            rest.text = last
            if is_over:
                self._pieces.remove(rest)
                self._rests.remove(rest)
        return wanted

    def add_voice(self, number: int, size: int, *, over: bool) -> bool:
        """So many bytes of the sentence of this number; whether they are to be heard."""
        if number >= len(self._asked) or self._asked[number].audio_over:
            return False
        piece = self._asked[number]
        piece.size += size
        piece.audio_over = over
        self._unspoken -= over
        return True

    def show_instead(self) -> None:
        """No voice will speak the rest: what it said is heard, what it did not is shown."""
        for piece in [piece for piece in self._of("voiced") if not piece.audio_over or not piece.size]:
            said = Piece(piece.part, "voiced")
            said.text = heard_text(piece.text, self._ms(piece.frames), self._ms(piece.frames), complete=False)
            said.size, said.asked, said.audio_over = piece.size, True, True
            if said.size:
                self._pieces.insert(self._pieces.index(piece), said)
                piece.text = piece.text[len(said.text) :]
            piece.kind, piece.size, piece.audio_over = "shown", 0, True
        self._unspoken = 0
        self._rests.clear()

    # -- what was heard of it

    def heard(self, frames: int, *, whole: bool) -> str:
        """The text of the first `frames`, and what was shown. `whole`: the last text is not ahead of its audio."""
        text, reached = "", True
        spoken = [piece for piece in self._pieces if piece.size]
        for piece in self._pieces:
            if piece.kind == "shown":
                text += piece.text[: piece.seen]
            elif reached and (piece.size or (piece.kind == "voiced" and piece.audio_over)):
                complete = piece.audio_over if piece.kind == "voiced" else whole or piece is not spoken[-1]
                mine = min(frames, piece.frames)
                text += heard_text(piece.text, self._ms(mine), self._ms(piece.frames), complete=complete)
                frames -= mine
                reached = mine == piece.frames and (piece.kind == "spoken" or complete)
        return text

    def cut(self, frames: int) -> tuple[int | None, int]:
        """The one part of which a server must keep less, if it was stopped after so many frames, and where it begins.

        None if there is none such: then its text is all that a server can be told.
        """
        begins, missed, last = 0, list[tuple[int, int]](), None
        for piece in self._pieces:
            if piece.kind == "spoken" and piece.size:
                last = piece.part, begins
                if frames < begins + piece.frames:
                    missed.append(last)
                begins += piece.frames
        missed = missed or ([last] if last else [])
        if not missed or (self.text and (self.voiced or self.unshown or len(missed) > 1)):
            return None, 0
        part, begins = missed[0]
        begun = begins == 0 or self._ms(frames - begins) > 0
        return (part, begins) if begun or not self.text else (None, 0)

    def _piece(self, part: int, kind: Kind) -> Piece:
        """The last of its part and kind, or a new one in its place."""
        for piece in reversed(self._pieces):
            if piece.part == part and piece.kind == kind and not piece.asked:
                return piece
            if piece.part < part:
                break
        piece = Piece(part, kind)
        behind = (index for index, other in enumerate(self._pieces) if other.part > part)
        self._pieces.insert(next(behind, len(self._pieces)), piece)
        if kind == "voiced":
            self._rests.append(piece)
        return piece

    def _of(self, kind: Kind) -> Iterator[Piece]:
        return (piece for piece in self._pieces if piece.kind == kind)

    def _ms(self, frames: int) -> int:
        return frames * 1000 // self._rate


def _sentences(text: str) -> list[str]:
    """Its sentences, and what is left behind the last of them; joined they are the text."""
    found: list[str] = []
    start = 0
    for end in _END_OF_SENTENCE.finditer(text):
        found.append(text[start : end.end()])
        start = end.end()
    while len(text) - start > LONGEST_SENTENCE:
        end_of_word = text.rfind(" ", start, start + LONGEST_SENTENCE) + 1 or start + LONGEST_SENTENCE
        found.append(text[start:end_of_word])
        start = end_of_word
    return [*found, text[start:]]
