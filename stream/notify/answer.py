"""How a request to a receiver went."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Answer"]


class Answer(NamedTuple):
    """How a request went.

    `delivered`: taken. `final`: refused, and no use to repeat. Otherwise try again, not before
    `wait_s` if the other side said so.
    """

    delivered: bool
    final: bool
    words: str
    wait_s: float = 0.0
