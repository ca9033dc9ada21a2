"""How long an episode waits before it ends: longer, when the last one ended too soon.

A drift that is small beside what a window shows, or that comes and goes, is found again and again.
Told each time it is a flood, so an episode that opens soon after another waits twice as long as
that one did. One that opens after a long quiet is a new matter.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["FEWEST_LOOKS", "MAX_LOOKS", "Rest", "looks_after"]

#: Looks in a row without a finding after which a signal leaves: at each window that closes, and
#: where half of it is full. False alarms of slow streams would last for weeks otherwise.
FEWEST_LOOKS: Final = 2
MAX_LOOKS: Final = 16
#: Soon is within so many times as long as the last episode lasted.
_SOON: Final = 4


class Rest(msgspec.Struct, frozen=True, array_like=True):
    """The last episode of a kind: when it ended, how long it lasted, how many looks it waited."""

    ended_ms: int
    lasted_ms: int
    looks: int


def looks_after(last: Rest | None, opened_ms: int) -> int:
    """Looks that an episode waits that opens now."""
    if last is None or opened_ms - last.ended_ms > _SOON * last.lasted_ms:
        return FEWEST_LOOKS
    return min(2 * last.looks, MAX_LOOKS)
