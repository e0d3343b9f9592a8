"""How much of a text is spoken in some time, where there is no audio to look at. Pure."""

from itertools import takewhile

from rtactors.alignment.script import Script


def spoken_in(text: str, ms: int) -> str:
    """The beginning of `text` that a speaker of ordinary pace has spoken by then, in whole words."""
    script = Script()
    script.add(text)
    script.end()
    ends = (spoken + pauses for spoken, pauses in zip(script.ms[1:], script.pause_ms, strict=False))
    count = sum(1 for _ in takewhile(lambda end: end <= ms, ends))
    return "".join(script.words[:count])
