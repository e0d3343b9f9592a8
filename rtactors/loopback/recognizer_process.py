"""The process in which speech is recognised: PCM16 comes in on stdin, a line of text for it goes out on stdout.

A request is its length in bytes (4, little-endian), then the audio. It ends when stdin does. The arguments are the
phrases to be heard, none for free speech. Run as a script: it may import nothing of the package it stands in.
"""

import re
import sys
from array import array
from itertools import cycle
from random import Random
from typing import Any

RATE = 16_000
"""Hz of the audio that comes in."""
NOISE = 17
"""The decoder was taught with microphones: perfect silence, as a synthetic voice has it, makes it deaf to much of what
follows. A little noise, always the same, mends that."""
WIDE = {"beam": 1e-80, "wbeam": 1e-60, "pbeam": 1e-80, "bestpath": False}
"""Few phrases leave time to follow each of them to its end."""


def grammar(phrases: list[str]) -> str:
    """The phrases in the Java Speech Grammar Format: lower-case words, without signs."""
    spoken = [" ".join(re.findall(r"[a-z']+", phrase.lower())) for phrase in phrases]
    return f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {' | '.join(filter(None, spoken))};\n"


def noisy(pcm: bytes) -> bytes:
    """The audio as if a microphone had heard it."""
    dice = Random(0)  # noqa: S311 - the same noise each time is what is wanted
    second = [dice.randint(-NOISE, NOISE) for _ in range(RATE)]
    samples = zip(array("h", pcm), cycle(second), strict=False)
    return array("h", (min(max(sample + noise, -32768), 32767) for sample, noise in samples)).tobytes()


def main() -> None:
    """Serve until stdin ends."""
    import pocketsphinx  # pyright: ignore[reportMissingTypeStubs] - it has none

    decoding: Any = pocketsphinx
    phrases = sys.argv[1:]
    if phrases:
        decoder = decoding.Decoder(samprate=RATE, loglevel="FATAL", lm=None, **WIDE)
        decoder.add_jsgf_string("phrases", grammar(phrases))
        decoder.activate_search("phrases")
    else:
        decoder = decoding.Decoder(samprate=RATE, loglevel="FATAL")
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(size := requests.read(4)) == 4:  # noqa: PLR2004 - the length of a length
        audio = requests.read(int.from_bytes(size, "little"))
        decoder.start_utt()
        decoder.process_raw(noisy(audio), no_search=False, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        answers.write((found.hypstr if found else "").encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
