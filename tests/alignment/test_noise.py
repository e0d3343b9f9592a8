"""Where the audio says little, time has to count: noise, music, other voices, sound without syllables."""

from collections.abc import Callable
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest

from rtactors import espeak
from rtactors.alignment import SpeechAligner
from rtactors.alignment.words import whole_words

RATE = 22_050
TEXTS = {
    "en-us": "Well, the ticket costs a lot. Would you like to come with me this evening? If not, just tell me. "
    "I have been looking for someone who knows the way to the old station and would not mind walking in the rain. "
    "My brother says that he will be there, too. So we are three. Bring a coat that keeps you dry.",
    "de": "Guten Tag, mein Name ist Anna. Womit kann ich Ihnen heute behilflich sein? Ich habe viel Zeit. "
    "Der Zug nach Hamburg ist heute leider wieder einmal so spät, dass man genauso gut zu Fuß gehen könnte. "
    "Aber morgen soll es besser werden, sagt man. Gute Reise, und schreiben Sie mir einmal.",
    "es": "El tren sale a las ocho de la mañana, así que nos levantamos muy temprano. Buenas noches. "
    "Mi hermana vive desde hace muchos años en una casa muy pequeña que está al otro lado del río. "
    "Cuando llueve, no sale. Pero hoy hace sol, y vamos todos a comer con ella en el jardín.",
}


SPEEDS = (120, 165, 230)


class Spoken(NamedTuple):
    text: str
    sound: Any
    """Samples of 16 bits, of RATE."""
    begins_ms: list[float]
    """Of each word."""


def say(language: str, words_a_minute: int) -> Spoken:
    text = TEXTS[language]
    said = espeak.synthesize(text, language, words_a_minute, 50)
    assert said.rate == RATE
    positions = np.cumsum([0, *map(len, whole_words(text, over=True))])[:-1]
    marks = [(0, 0), *said.marks]
    begins = [max(ms for at, ms in marks if at <= position + 1) for position in positions]
    return Spoken(text, np.frombuffer(said.pcm, "<i2").astype(float), [float(ms) for ms in begins])


def over(sound: Any, other: Any, decibels: float) -> Any:
    """The other is so much below it in the mean."""
    ratio = (sound[sound != 0] ** 2).mean() / (other**2).mean()
    return (sound + other * (ratio / 10 ** (decibels / 10)) ** 0.5) / 2


def hiss(count: int) -> Any:
    return np.random.default_rng(1).normal(size=count)


def waves(count: int, *hertz: float) -> Any:
    return sum(np.sin(2 * np.pi * each * np.arange(count) / RATE) for each in hertz)


def chatter(count: int) -> Any:
    """Five more, who don't care for each other."""
    voices = ("en-us+f2", "de+m3", "es+m7", "en-us+m1", "de+f4")
    said = [np.frombuffer(espeak.synthesize(TEXTS[v[:-3]], v, 170, 50).pcm, "<i2").astype(float) for v in voices]
    return sum(np.resize(np.roll(each, 5000 * number), count) for number, each in enumerate(said))


def flat(sound: Any) -> Any:
    """Somebody whispers, each sound as loud as the next."""
    return np.where(np.convolve(np.abs(sound), np.ones(440) / 440, "same") > 100, 3000 * hiss(len(sound)), 0)


MAY_BE_OFF = {
    "noise 10 dB below": (4.0, 0.7),
    "noise as loud": (7.4, 1.65),
    "other voices": (5.2, 1.05),
    "a chord": (5.0, 0.9),
    "whispered": (7.5, 1.2),
    "nothing but a tone": (6.4, 1.4),
}
"""Words in the mean, where audio comes as it is played and 3 times as fast: in proportion it is 5.8 and 1."""

SOUNDS: dict[str, Callable[[Any], Any]] = {
    "noise 10 dB below": lambda sound: over(sound, hiss(len(sound)), 10),
    "noise as loud": lambda sound: over(sound, hiss(len(sound)), 0),
    "other voices": lambda sound: over(sound, chatter(len(sound)), 10),
    "a chord": lambda sound: over(sound, waves(len(sound), 220, 277.2, 329.6, 440), 10),
    "whispered": flat,
    "nothing but a tone": lambda sound: 8000 * waves(len(sound), 220),
}


def words_off(spoken: Spoken, pace: int) -> float:
    """In the mean, each 200 ms, of those that have begun; audio comes `pace` times as fast as it is played."""
    alignment = SpeechAligner().begin(RATE)
    alignment.add_text(spoken.text)
    alignment.end_text()
    pcm = spoken.sound.clip(-32768, 32767).astype("<i2").tobytes()
    step = RATE // 5 * 2
    off: list[int] = []
    for number, at in enumerate(range(0, len(pcm), step)):
        if piece := pcm[at * pace : (at + step) * pace]:
            alignment.add_audio(piece)
            if (at + step) * pace >= len(pcm):
                alignment.end_audio()
        now = 200 * (number + 1)
        begun = sum(word.start_ms < now for word in alignment.words())
        off.append(abs(begun - sum(begins < now for begins in spoken.begins_ms)))
    return fmean(off)


@pytest.mark.speech
@pytest.mark.parametrize("name", SOUNDS)
def test_words_are_not_far_off(name: str) -> None:
    pytest.importorskip("espeakng_loader", reason="eSpeak NG has to speak: it is in the extra `speech`")
    said = [say(language, words_a_minute) for language in TEXTS for words_a_minute in SPEEDS]
    said = [each._replace(sound=SOUNDS[name](each.sound)) for each in said]
    for pace, most in zip((1, 3), MAY_BE_OFF[name], strict=True):
        assert fmean(words_off(each, pace) for each in said) < most


@pytest.mark.parametrize("pace", [1, 3])
def test_tones_that_are_as_long_as_the_text(pace: int) -> None:
    """As those of a `ToneVoice`."""
    text = TEXTS["en-us"]
    sound = 8000 * waves(len(text) * 60 * RATE // 1000, 311)
    positions = np.cumsum([0, *map(len, whole_words(text, over=True))])
    assert words_off(Spoken(text, sound, [60.0 * at for at in positions[:-1]]), pace) < 0.6
