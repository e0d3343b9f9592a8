"""Sinks: where messages are heard; each alone knows the position of what it plays."""

from rtactors.sinks.memory import MemorySink as MemorySink
from rtactors.sinks.paced import PacedSink as PacedSink
from rtactors.sinks.speaker import Speaker as Speaker
from rtactors.sinks.wav import WavSink as WavSink
