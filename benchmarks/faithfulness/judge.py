"""Do server, history and ears agree? One judge for all sides. Pure.

The ears are right. Of each message that the server began to speak they know how much was heard, to the frame, and the
voice knows when each of its words begins. Then, with `TOLERANCE_MS` and `TOLERANCE_WORDS` to either side:

**The server agrees** if the audio that it holds of the message ends where hearing did. If the message stands there as
text (after a reconnect there is no other way, and some sides write cut messages anew), the text has to end there
instead. Of what nobody heard it holds nothing; an empty item is nothing. Of what the server itself lacks nothing is
expected.

**The history agrees** if its text of the message ends where hearing did: it has the words that ended by then and no
word that had not begun, give or take. Of what nobody heard it has nothing, what was heard is in the order of hearing,
and every message is there once. Words that the server never sent are not expected. Text is compared by its letters and
digits alone, so that spaces, marks of a cut and ellipses don't count.

**Tools**: the server holds an output for every complete function call that it holds, and a function was not called with
arguments that were not complete.

**It goes on** if the agent answers the user afterwards, at the second try at the latest.

A conversation is faithful if all four hold.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from benchmarks.faithfulness.evidence import Evidence, Item, Message
from rtactors.loopback.conversation import FRAMES_PER_MS

TOLERANCE_MS = 100
TOLERANCE_WORDS = 2
WHOLE_ARGUMENT = "how many ships"
"""What the scenes' function is called with, if all of its arguments are there."""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    side: str
    situation: int
    part: float
    server: tuple[str, ...] = ()
    """What does not hold of the server, one sentence each; so for the others."""
    history: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    goes_on: bool = True
    off_ms: tuple[float, ...] = ()
    """Truncate less heard (or what the server has at all, if that is less), of each message that was not heard out."""
    uncut: int = 0
    """Messages that were heard in part, and of which the server holds all that it sent."""
    unheard_items: int = 0
    """That the server holds, and nobody heard."""
    unheard_messages: int = 0
    """The same of the history."""
    refused_truncates: int = 0
    errors: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    """What was heard that is no beginning of what was sent."""
    problem: str = ""

    @property
    def agree(self) -> bool:
        return not (self.server or self.history or self.tools)

    @property
    def faithful(self) -> bool:
        return self.agree and self.goes_on


def judge(evidence: Evidence) -> Verdict:
    heard = [_Heard(message, evidence) for message in evidence.messages]
    return Verdict(
        side=evidence.side,
        situation=evidence.situation,
        part=evidence.part,
        server=tuple(sentence for each in heard for sentence in each.on_server()),
        history=(*(sentence for each in heard for sentence in each.in_history()), *_disorder(heard)),
        tools=tuple(_tools(evidence)),
        goes_on=evidence.answered,
        off_ms=tuple(off for each in heard for off in each.off_ms()),
        uncut=sum(each.uncut for each in heard),
        unheard_items=sum(each.unheard_on_server for each in heard),
        unheard_messages=sum(each.unheard_in_history for each in heard),
        refused_truncates=sum(not cut.accepted for cut in evidence.truncated),
        errors=evidence.errors,
        strange=tuple(_strange(evidence)),
        problem=evidence.problem,
    )


