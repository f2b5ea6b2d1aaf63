"""Fixtures that several files of tests share."""

import signal

from browser import chromium, visit

__all__ = ["chromium", "visit"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that a test starts would
# ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)
