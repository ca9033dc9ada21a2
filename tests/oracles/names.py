"""The test of names' shares, one by one with exact fractions. Imports nothing of ours."""

from __future__ import annotations

from fractions import Fraction
from math import comb


def fisher(b: int, n: int, a: int, of: int) -> float:
    """P(at least b of n are among the a + b of n + of)."""
    ways = sum(
        comb(n, j) * comb(of, a + b - j) for j in range(b, min(n, a + b) + 1) if a + b - j <= of
    )
    return float(Fraction(ways, comb(n + of, a + b)))


def tail(b: int, n: int, a: int, of: int) -> float:
    """One way, the way in which the share moved."""
    return fisher(b, n, a, of) if b * of >= a * n else fisher(a, of, b, n)
