"""What was seen of the captions, in the very moment in which they were told; and what an aligner was kept for.

    eyes = Eyes(ears)
    session = SeenSession(provider, sink=ears, aligner=eyes.aligner(EvenAligner()))
    session.eyes = eyes
    async with session: ...
    for seen in eyes.seen: print(seen.caption, seen.told_frames)

A caption is judged by the position that the ears had told by then. Read later, from a stream, it might be excused by
what was heard meanwhile.
"""

import gc
from weakref import WeakSet

import anyio

from rtactors.alignment.base import Aligner, Alignment, Covered
from rtactors.session import Session
from rtactors.session_events import CaptionEvent, SessionEvent
from rtactors.testing.ears import Ears
from rtactors.testing.evidence import Seen


class Eyes:
    """Keeps what was seen, with what the ears had told by then."""

    def __init__(self, ears: Ears) -> None:
        self.seen: list[Seen] = []
        self._ears = ears
        self._alignments: WeakSet[_KeptAlignment] = WeakSet()

    def look(self, caption: CaptionEvent) -> None:
        told = self._ears.told_frames(caption.message_id)
        self.seen.append(Seen(caption=caption, at=anyio.current_time(), told_frames=told))

    def aligner(self, aligner: Aligner) -> Aligner:
        """For the session: one whose alignments are counted for as long as anybody has them."""
        return _KeptAligner(aligner, self._alignments)

    @property
    def alignments(self) -> int:
        """How many are still had by anybody."""
        if self._alignments:
            gc.collect()
        return len(self._alignments)


class SeenSession(Session):
    """A session as any other. What it tells of captions, `eyes` see."""

    eyes: Eyes

    def _publish(self, event: SessionEvent) -> None:
        if isinstance(event, CaptionEvent):
            self.eyes.look(event)
        super()._publish(event)


class _KeptAligner:
    def __init__(self, aligner: Aligner, begun: "WeakSet[_KeptAlignment]") -> None:
        self._aligner = aligner
        self._begun = begun

    def begin(self, rate: int) -> Alignment:
        alignment = _KeptAlignment(self._aligner.begin(rate))
        self._begun.add(alignment)
        return alignment


class _KeptAlignment(Covered):
    """Nobody has it but the session: its aligner may keep what it has begun."""
