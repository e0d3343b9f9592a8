"""Where the words of a text are in the audio that speaks it: estimated, unless a provider says it.

`base` is what an aligner is; `speech` is where to begin to read how ours estimates: it names its parts.
"""

from rtactors.alignment.base import Aligner, Alignment, Word
from rtactors.alignment.even import EvenAligner
from rtactors.alignment.given import GivenAlignment
from rtactors.alignment.speech import SpeechAligner

__all__ = ["Aligner", "Alignment", "EvenAligner", "GivenAlignment", "SpeechAligner", "Word"]
