"""`python in_terminal.py COMMAND...`: runs a command on a terminal, and passes on what it prints there.

The terminal is kept open until all is read: one that is closed may lose what was printed last.
"""

import os
import subprocess
import sys
from threading import Thread

END = b"\x00"

master, slave = os.openpty()
process = subprocess.Popen(sys.argv[1:], stdout=slave)


def tell_the_end() -> None:
    process.wait()
    os.write(slave, END)


Thread(target=tell_the_end).start()
while not (piece := os.read(master, 4096)).endswith(END):
    sys.stdout.buffer.write(piece)
sys.stdout.buffer.write(piece.removesuffix(END))
sys.exit(process.returncode)
