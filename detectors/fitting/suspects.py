"""Columns of numbers that may not be what they seem: ids, codes, error codes, sort keys.

Each looks at sampled values alone and gives a verdict that a person can check.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import MAX_BINS

__all__ = ["follows_rows", "is_own_number", "is_sorted", "looks_like_codes", "spikes"]

Floats = npt.NDArray[np.float64]
#: Rank correlation with the order of the rows from which on values follow it. A counter that a few
#: writers share has it; a trend that noise covers has not.
_FOLLOWS: Final = 0.999
_LEAST_ROWS: Final = 300
_LEAST_MOMENTS: Final = 10
#: Share of steps in the other direction that a sorted column may have.
_SLIPS: Final = 0.001
#: A code is used this often on the average, and at most half of the numbers between are in use.
_USES: Final = 5.0
_FILLED: Final = 0.5
_CODE_NAME: Final = re.compile(
    r"(^|[^a-z])(id|ids|code|codes|zip|zipcode|plz|postcode|postal|sku|key|nr|no)($|[^a-z])"
)
#: A spike is this many times as far from all other values as these are from each other.
_FAR: Final = 10.0
#: Likewise for nines: nobody measures -999 by chance.
_FAR_NINES: Final = 3.0
_MOST_SPIKES: Final = 3


def follows_rows(values: Floats, times_ms: npt.NDArray[np.int64]) -> bool:
    """Whether values only grow, or only fall, with the times of their rows: an id or a clock."""
    there = np.isfinite(values)
    v, t = values[there], times_ms[there]
    if v.size < _LEAST_ROWS:
        return False
    place = np.arange(v.size, dtype=np.float64)
    order = np.argsort(t, kind="stable")
    moments = 1 + np.count_nonzero(np.diff(t[order]))
    if moments < _LEAST_MOMENTS:
        return False
    if moments == v.size:
        return abs(_correlation(mid_ranks(v[order]), place)) >= _FOLLOWS
    # Rows of one moment have no order: they are given the one that suits.
    return any(_correlation(mid_ranks(w[np.lexsort((w, t))]), place) >= _FOLLOWS for w in (v, -v))


def is_own_number(values: Floats) -> bool:
    """Whether each row has a whole number of its own, though by chance some would be the same."""
    v = values[np.isfinite(values)]
    if v.size < _LEAST_ROWS or (v % 1).any() or np.unique(v).size < v.size:
        return False
    return bool(v.size**2 > 10.0 * np.ptp(v))


def is_sorted(values: Floats) -> bool:
    """Whether values, in the order of their rows, go one way."""
    v = values[np.isfinite(values)]
    if v.size < _LEAST_ROWS:
        return False
    up, down = int((np.diff(v) > 0).sum()), int((np.diff(v) < 0).sum())
    return max(up, down) > 0 and min(up, down) <= _SLIPS * max(up, down)


def looks_like_codes(name: str, values: Floats) -> int:
    """How many different whole numbers name something rather than count it; 0 if they do not.

    They are used again and again, and leave out most numbers between them where the bulk of them
    is; ages and counts do not. Few ones have a bin each anyway.
    """
    v = values[np.isfinite(values)]
    if not v.size or (v % 1).any() or v.min() < 0:
        return 0
    distinct, times = np.unique(v, return_counts=True)
    if distinct.size <= MAX_BINS // 2 or v.size < _USES * distinct.size:
        return 0
    if _CODE_NAME.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()):
        return int(distinct.size)
    until = np.cumsum(times) / v.size
    bulk = distinct[(until >= 0.1) & (until <= 0.9)]
    if bulk.size < MAX_BINS // 2:
        return 0
    step = int(np.gcd.reduce(np.diff(bulk).astype(np.int64)))
    filled = bulk.size / (np.ptp(bulk) / max(1, step) + 1)
    return int(distinct.size) if filled <= _FILLED else 0


def spikes(values: Floats) -> list[float]:
    """Values far outside all others, each repeated or made of nines: error codes."""
    v = values[np.isfinite(values)]
    distinct, times = np.unique(v, return_counts=True)
    found: list[float] = []
    for side in (1, -1, 1):
        d, n = (distinct, times)[::1] if side > 0 else (distinct[::-1], times[::-1])
        for k in range(1, _MOST_SPIKES + 1):
            bulk = d[_MOST_SPIKES:-k]  # the other side may have some too
            if bulk.size < 3 or not np.ptp(bulk):
                break
            least = _FAR_NINES if all(map(_is_nines, d[-k:])) else _FAR
            far = abs(d[-k] - bulk[-1]) > least * np.ptp(bulk)
            odd = all(m > 1 or _is_nines(x) for x, m in zip(d[-k:], n[-k:], strict=True))
            if far and odd:
                found += d[-k:].tolist()
                keep = ~np.isin(distinct, d[-k:])
                distinct, times = distinct[keep], times[keep]
                break
    return sorted(found)


def _is_nines(value: float) -> bool:
    digits = f"{abs(value):.0f}"
    return len(digits) > 2 and set(digits) == {"9"}


def mid_ranks(values: Floats) -> Floats:
    """Ranks, those of equal values averaged."""
    return _mid_ranks(values, np.argsort(values))


@kernel
def _mid_ranks(values: Floats, order: npt.NDArray[np.int64]) -> Floats:
    """Of values and the order that sorts them."""
    ranks = np.empty(values.size)
    start = 0
    for end in range(1, values.size + 1):
        if end == values.size or values[order[end]] != values[order[start]]:
            for at in range(start, end):
                ranks[order[at]] = (start + end) / 2
            start = end
    return ranks


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else 0.0
