"""Recording: what goes in and out of every actor of a session, as a file of JSON lines.

    async with Session(provider, sink=sink, recorder=Recorder("call.jsonl")) as session: ...

`rtactors.testing.replay` makes the same happen again; `rtactors replay call.jsonl` shows it.
"""

from rtactors.recording.reading import Recording, read_recording
from rtactors.recording.recorder import Recorder

__all__ = ["Recorder", "Recording", "read_recording"]
