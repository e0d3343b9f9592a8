"""Estimates where the words are from pauses."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import exp, log
from collections.abc import Sequence

from rtactors.alignment.base import Alignment, Word
from rtactors.alignment.duration import Pause, spoken
from rtactors.alignment.sound import Gap, Sound
from rtactors.alignment.words import whole_words

MISSING = (0.0, 1.5, 3.0)  # no gap seen
PACE_PRIOR_MS = 1200
UNSURE, WANDER, WORDY = 0.1, 0.05, 15
NUMBER, LOGVAR, HESITATES = 0.15, 0.0, 2.5
LAG = 0.0
BEAM = 6
SKIPS = 4
RESUMES = 50
MEDIAN, QUANTILE = True, 0.35
EXPECTED_GAP = (0, 200, 450)


def _here(gap: float, pause: int) -> float:
    """Cost of a gap that stands at a boundary of this kind."""
    if pause == 0:
        return min(HESITATES, 0.8 + gap / 100)
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
        self._vague = [0.0]
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
                self._vague.append(self._vague[-1] + (NUMBER * ms * ms if any(map(str.isdigit, word)) else WORDY * ms))
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
            speech = self._sound.said(gap.start) - self._sound.said(gaps[before].end)
            for node in self._columns[before]:
                pace = self._pace(node)
                v = node.word
                unsure = UNSURE * PACE_PRIOR_MS / (PACE_PRIOR_MS + node.expected) + WANDER
                target = speech / pace
                fixed = (unsure * target) ** 2 + 40**2
                spread = 2.5 * (WORDY * target + fixed) ** 0.5 + 100
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
                    variance = self._vague[w] - self._vague[v] + fixed
                    cost = node.cost + skipped + (d - target) ** 2 / (2 * variance) + LOGVAR * log(variance / 40**2)
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
        if not gaps:
            return self._ahead([], 0, sound.ms + RESUMES if sound.ms else 0, 1.0)
        edge = sound.ms
        number = len(gaps)
        quiet = sound.quiet_since
        end = Gap(quiet if quiet is not None else edge, edge)
        over = self._audio_over and self._text_over
        ideas: list[tuple[float, float, _Node]] = []  # how far in the text, cost
        if self._done + 1 == number and (quiet is not None or self._audio_over):
            column = self._column(number, end, last=over)
            ideas += [(self._cum[node.word], node.cost, node) for node in column or ()]
        if not (over and ideas):
            skipped = _skipped(edge - quiet) if quiet is not None else 0.0
            for back in range(SKIPS):
                before = self._done - back
                if before not in self._columns:
                    break
                if back:
                    skipped += _skipped(gaps[before + 1].end - gaps[before + 1].start)
                if skipped > 8 and ideas:
                    break
                said = sound.said(edge) - sound.said(gaps[before].end)
                for node in self._columns[before]:
                    at = self._cum[node.word] + said / self._pace(node)
                    passed = max(node.word, bisect_right(self._cum, at - 0.1 * said) - 2)
                    ideas.append((at, node.cost + skipped + self._missing[passed] - self._missing[node.word], node))
        ideas.sort(key=lambda idea: idea[0])
        if MEDIAN:
            least = min(idea[1] for idea in ideas)
            weights = [exp(least - idea[1]) for idea in ideas]
            half = sum(weights) * QUANTILE
            best = 0
            while half > weights[best] and best + 1 < len(ideas):
                half -= weights[best]
                best += 1
            node = ideas[best][2]
        else:
            node = min(ideas, key=lambda idea: idea[1])[2]
        if node.gap == number:
            out = self._trace(node, end)
            rest = max(RESUMES, EXPECTED_GAP[self._pause[node.word]] - (edge - end.start))
            return self._ahead(out, node.word, edge + (0 if self._audio_over else rest), self._pace(node))
        out = self._trace(node, gaps[node.gap])
        pace = self._pace(node) * (1 + LAG * (0 if over else UNSURE * PACE_PRIOR_MS / (PACE_PRIOR_MS + node.expected) + WANDER))
        return self._ahead(out, node.word, gaps[node.gap].end, pace)

    def _trace(self, node: _Node, end: Gap) -> list[Word]:
        sound = self._sound
        gaps = sound.gaps
        links: list[list[Word]] = []
        at: _Node | None = node
        while at is not None and at.parent is not None:
            parent = at.parent
            begin = gaps[parent.gap].end
            stop = end.start if at is node else gaps[at.gap].start
            whole = self._cum[at.word] - self._cum[parent.word]
            first = sound.said(begin)
            said = sound.said(stop) - first
            placed = []
            now = begin
            for i in range(parent.word, at.word):
                b = (self._cum[i + 1] - self._cum[parent.word]) / whole if whole else 0
                then = stop if i + 1 == at.word else max(now, min(stop, round(sound.when(first + said * b))))
                placed.append(Word(self._words[i], now, then))
                now = then
            links.append(placed)
            at = parent
        return [word for link in reversed(links) for word in link]

    def _ahead(self, out: list[Word], first: int, at: int, pace: float) -> list[Word]:
        sound = self._sound
        edge = sound.ms
        said = sound.said(at)
        whole = sound.said(edge)
        later = max(0, at - edge)
        for i in range(first, len(self._words)):
            said += (self._cum[i + 1] - self._cum[i]) * pace
            end = max(at, round(sound.when(said) if said < whole else edge + (said - whole) / sound.rate + later))
            out.append(Word(self._words[i], at, end))
            at = end
            if at > edge:
                at += EXPECTED_GAP[self._pause[i + 1]]
                later += EXPECTED_GAP[self._pause[i + 1]]
        return out
