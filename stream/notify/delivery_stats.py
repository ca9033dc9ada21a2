"""What became of the requests to a target, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Tally", "TargetState"]


@dataclass
class Tally:
    """What became of a target's requests. Written by its own thread only."""

    delivered: int = 0
    failed: int = 0  # requests that were not taken; they are tried again
    given_up: int = 0  # events that will not be
    last_s: float = 0.0  # when the last one was taken


class TargetState(NamedTuple):
    """A target: what became of its requests, and how many records of the topic it has not had."""

    name: str
    tally: Tally
    lag: int
    failing: bool
    stalled: bool
