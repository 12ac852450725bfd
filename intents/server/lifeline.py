"""A child process that does not outlive its parent."""

import os
import sys
import threading


def end_with_parent() -> None:
    """From now on this process ends as soon as its standard input is closed.

    The parent holds the other end of that pipe and never writes to it; the kernel closes it even for a
    parent that is killed with -9.
    """

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