class _Heard:
    """One message: how much of it was heard, and what is held of it."""

    def __init__(self, message: Message, evidence: Evidence) -> None:
        self.message = message
        frames = sum(run.frames for run in evidence.heard if run.mark == message.mark)
        self.ms = frames / FRAMES_PER_MS
        self.order = next((index for index, run in enumerate(evidence.heard) if run.mark == message.mark), None)
        self._evidence = evidence
        self._same_connection = message.connection == evidence.connections - 1
        self._letters = [_letters(word.text) for word in message.words]
        self._item = _of(message, evidence.items)
        self._server_words, _ = self._words_in(evidence.items)
        self.history_words, self.place = self._words_in(evidence.history)

    # ------------------------------------------------------------------------------------------------- what is right

    @property
    def _heard_out(self) -> bool:
        return self.ms > 0 and self.ms >= self.message.length_ms - TOLERANCE_MS

    def _bounds(self) -> tuple[int, int]:
        """The fewest and the most words that may be held."""
        words = self.message.words
        if self._heard_out:
            ended = begun = len(words)
        else:
            starts = [word.at_ms for word in words]
            begun = bisect_left(starts, self.ms)  # a word that begins just then was not heard
            ended = max(0, bisect_right(starts, self.ms) - 1) if self.ms else 0
        known = _prefix(self._letters, _letters(self.message.sent_text))
        return min(ended, known) - TOLERANCE_WORDS, begun + TOLERANCE_WORDS

    # ---------------------------------------------------------------------------------------------------- the server

    def on_server(self) -> Iterator[str]:
        what = f"message {self.message.mark}, of which {self.ms:.0f} of {self.message.length_ms:.0f} ms were heard"
        if self._item and self._item.spoken:
            if abs(self._item.audio_ms - min(self.ms, self.message.held_ms)) > TOLERANCE_MS:
                yield f"the server holds {self._item.audio_ms:.0f} ms of {what}"
        elif self._same_connection and not self._item and not self._server_words:
            if self.ms > TOLERANCE_MS:
                yield f"the server holds nothing of {what}"
        else:
            fewest, most = self._bounds()
            if not fewest <= self._server_words <= most:
                yield f"the server holds {self._server_words} words of {what}: {fewest} to {most} would be right"

    @property
    def unheard_on_server(self) -> bool:
        if self.ms:
            return False
        if self._item and self._item.spoken:
            return self._item.audio_ms > TOLERANCE_MS
        return self._server_words > TOLERANCE_WORDS

    @property
    def uncut(self) -> bool:
        """Whether the server holds all it sent of a message that was heard in part."""
        item = self._item
        partly = 0 < self.ms < self.message.held_ms - TOLERANCE_MS
        return bool(partly and item and item.spoken and item.audio_ms >= self.message.held_ms - 1)

    def off_ms(self) -> Iterator[float]:
        cuts = [cut for cut in self._evidence.truncated if cut.accepted and cut.item_id == self.message.id]
        if cuts and not self._heard_out:
            yield cuts[-1].ms - min(self.ms, self.message.held_ms)

    # --------------------------------------------------------------------------------------------------- the history

    def in_history(self) -> Iterator[str]:
        fewest, most = self._bounds()
        if not fewest <= self.history_words <= most:
            what = f"message {self.message.mark}, of which {self.ms:.0f} of {self.message.length_ms:.0f} ms were heard"
            yield f"the history has {self.history_words} words of {what}: {fewest} to {most} would be right"
        text = "".join(_letters(entry.text) for entry in self._evidence.history if entry.role == "assistant")
        beginning = "".join(self._letters[: TOLERANCE_WORDS + 1])
        if text.count(beginning) > 1:
            yield f"the history has message {self.message.mark} {text.count(beginning)} times"

    @property
    def unheard_in_history(self) -> bool:
        return not self.ms and self.history_words > TOLERANCE_WORDS

    def _words_in(self, items: Sequence[Item]) -> tuple[int, int]:
        """How many of the message's words the assistant's items have, and how far behind the first letter of all."""
        text = "".join(_letters(item.text) for item in items if item.role == "assistant")
        for count in range(len(self._letters), 0, -1):
            place = text.find("".join(self._letters[:count]))
            if place >= 0:
                return count, place
        return 0, -1


def _disorder(heard: Sequence[_Heard]) -> Iterator[str]:
    """Of what has more words in the history than may be found there by chance."""
    told = [each for each in heard if each.order is not None and each.history_words > TOLERANCE_WORDS]
    by_ears = sorted(told, key=lambda each: each.order or 0)
    by_history = sorted(told, key=lambda each: each.place)
    if by_ears != by_history:
        yield f"heard in the order {_marks(by_ears)}, in the history in the order {_marks(by_history)}"


def _marks(heard: Sequence[_Heard]) -> str:
    return ", ".join(str(each.message.mark) for each in heard)


def _tools(evidence: Evidence) -> Iterator[str]:
    answered = {item.call_id for item in evidence.items if item.kind == "output"}
    for item in evidence.items:
        if item.kind == "call" and item.complete and item.call_id not in answered:
            yield f"the server holds the function call {item.id}, and no output of it"
    for query in evidence.queries:
        if query != WHOLE_ARGUMENT:
            yield f"the function was called with {query!r}"


def _strange(evidence: Evidence) -> Iterator[str]:
    """A message's frames have to be the first of what was sent, in one run."""
    messages = {message.mark: message for message in evidence.messages}
    seen: set[int] = set()
    for run in evidence.heard:
        if not run.mark:  # silence that a side puts between messages is nobody's
            continue
        message = messages.get(run.mark)
        if message is None:
            yield f"{run.frames} frames of message {run.mark} were heard, which the server never sent"
        elif run.mark in seen:
            yield f"message {run.mark} was heard in several pieces"
        elif message.prefixes[run.frames] != run.crc:
            yield f"what was heard of message {run.mark} is not how it begins"
        seen.add(run.mark)


def _of(message: Message, items: Sequence[Item]) -> Item | None:
    return next((item for item in items if item.id == message.id), None)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _prefix(words: Sequence[str], letters: str) -> int:
    """How many of the words stand at the beginning of the letters."""
    counts = range(len(words), 0, -1)
    return next((count for count in counts if letters.startswith("".join(words[:count]))), 0)
