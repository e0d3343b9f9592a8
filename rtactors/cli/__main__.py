"""`python -m rtactors.cli`: the command `rtactors`, where it is not on the path."""

import sys

from rtactors.cli.main import main

sys.exit(main())
