"""What all tests share."""

from __future__ import annotations

import gc
import signal


def pytest_configure():
    """A program started in the background of a shell ignores Ctrl-C, and so do its children; tests send it on purpose.

    One that was started by `nohup` ignores that its terminal has gone.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish():
    """Hundreds of tests collect garbage to see what is left: what lives as long as they do is not searched each time."""
    gc.collect()
    gc.freeze()
