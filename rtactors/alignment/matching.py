"""Which words are said between which pauses: a search for what is likeliest. Pure.

Each gap in the audio is a pause between two words, or only a closure within one. What is said from one pause to the
next is a run of whole words, and that it is just these is the likelier, the better their durations agree: what was said
by the audio and its syllables, and what the text takes at the pace at which all before it was said. Punctuation makes a
pause likely, and its absence unlikely. For each word that may be the first behind a gap the likeliest way to there is
kept, and of all these the best few: the guesses from which those for the next gap are made (dynamic programming with a
beam). Costs are negative logarithms of likelihoods.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import exp, inf, sqrt

from msgspec import Struct

from rtactors.alignment.base import Word
from rtactors.alignment.duration import PER_SYLLABLE, Pause
from rtactors.alignment.script import Script
from rtactors.alignment.sound import Gap, Sound

_BEAM = 20
_IN_A_ROW = 8
"""So many gaps in a row may hold the next pause."""
_WINDOW = 16
"""Gaps, some 8 s: what is older is settled, for hardly anything that comes would change it."""
_WORDS = 6
"""So many before and behind the likeliest may be the first behind a gap. Only in a long run there would be more, as in
noise, which leaves few gaps: and of these a comma far away isn't the likelier for being one."""

_VOICE_MS = 1200  # of an ordinary voice: so much is this one taken for one
_QUICKEST, _SLOWEST = 0.6, 1.5  # paces: where noise leaves few gaps, one mistaken run would teach any
_PACE_OFF = 0.2  # how much voices differ, as a share: by syllables, which is less than by time
_PACE_WANDERS = 0.05  # how much one does by itself
_EDGES_OFF_MS = 40  # where a run begins and ends
_DEVIATIONS = 4  # what is further off than so many isn't looked at
_UNWRITTEN = 3.0  # a run without words: a breath, a cough, a word that is not in the text
_LONG_MS = 150  # what no plosive is closed for
_GAP_COST = ((0.3, 0.3), (-0.5, -2.2), (0.5, -2.4))
"""What it costs that a short gap is behind a word, and a long one, for each kind of pause that is to be expected there:
compared with a short one within a word. Counted in speech that people read aloud and that eSpeak NG speaks. Every other
pause is where there is no punctuation."""
_HOPELESS = 12.0  # what costs so much more than others is given up


def _pause_cost(ms: float, pause: Pause) -> float:
    """Of a gap between two words."""
    return _GAP_COST[pause][ms >= _LONG_MS]


def _closure_cost(ms: float) -> float:
    """Of a gap within a word: a plosive is rarely closed for more than 100 ms."""
    return max(0.0, ms - 60) / 40


class Guess(Struct, eq=False, gc=False):
    """That `word` is the first behind `gap`.

    A message has hundreds, all of them as long as it is heard. Each leads only to what was there before it, so there is
    no cycle, and nothing to do for the garbage collector, which they would call.
    """

    word: int
    gap: Gap
    cost: float = 0.0
    said_ms: float = 0.0
    """How much until there, by the audio."""
    planned_ms: float = 0.0
    """The same by the text."""
    before: "Guess | None" = None
    """The guess it follows from; None for what is settled."""
    placed: Sequence[Word] = ()
    """The words since then, once somebody worked out where they are."""
    pace: float = 1.0
    """How much longer than planned it takes this voice."""

    def __post_init__(self) -> None:
        pace = (self.said_ms + _VOICE_MS) / (self.planned_ms + _VOICE_MS)
        self.pace = min(max(pace, _QUICKEST), _SLOWEST)

    def variance(self, planned: float) -> float:
        """Of how much is said while so much is planned, behind this guess: by what isn't known of the voice."""
        pace_off = _PACE_OFF * _VOICE_MS / (_VOICE_MS + self.planned_ms) + _PACE_WANDERS
        return (pace_off * planned) ** 2 + _EDGES_OFF_MS**2

    def reach(self, planned: float) -> float:
        """By how much that may be off at most."""
        return _DEVIATIONS * sqrt(self.variance(planned) + PER_SYLLABLE * planned)


