"""Warnings of a kind, once: a service that logs a million events must not log a million lines."""

from __future__ import annotations

import logging
import threading

__all__ = ["Notices"]

log = logging.getLogger("driftstream")


class Notices:
    """Says each kind of trouble once, until `over` says that it ended.

    Parameters
    ----------
    who : str
        Whose they are, at the head of each line.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self.last_error = ""

    def warn(self, kind: str, words: str) -> None:
        """Keep the words as the last error, and log them if they are the first of their kind."""
        with self._lock:
            self.last_error = words
            if kind in self._told:
                return
            self._told.add(kind)
        log.warning("%s: %s", self._who, words)

    def over(self, words: str, *kinds: str) -> None:
        """Say once that trouble ended, if any of it was told; the next of a kind is told again."""
        with self._lock:
            if self._told.isdisjoint(kinds):
                return
            self._told.difference_update(kinds)
        log.warning("%s: %s", self._who, words)
