"""The time that the records of a chunk agree on, one record at a time and as plainly as can be.

Imports nothing of ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

NEVER = -(2**62)
SPAN_MS, FAR_MS = 3_000, 60_000


def agreed(times: Iterable[int]) -> list[int]:
    """The agreed time after each record."""
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
                if have >= 8 and (window[-1] - latest >= SPAN_MS or have >= 1_024):
                    best = latest
            elif latest > now and (latest <= now + FAR_MS or have >= 16):
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
