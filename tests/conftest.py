"""Fixtures that several files of tests share."""

import signal

from hypothesis import settings

from browser import chromium, visit

__all__ = ["chromium", "visit"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that a test starts would
# ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
