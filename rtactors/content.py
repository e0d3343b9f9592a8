"""What one message is made of: stretches of text, each spoken by the server, shown, or spoken by a voice of ours. Pure.

Servers send a message in *parts*, most of them in one. The audio of all stretches, in their order, is what the sink
plays. Which words of them were heard is not known here, but in `rtactors.transcript`, which knows stretches by their
places.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from rtactors.alignment.pace import spoken_in
from rtactors.events import BYTES_PER_FRAME

Place: TypeAlias = tuple[int, int]
"""Where a stretch stands among the others: its part, then a number."""

Kind: TypeAlias = Literal["spoken", "shown", "voiced"]

LONGEST_SENTENCE = 400
"""Characters that are given to a voice at once, if there is no end of a sentence among them."""

_END_OF_SENTENCE = re.compile(r"[.!?…]+[\"')\]”’»]*\s+|[。！？]+[」』）”’]*\s*|\n+")  # noqa: RUF001 - Chinese and Japanese


class Stretch:
    """Some text of one part, and the audio that goes with it."""

    __slots__ = ("asked", "audio_over", "kind", "part", "place", "seen", "size", "text", "text_over")

    def __init__(self, part: int, number: int, kind: Kind) -> None:
        self.part = part
        self.place = part, number
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
    """All stretches, in the order of their parts; `rate` is that of their audio, in Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stretches: list[Stretch] = []
        self._spoken: dict[int, Stretch] = {}  # of these, by their parts
        self._asked: list[Stretch] = []  # by their numbers
        self._unspoken = 0  # of these
        self._rests: list[Stretch] = []  # what the voice is to be asked for when it is a sentence
        self._made = 0  # stretches that there ever were

    def __len__(self) -> int:
        return len(self._stretches)

    @property
    def text(self) -> str:
        """All that was generated."""
        return "".join(stretch.text for stretch in self._stretches)

    def text_of(self, part: int) -> str:
        return "".join(stretch.text for stretch in self._stretches if stretch.part == part)

    @property
    def last_part(self) -> int:
        return self._stretches[-1].part if self._stretches else 0

    @property
    def text_over(self) -> bool:
        """Whether the server has said so of each part."""
        return all(stretch.text_over for stretch in self._stretches if stretch.kind != "voiced")

    @property
    def shown(self) -> bool:
        return any(stretch.seen for stretch in self._of("shown"))

    @property
    def unshown(self) -> bool:
        """Whether there is more to be shown than was."""
        return any(stretch.seen < len(stretch.text) for stretch in self._of("shown"))

    @property
    def voiced(self) -> bool:
        """Whether any of it is for a voice of ours."""
        return any(self._of("voiced"))

    @property
    def awaits_voice(self) -> bool:
        """Whether a voice has not spoken yet what it was asked to, or will be."""
        return bool(self._unspoken or self._rests)

    @property
    def spoken_places(self) -> list[Place]:
        """Of all that the server speaks, also of what it has sent no audio for."""
        return [stretch.place for stretch in self._of("spoken")]

    def voiced_place(self, number: int) -> Place:
        """Of the sentence of this number."""
        return self._asked[number].place

    def is_next(self, part: int) -> bool:
        """Whether the voice has spoken all that comes before this part."""
        return not any(stretch.part < part and not stretch.audio_over for stretch in self._of("voiced"))

    # -- from the server

    def add_text(self, part: int, text: str, kind: Kind) -> None:
        self._stretch(part, kind).text += text

    def end_text(self, part: int, text: str, kind: Kind) -> None:
        """All of a part's text, of which some or none may have come before; what was shown or said is not changed."""
        if kind == "spoken":
            stretch = self.spoken(part)
            stretch.text, stretch.text_over = text, True
            return
        so_far = "".join(
            stretch.text for stretch in self._stretches if stretch.part == part and stretch.kind != "spoken"
        )
        self.add_text(part, text[len(so_far) :] if text.startswith(so_far) else "", kind)
        self._stretch(part, kind).text_over = True

    def spoken(self, part: int) -> Stretch:
        """What the server speaks of this part; audio of it that comes when it was over is not to be heard."""
        return self._spoken.get(part) or self._stretch(part, "spoken")

    def end_audio(self, part: int) -> None:
        self.spoken(part).audio_over = True

    # -- text that is shown

    def show(self) -> list[tuple[Place, str]]:
        """What is to be shown now, and of which stretches it is; it counts as shown."""
        shown: list[tuple[Place, str]] = []
        for stretch in self._of("shown"):
            if stretch.seen < len(stretch.text):
                shown.append((stretch.place, stretch.text[stretch.seen :]))
                stretch.seen = len(stretch.text)
        return shown

    @property
    def shown_text(self) -> str:
        """All that was."""
        return "".join(stretch.text[: stretch.seen] for stretch in self._of("shown"))

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
                stretch = self._new(rest.part, "voiced")
                stretch.text, stretch.asked = sentence, True
                self._stretches.insert(self._stretches.index(rest), stretch)
                wanted.append((len(self._asked), sentence))
                self._asked.append(stretch)
                self._unspoken += 1
            rest.text = last
            if is_over:
                self._stretches.remove(rest)
                self._rests.remove(rest)
        return wanted

    def add_voice(self, number: int, size: int, *, over: bool) -> bool:
        """So many bytes of the sentence of this number; whether they are to be heard."""
        if number >= len(self._asked) or self._asked[number].audio_over:
            return False
        stretch = self._asked[number]
        stretch.size += size
        stretch.audio_over = over
        self._unspoken -= over
        return True

    def show_instead(self) -> list[tuple[Place, str]]:
        """No voice will speak the rest: what it said is heard, what it did not is shown.

        Gives what it said of each stretch that it was asked to speak and did not to the end.
        """
        broken_off: list[tuple[Place, str]] = []
        for stretch in [stretch for stretch in self._of("voiced") if not stretch.audio_over or not stretch.size]:
            said = self._new(stretch.part, "voiced")
            said.size, said.asked, said.audio_over = stretch.size, True, True
            if said.size:
                said.text = spoken_in(stretch.text, self._ms(stretch.frames))
                self._stretches.insert(self._stretches.index(stretch), said)
                stretch.text = stretch.text[len(said.text) :]
            said.place, stretch.place = stretch.place, said.place
            if stretch.asked:
                broken_off.append((said.place, said.text))
            stretch.kind, stretch.size, stretch.audio_over = "shown", 0, True
        self._unspoken = 0
        self._rests.clear()
        return broken_off

    # -- where it is cut

    def cut(self, frames: int) -> tuple[int | None, int]:
        """The one part of which a server must keep less, if it was stopped after so many frames, and where it begins.

        None if there is none such: then its text is all that a server can be told.
        """
        begins, missed, last = 0, list[tuple[int, int]](), None
        for stretch in self._stretches:
            if stretch.kind == "spoken" and stretch.size:
                last = stretch.part, begins
                if frames < begins + stretch.frames:
                    missed.append(last)
                begins += stretch.frames
        missed = missed or ([last] if last else [])
        if not missed or (self.text and (self.voiced or self.unshown or len(missed) > 1)):
            return None, 0
        part, begins = missed[0]
        begun = begins == 0 or self._ms(frames - begins) > 0
        return (part, begins) if begun or not self.text else (None, 0)

    def _stretch(self, part: int, kind: Kind) -> Stretch:
        """The last of its part and kind, or a new one in its place."""
        for stretch in reversed(self._stretches):
            if stretch.part == part and stretch.kind == kind and not stretch.asked:
                return stretch
            if stretch.part < part:
                break
        stretch = self._new(part, kind)
        behind = (index for index, other in enumerate(self._stretches) if other.part > part)
        self._stretches.insert(next(behind, len(self._stretches)), stretch)
        if kind == "voiced":
            self._rests.append(stretch)
        elif kind == "spoken":
            self._spoken[part] = stretch  # there is one of each part
        return stretch

    def _new(self, part: int, kind: Kind) -> Stretch:
        self._made += 1
        return Stretch(part, self._made, kind)

    def _of(self, kind: Kind) -> Iterator[Stretch]:
        return (stretch for stretch in self._stretches if stretch.kind == kind)

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
