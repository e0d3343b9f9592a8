"""`rtactors talk` with a loudspeaker and a microphone, which here hears nothing but the loudspeaker."""

from pathlib import Path

import pytest

from tests.cli.command import running
from tests.device.conftest import plugged_in

pytestmark = pytest.mark.device


def test_it_plays_the_model_and_hears_who_speaks(tmp_path: Path) -> None:
    """Without headphones the model hears itself, and stops: so both devices, and what lies between them, work."""
    with plugged_in(tmp_path) as card:
        card.record()
        with running("talk") as talk:
            talk.type("Tell me a story.\n")
            talk.until("(stopped: ")
            talk.type("/quit\n")
            talk.until("\nas heard:\n")
            result = talk.end()
        assert card.played()
    assert result.code == 0, result.err
    assert "you      Tell me a story.\nmodel    " in result.out
