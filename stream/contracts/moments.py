"""Event times that stand for something else than a moment."""

from __future__ import annotations

from typing import Final

__all__ = ["INFINITY", "MINUS_INFINITY", "NOT_YET"]

#: After and before every event time, in milliseconds: far enough from the ends of an int64 that
#: lengths of time can be added and subtracted.
INFINITY: Final = 2**62
MINUS_INFINITY: Final = -INFINITY
#: In place of a moment that has not come. Event times before 1970 are refused.
NOT_YET: Final = -1
