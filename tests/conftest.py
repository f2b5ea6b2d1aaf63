"""Fixtures that several files of tests share."""

from browser import chromium, visit

__all__ = ["chromium", "visit"]
