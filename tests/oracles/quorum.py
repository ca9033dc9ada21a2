"""The time that the records of a chunk agree on, one record at a time and as plainly as can be.

Imports nothing of ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

NEVER = -(2**62)
SPAN_MS, FAR_MS = 3_000, 60_000


def agreed(
    times: Iterable[int], *, begin: int = 8, begin_spread_ms: int = SPAN_MS, sure_of_far: int = 16
) -> list[int]:
    """The agreed time after each record; other numbers than its own make it a worse rule."""
    seen: list[int] = []
    told: list[int] = []
    now, gone, since = NEVER, 0, 0
    have = 0
    for time in times:
        seen.append(time)
        wanted = 1_024
        if gone >= SPAN_MS:
            wanted = min(1_024, max(6, math.ceil(since * SPAN_MS / gone)))
        have = min(wanted, len(seen))
        window = sorted(seen[-have:])
        since += 1
        best = NEVER
        if have >= 6:
            latest = window[have - max(min(have, 8), math.ceil(0.75 * have))]
            if now == NEVER:
                spread = window[-1] - latest
                if have >= begin and (spread >= begin_spread_ms or have >= 1_024):
                    best = latest
            elif latest > now and (latest <= now + FAR_MS or have >= sure_of_far):
                best = latest
        long = 16 if wanted >= 8 else 8
        run = seen[-long:]
        later = now > NEVER and len(run) == long and min(run) > max(now, best)
        if later and max(run) - min(run) >= SPAN_MS:
            best = min(run)
        if best > now:
            if now == NEVER:
                since = 0
            else:
                gone += min(best - now, SPAN_MS)
            now = best
        told.append(now)
    return told
