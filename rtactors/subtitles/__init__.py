"""Subtitle files of what was heard, WebVTT and SRT, written while it is heard."""

from rtactors.subtitles.cues import Cue, Cues, CueWord
from rtactors.subtitles.file import SubtitleFile, srt, webvtt

__all__ = ["Cue", "CueWord", "Cues", "SubtitleFile", "srt", "webvtt"]
