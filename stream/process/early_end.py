"""What SIGTERM and Ctrl-C do to a program that has only begun to start."""

from __future__ import annotations

import os
import signal

__all__ = ["end_at_once_if_told"]


def end_at_once_if_told() -> None:
    """Until somebody else handles them, SIGTERM and SIGINT end this process with exit code 0.

    While a program imports and compiles it holds nothing that had to be given back. An exception
    would be lost where it met a callback of the compiler.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
