"""The embedded provider as the commands start it: with a real voice and ears, or with tones where those are missing."""

from importlib.util import find_spec

from rtactors.loopback.recognizer import Pocketsphinx, Recognizer, Scripted
from rtactors.loopback.script import STORY_PHRASES
from rtactors.loopback.voice import EspeakVoice, ToneVoice, Voice

TONE = "tone"
MISSING = 'the extra "speech" is not installed, so you will hear tones; for a voice: pip install "rtactors[speech]"'


def has_speech() -> bool:
    """Whether the extra `speech` is there."""
    return all(find_spec(package) for package in ("espeakng_loader", "pocketsphinx"))


def voice_named(name: str | None) -> Voice:
    """One of eSpeak NG's, or tones; None: the best there is. Raises ConfigurationError for one that there is not."""
    if name == TONE or (name is None and not has_speech()):
        return ToneVoice()
    return EspeakVoice(name) if name else EspeakVoice()


def recognizer(*expected: str) -> Recognizer:
    """Ears for what people say to the story; without them, they are taken to say what is `expected` of them."""
    return Pocketsphinx(STORY_PHRASES) if has_speech() else Scripted(*(expected or STORY_PHRASES))
