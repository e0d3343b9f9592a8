"""Subtitle files of what was heard, WebVTT and SRT, written while it is heard."""

from rtactors.subtitles.cues import Cue, Cues, Word
from rtactors.subtitles.file import SubtitleFile, srt, webvtt

__all__ = ["Cue", "Cues", "SubtitleFile", "Word", "srt", "webvtt"]
