"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure():
    """A program started in the background of a shell ignores Ctrl-C, and so do its children; tests send it on purpose."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