class Matching:
    """Of a script and its sound, as both come."""

    def __init__(self, script: Script, sound: Sound) -> None:
        self._script, self._sound = script, sound
        self._columns: list[list[Guess]] = []
        """For each of the last gaps, the cheapest guess first."""
        self._done = 0
        """Gaps that were looked at."""

    def advance(self) -> Guess | None:
        """Look at the gaps that have ended, as far as there is text for them.

        Gives what all goes back to from now on, if that is something new; the caller makes it the first of its chain.
        """
        gaps = self._sound.gaps
        done = self._done
        if gaps and not done:
            self._columns, self._done = [[Guess(0, gaps[0])]], 1
        while self._done < len(gaps) and self._has_text(gaps[self._done]):
            self._columns = [*self._columns[1 - _IN_A_ROW :], self._column(gaps[self._done])]
            self._done += 1
        return self._settle() if self._done > done else None

    def _settle(self) -> Guess | None:
        chain = _chain(self._columns[-1][0])
        if len(chain) < 2 * _WINDOW:
            return None
        settled = chain[-_WINDOW]
        self._columns = [[guess for guess in column if settled in _chain(guess)] for column in self._columns]
        return settled

    def best(self, *, audio_over: bool) -> Guess:
        """The last that is known: what comes behind it is being said. Its gap is the one that hasn't ended, if any."""
        sound, script = self._sound, self._script
        quiet = sound.quiet_since_ms
        gap = Gap(sound.ms if quiet is None else quiet, sound.ms)
        ways: list[tuple[float, float, Guess]] = []  # how far it is now in the text; the cost; the guess
        if self._done == len(sound.gaps) and (quiet is not None or audio_over) and self._has_text(gap):
            column = self._column(gap, over=script.over and audio_over)
            if script.over and audio_over:
                return column[0]
            ways = [(script.ms[guess.word], guess.cost, guess) for guess in column]
        closures = 0.0 if quiet is None else _closure_cost(gap.end_ms - gap.start_ms)
        least = min((cost for _, cost, _ in ways), default=inf)
        for passed, column in self._latest():
            said = sound.said(sound.ms) - sound.said(passed.end_ms)
            for guess in column:
                cost = guess.cost + closures
                if cost > least + _HOPELESS:
                    break
                now = script.ms[guess.word] + said / guess.pace
                behind = max(guess.word, bisect_right(script.ms, now - 0.1 * said) - 2)  # that is certain
                cost += script.unseen[behind] - script.unseen[guess.word]
                least = min(least, cost)
                ways.append((now, cost, guess))
            closures += _closure_cost(passed.end_ms - passed.start_ms)
        return _median(ways)

    def _latest(self) -> Iterator[tuple[Gap, list[Guess]]]:
        """Gaps and their guesses, the last one first."""
        gaps = self._sound.gaps
        return ((gaps[self._done - back], column) for back, column in enumerate(reversed(self._columns), start=1))

    def _has_text(self, gap: Gap) -> bool:
        """Whether all is there that may be said before it."""
        guess = self._columns[-1][0]
        planned = self._said(guess.gap, gap) / guess.pace
        return self._script.over or self._script.ms[guess.word] + planned + guess.reach(planned) <= self._script.ms[-1]

    def _said(self, begin: Gap, end: Gap) -> float:
        return self._sound.said(end.start_ms) - self._sound.said(begin.end_ms)

    def _column(self, gap: Gap, *, over: bool = False) -> list[Guess]:
        """Which words may be the first behind a gap. If all is `over`, there is none."""
        script = self._script
        ms, variance, unseen, pauses = script.ms, script.variance, script.unseen, script.pauses
        pause_costs = [_pause_cost(gap.end_ms - gap.start_ms, pause) for pause in Pause]
        best: dict[int, tuple[float, float, Guess]] = {}
        least, closures = inf, 0.0
        for passed, column in self._latest():
            said = self._said(passed, gap)
            for guess in column:
                so_far = guess.cost + closures
                if so_far > least + _HOPELESS:
                    break
                first, planned = guess.word, said / guess.pace
                low = high = len(script.words)
                if not over:
                    reach = guess.reach(planned)
                    middle = bisect_left(ms, ms[first] + planned, first)
                    high = min(bisect_right(ms, ms[first] + planned + reach, first) - 1, middle + _WORDS)
                    low = min(max(bisect_left(ms, ms[first] + planned - reach, first), middle - _WORDS), high)
                known = guess.variance(planned) - variance[first]
                for word in range(low, high + 1):
                    off = ms[word] - ms[first] - planned
                    cost = so_far + off * off / (2 * (known + variance[word]))
                    if word > first:
                        cost += unseen[word - 1] - unseen[first] + pause_costs[pauses[word]]
                    else:
                        cost += _UNWRITTEN
                    if word not in best or cost < best[word][0]:
                        best[word] = cost, said, guess
                        least = min(least, cost)
            closures += _closure_cost(passed.end_ms - passed.start_ms)
        likeliest = sorted((cost, word) for word, (cost, _, _) in best.items())[:_BEAM]
        guesses: list[Guess] = []
        for cost, word in likeliest:
            if cost > likeliest[0][0] + _HOPELESS:
                break
            _, said, guess = best[word]
            planned = guess.planned_ms + ms[word] - ms[guess.word]
            guesses.append(Guess(word, gap, cost, guess.said_ms + said, planned, guess))
        return guesses


def _chain(guess: Guess) -> list[Guess]:
    """All that it follows from, from what is settled to itself."""
    chain = [guess]
    while (before := chain[-1].before) is not None:
        chain.append(before)
    return chain[::-1]


def _median(ways: list[tuple[float, float, Guess]]) -> Guess:
    """The guess that is as likely too far as not far enough: the likeliest one may be either by much."""
    ways.sort(key=lambda way: way[0])
    least = min(cost for _, cost, _ in ways)
    likelihoods = [exp(least - cost) for _, cost, _ in ways]
    half = sum(likelihoods) / 2
    for likelihood, (_, _, guess) in zip(likelihoods, ways, strict=True):
        half -= likelihood
        if half <= 0:
            return guess
    return ways[-1][2]
