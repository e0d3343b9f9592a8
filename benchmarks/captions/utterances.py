"""What is measured: speech of which each word's time is known, in two halves that share no language, voice or speed.

    utterances("tune")      # to set an estimate's constants by
    utterances("held out")  # to judge it by

The same in every run that asks for the same ones in the same order: all that is left to chance comes from one seed, and
eSpeak varies its sound a little from call to call.
"""

import random
import tomllib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from unicodedata import category

from benchmarks.captions import truth
from benchmarks.captions.truth import RATE, Spoken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Split: TypeAlias = Literal["tune", "held out"]

LANGUAGES: dict[Split, tuple[str, ...]] = {
    "tune": ("en-us", "de", "es", "ru", "hi", "cmn", "ja"),
    "held out": ("en", "fr", "it", "pt-br", "pl", "tr", "ar"),
}
VARIANTS: dict[Split, tuple[str, ...]] = {
    "tune": ("", "+f2", "+m3", "+m7"),
    "held out": ("+f4", "+m1", "+klatt2", "+whisper"),
}
SPEEDS: dict[Split, tuple[int, ...]] = {
    "tune": (130, 165, 190, 230),
    "held out": (120, 150, 175, 210, 260),
}
"""Words a minute, by eSpeak's reckoning."""
CHANNELS = ("clean", "clean", "clean", "noise", "telephone")
"""Noise: white, 30 dB below the speech. Telephone: 300 to 3,400 Hz, in 8 bits of mu-law."""
EACH = 26
"""Utterances in each language."""
CUTS = 4
"""Times in each utterance at which is asked what has been heard."""
SEED = 5

Samples: TypeAlias = "NDArray[np.float64]"


class Utterance(NamedTuple):
    name: str
    split: Split
    language: str
    voice: str
    speed: int
    channel: str
    hesitates: bool
    """It has pauses where no punctuation is."""
    text: str
    pcm: bytes
    """Mono PCM16 of RATE."""
    words: list[Spoken]
    cuts_ms: list[int]
    """In order."""

    @property
    def duration_ms(self) -> float:
        return len(self.pcm) / 2 * 1000 / RATE


def utterances(split: Split, *, each: int = EACH) -> Iterator[Utterance]:
    """Made one by one, in some 50 ms each."""
    sentences: dict[str, str] = tomllib.loads((Path(__file__).parent / "sentences.toml").read_text("utf-8"))
    for language in LANGUAGES[split]:
        chance = random.Random(f"{SEED} {language}")
        lines = [line for line in sentences[language].splitlines() if line]
        for number in range(each):
            yield _utterance(f"{language}-{number}", split, language, lines, chance)


def _utterance(name: str, split: Split, language: str, lines: list[str], chance: random.Random) -> Utterance:
    import numpy as np

    voice = language + chance.choice(VARIANTS[split])
    speed = chance.choice(SPEEDS[split])
    pitch = chance.randint(35, 65)
    hesitates = chance.random() < 0.5
    chosen = chance.sample(lines, chance.choice((1, 1, 1, 2, 2, 3, 4, 6, 8)))
    between = "\n- " if len(chosen) > 2 and chance.random() < 0.2 else "" if language == "cmn" else " "
    text = ""
    words: list[Spoken] = []
    pieces = [_silence(chance.uniform(0, 300))]
    for line in chosen:
        text += between if text else ""
        sentence = truth.speak(line, voice, round(speed * chance.uniform(0.9, 1.1)), pitch)
        samples, spoken = _with_pauses(sentence, line, chance, hesitates=hesitates)
        begun = 1000 * sum(map(len, pieces)) / RATE
        words += [Spoken(len(text) + word.end, begun + word.start_ms, begun + word.end_ms) for word in spoken]
        text += line
        pieces += samples, _silence(chance.uniform(150, 700))
    samples = np.concatenate(pieces)
    channel = chance.choice(CHANNELS)
    pcm = _through(channel, samples, chance.randrange(1 << 30)).astype("<i2").tobytes()
    cuts_ms = sorted(chance.randrange(round(1000 * len(samples) / RATE)) for _ in range(CUTS))
    return Utterance(name, split, language, voice, speed, channel, hesitates, text, pcm, words, cuts_ms)


def _silence(ms: float) -> Samples:
    import numpy as np

    return np.zeros(round(ms * RATE / 1000))


def _with_pauses(
    sentence: truth.Sentence, line: str, chance: random.Random, *, hesitates: bool
) -> tuple[Samples, list[Spoken]]:
    """Spliced in between words, so that the truth stays exact: longer ones at punctuation, hesitations elsewhere."""
    import numpy as np

    sound = np.frombuffer(sentence.pcm, "<i2").astype(np.float64)
    pieces: list[Samples] = []
    words: list[Spoken] = []
    taken, later_ms = 0, 0.0
    for word, following in zip_longest(sentence.words, sentence.words[1:]):
        words.append(Spoken(word.end, word.start_ms + later_ms, word.end_ms + later_ms))
        if following is None:
            break
        punctuated = line[word.end] != "%" and category(line[word.end]) == "Po"
        pause_ms = 0.0
        if punctuated and chance.random() < 0.4:
            pause_ms = chance.uniform(100, 600)
        elif hesitates and not punctuated and chance.random() < 0.06:
            pause_ms = chance.uniform(200, 900)
        if pause_ms:
            cut = round((word.end_ms + following.start_ms) / 2 * RATE / 1000)  # a word may fade a little behind its end
            silence = _silence(pause_ms)
            pieces += _faded(sound[taken:cut]), silence
            taken, later_ms = cut, later_ms + 1000 * len(silence) / RATE
    return np.concatenate([*pieces, _faded(sound[taken:])]), words


def _faded(sound: Samples) -> Samples:
    """Without clicks: 3 ms in and out."""
    import numpy as np

    ramp = np.minimum(1.0, np.arange(len(sound)) / (0.003 * RATE))
    return sound * ramp * ramp[::-1]


def _through(channel: str, sound: Samples, seed: int) -> Samples:
    import numpy as np

    if channel == "noise":
        power = float(np.mean(sound[sound != 0] ** 2)) / 1000
        sound = sound + np.random.default_rng(seed).normal(0, power**0.5, len(sound))
    elif channel == "telephone":
        spectrum = np.fft.rfft(sound)
        frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
        sound = np.fft.irfft(np.where((frequency > 300) & (frequency < 3400), spectrum, 0), len(sound))
        small = np.clip(sound / 32768, -1, 1)
        steps = np.rint(127 * np.sign(small) * np.log1p(255 * np.abs(small)) / np.log(256)) / 127
        sound = 32768 * np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255
    return np.clip(np.rint(sound), -32768, 32767)
