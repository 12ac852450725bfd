"""A child process that does not outlive its parent."""

import os
import threading


def end_with_parent() -> None:
    """From now on this process ends as soon as its standard input is closed.

    The parent holds the other end of that pipe and never writes to it; the kernel closes it even for a
    parent that is killed with -9.
    """

    def wait() -> None:
        # Not through sys.stdin: its lock, held by a thread that waits, aborts an interpreter that ends in order.
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
