"""Each conversation runs in virtual time, and over real sockets."""

from tests.scenarios.conftest import begin

__all__ = ["begin"]
