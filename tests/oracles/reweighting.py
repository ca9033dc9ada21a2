"""Reweighting of a reference, value by value, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

Counts = Sequence[int]


def psi(before: Sequence[float], after: Sequence[float], n: int) -> float:
    total = 0.0
    for p, q in zip(before, after, strict=True):
        p = (p + 0.5 / n) / (1.0 + 0.5 * len(before) / n)
        q = (q + 0.5 / n) / (1.0 + 0.5 * len(before) / n)
        total += (q - p) * math.log(q / p)
    return total


def mixed(rows: Sequence[Counts], weights: Counts) -> tuple[list[float], float]:
    """What is said if values come so often; and the share of values that no row has."""
    n, known, said = sum(weights), 0, [0.0] * len(rows[0])
    for row, weight in zip(rows, weights, strict=True):
        if sum(row):
            known += weight
            said = [old + weight / n * count / sum(row) for old, count in zip(said, row)]
    return said, 1.0 - known / n


def explained(
    rows: Sequence[Counts], usual: Counts, now: Counts, said_usual: Counts, said_now: Counts
) -> tuple[float, float] | None:
    n = sum(said_now)
    before = [count / sum(said_usual) for count in said_usual]
    after = [count / n for count in said_now]
    chance = (sum(a + b > 0 for a, b in zip(said_usual, said_now)) - 1) / n
    moved = psi(before, after, n)
    if moved * n < 100.0 or moved <= 2.0 * chance:
        return None
    base, unused = mixed(rows, usual)
    base = [share / (1.0 - unused) for share in base]
    tilted, unknown = mixed(rows, now)
    tilted = [share + unknown * other for share, other in zip(tilted, base)]
    expected = [
        p * (share / other if other else 1.0) for p, share, other in zip(before, tilted, base)
    ]
    expected = [share / sum(expected) for share in expected]
    left = max(0.0, psi(expected, after, n) - chance)
    return min(1.0, max(0.0, 1.0 - left / (moved - chance))), unknown


def errors(rows: Sequence[Counts], weights: Counts) -> float:
    """Mean error if values come so often; of one without a known truth that of all."""
    mean = sum(wrong for _, wrong in rows) / sum(known for known, _ in rows)
    return sum(
        weight / sum(weights) * (wrong / known if known else mean)
        for (known, wrong), weight in zip(rows, weights, strict=True)
    )
