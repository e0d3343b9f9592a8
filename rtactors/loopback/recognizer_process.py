"""The process in which speech is recognised: PCM16 comes in on stdin, a line of text for it goes out on stdout.

A request is its length in bytes (4, little-endian), then the audio. It ends when stdin does. The arguments are the
phrases to be heard, none for free speech. Run as a script: it may import nothing of the package it stands in.
"""

import re
import sys
from typing import Any

RATE = 16_000
"""Hz of the audio that comes in."""


def grammar(phrases: list[str]) -> str:
    """The phrases in the Java Speech Grammar Format: lower-case words, without signs."""
    spoken = [" ".join(re.findall(r"[a-z']+", phrase.lower())) for phrase in phrases]
    return f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {' | '.join(filter(None, spoken))};\n"


def main() -> None:
    """Serve until stdin ends."""
    import pocketsphinx  # pyright: ignore[reportMissingTypeStubs] - it has none

    decoding: Any = pocketsphinx
    phrases = sys.argv[1:]
    if phrases:
        decoder = decoding.Decoder(samprate=RATE, loglevel="FATAL", lm=None)
        decoder.add_jsgf_string("phrases", grammar(phrases))
        decoder.activate_search("phrases")
    else:
        decoder = decoding.Decoder(samprate=RATE, loglevel="FATAL")
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(size := requests.read(4)) == 4:  # noqa: PLR2004 - the length of a length
        audio = requests.read(int.from_bytes(size, "little"))
        decoder.start_utt()
        decoder.process_raw(audio, no_search=False, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        answers.write((found.hypstr if found else "").encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
