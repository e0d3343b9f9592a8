"""How an utterance arrives: text in small deltas ahead of the audio, audio in deltas of 20 to 100 ms, at some pace.

Playback begins with the first audio and never starves, so time since then is the position in the audio.
"""

import random
from typing import NamedTuple

from benchmarks.captions.truth import RATE
from benchmarks.captions.utterances import SEED, Utterance

PACES = (1, 3, 10)
"""How many seconds of audio arrive in one second."""
TEXT_LEAD_MS = 500
TEXT_AHEAD = 2
"""Text comes that much quicker than the audio, and begins that much before it (or with it)."""


class Arrival(NamedTuple):
    at_ms: float
    """Since playback began."""
    text: str
    pcm: bytes


def arrivals(utterance: Utterance, pace: int) -> list[Arrival]:
    """In order; each has text or audio."""
    chance = random.Random(f"{SEED} {utterance.name} {pace}")
    deltas: list[Arrival] = []
    at = 0
    while at < len(utterance.text):
        size = chance.randint(1, 9)
        share = at / len(utterance.text) / TEXT_AHEAD / pace
        at_ms = max(0.0, utterance.duration_ms * share - TEXT_LEAD_MS)
        deltas.append(Arrival(at_ms, utterance.text[at : at + size], b""))
        at += size
    at = 0
    while at < len(utterance.pcm):
        size = chance.randint(20, 100) * RATE // 1000 * 2
        deltas.append(Arrival(1000 * at / 2 / RATE / pace, "", utterance.pcm[at : at + size]))
        at += size
    return sorted(deltas, key=lambda delta: delta.at_ms)
