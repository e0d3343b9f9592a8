"""The command `rtactors`: reads the arguments, runs one of the commands, and turns what goes wrong into one line.

Exit codes: 0 all is well, 1 it failed (or, for `demo`, the record differs), 2 it was called wrongly, 130 Ctrl-C.
Commands are imported when they run, so that `--help` is quick and needs none of what they need.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rtactors import ConfigurationError, RtactorsError, __version__

OK, FAILED, USAGE, STOPPED = 0, 1, 2, 130
