"""Estimates where the words are from pauses."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from rtactors.alignment.base import Alignment, Word
from rtactors.alignment.duration import Pause, spoken
from rtactors.alignment.sound import Gap, Sound
from rtactors.alignment.words import whole_words

MISSING = (0.0, 1.0, 2.5)  # no gap seen
PACE_PRIOR_MS = 1500
BEAM = 6
SKIPS = 4
EXPECTED_GAP = (0, 200, 450)


def _here(gap: float, pause: int) -> float:
    """Cost of a gap that stands at a boundary of this kind."""
    if pause == 0:
        return min(3.0, 0.8 + gap / 100)
    if pause == 1:
        return 0.5 if gap > 80 else 1.0
    return 0.0 if gap > 150 else 1.0


def _skipped(gap: float) -> float:
    """Cost of a gap within a word."""
    return 0.2 + max(0.0, (gap - 60) / 40)


class _Node:
    __slots__ = ("cost", "expected", "gap", "parent", "placed", "speech", "word")

    def __init__(self, word: int, gap: int, cost: float, speech: float, expected: float, parent: _Node | None) -> None:
        self.word, self.gap, self.cost = word, gap, cost
        self.speech, self.expected = speech, expected
        self.parent = parent
        self.placed: list[Word] | None = None


class SpeechAligner:
    def begin(self, rate: int) -> Alignment:
        import numpy  # noqa

        return _SpeechAlignment(rate)


class _SpeechAlignment:
    def __init__(self, rate: int) -> None:
        self._sound = Sound(rate)
        self._tail = ""
        self._text_over = False
        self._audio_over = False
        self._clear()

    def _clear(self) -> None:
        self._words: list[str] = []
        self._cum = [0.0]
        self._pause: list[int] = [0]  # kind behind word i-1
        self._missing = [0.0]  # cumulated cost of boundaries 1..i without gap
        self._settled: list[Word] = []
        self._columns: dict[int, list[_Node]] = {}
        self._done = -1  # last gap whose column is there

    def add_text(self, text: str) -> None:
        self._tail += text
        self._take(over=False)

    def _take(self, *, over: bool) -> None:
        words = whole_words(self._tail, over=over)
        if words:
            self._tail = self._tail[sum(map(len, words)) :]
            for word in words:
                ms, pause = spoken(word)
                if self._words and "\n" in word[: len(word) - len(word.lstrip())]:
                    self._pause[-1] = Pause.SENTENCE
                    self._missing[-1] = self._missing[-2] + MISSING[2]
                self._words.append(word)
                self._cum.append(self._cum[-1] + ms)
                self._pause.append(pause)
                self._missing.append(self._missing[-1] + MISSING[pause])

    def replace_text(self, text: str) -> None:
        self._clear()
        self._tail = text
        self._take(over=self._text_over)

    def end_text(self) -> None:
        self._text_over = True
        self._take(over=True)

    def add_audio(self, pcm: bytes) -> None:
        self._sound.add(pcm)

    def end_audio(self) -> None:
        self._audio_over = True

    def _pace(self, node: _Node) -> float:
        return (node.speech + PACE_PRIOR_MS) / (node.expected + PACE_PRIOR_MS)

    def _column(self, number: int, gap: Gap, *, last: bool = False) -> list[_Node] | None:
        """All good ways to say what is said before gap `number`; None while there is too little text."""
        gaps = self._sound.gaps
        best: dict[int, _Node] = {}
        skipped = 0.0
        count = len(self._words)
        cum, missing = self._cum, self._missing
        for back in range(1, SKIPS + 1):
            before = number - back
            if before not in self._columns:
                break
            if back > 1:
                skipped += _skipped(gaps[before + 1].end - gaps[before + 1].start)
                if skipped > 8:
                    break
            speech = gap.start - gaps[before].end
            for node in self._columns[before]:
                pace = self._pace(node)
                v = node.word
                unsure = 0.25 * PACE_PRIOR_MS / (PACE_PRIOR_MS + node.expected) + 0.08
                target = speech / pace
                variance = 40 * target + (unsure * target) ** 2 + 40**2
                spread = 2.5 * variance**0.5
                if cum[v] + target + spread > cum[-1] and not self._text_over:
                    if node is self._columns[before][0]:
                        return None
                if last:
                    low, high = count, count
                else:
                    low = bisect_left(cum, cum[v] + target - spread, v, count)
                    high = bisect_right(cum, cum[v] + target + spread, v, count + 1) - 1
                    low = min(low, high)
                for w in range(low, high + 1):
                    d = cum[w] - cum[v]
                    cost = node.cost + skipped + (d - target) ** 2 / (2 * variance)
                    if w > v:
                        cost += missing[w - 1] - missing[v]
                        cost += _here(gap.end - gap.start, self._pause[w])
                    else:
                        cost += 3
                    known = best.get(w)
                    if known is None or cost < known.cost:
                        best[w] = _Node(w, number, cost, node.speech + speech, node.expected + d, node)
        nodes = sorted(best.values(), key=lambda each: each.cost)[:BEAM]
        return [each for each in nodes if each.cost < nodes[0].cost + 12]

    def _advance(self) -> None:
        gaps = self._sound.gaps
        if not gaps:
            return
        if self._done < 0:
            self._columns[0] = [_Node(0, 0, 0.0, 0.0, 0.0, None)]
            self._done = 0
        while self._done + 1 < len(gaps):
            column = self._column(self._done + 1, gaps[self._done + 1])
            if column is None:
                break
            self._done += 1
            self._columns[self._done] = column
            self._columns.pop(self._done - SKIPS, None)

    def words(self) -> Sequence[Word]:
        sound = self._sound
        sound.listen()
        self._advance()
        gaps = sound.gaps
        count = len(self._words)
        if not gaps:
            return self._ahead([], 0, float(sound.ms), 1.0)
        edge = sound.ms
        number = len(gaps)
        quiet = sound.quiet_since
        path_end: _Node
        if self._done + 1 == number and (quiet is not None or self._audio_over):
            end = Gap(quiet if quiet is not None else edge, edge)
            column = self._column(number, end, last=self._audio_over and self._text_over)
            if column:
                path_end = column[0]
                ends = end.start
                out = self._trace(path_end, end)
                return self._ahead(out, path_end.word, float(edge), self._pace(path_end))
        # open: the rest by pace, along the speech
        path_end = min(
            self._columns[self._done],
            key=lambda node: node.cost
            + self._missing[
                max(node.word, bisect_right(self._cum, self._cum[node.word] + 0.9 * (edge - gaps[self._done].end) / self._pace(node)) - 2)
            ]
            - self._missing[node.word],
        )
        out = self._trace(path_end, gaps[self._done])
        return self._ahead(out, path_end.word, float(gaps[self._done].end), self._pace(path_end))

    def _trace(self, node: _Node, end: Gap) -> list[Word]:
        gaps = self._sound.gaps
        links: list[list[Word]] = []
        at: _Node | None = node
        while at is not None and at.parent is not None:
            parent = at.parent
            begin = gaps[parent.gap].end
            stop = end.start if at is node else gaps[at.gap].start
            whole = self._cum[at.word] - self._cum[parent.word]
            placed = []
            for i in range(parent.word, at.word):
                a = (self._cum[i] - self._cum[parent.word]) / whole if whole else 0
                b = (self._cum[i + 1] - self._cum[parent.word]) / whole if whole else 0
                placed.append(Word(self._words[i], round(begin + (stop - begin) * a), round(begin + (stop - begin) * b)))
            links.append(placed)
            at = parent
        return [word for link in reversed(links) for word in link]

    def _ahead(self, out: list[Word], first: int, at: float, pace: float) -> list[Word]:
        edge = self._sound.ms
        for i in range(first, len(self._words)):
            end = at + (self._cum[i + 1] - self._cum[i]) * pace
            out.append(Word(self._words[i], round(at), round(end)))
            at = end
            if at > edge:
                at += EXPECTED_GAP[self._pause[i + 1]]
        return out
