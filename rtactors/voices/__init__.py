"""Voices of our own: text to speech, for what no server speaks."""

from rtactors.voices.base import Voice
from rtactors.voices.espeak import EspeakVoice

__all__ = ["EspeakVoice", "Voice"]
