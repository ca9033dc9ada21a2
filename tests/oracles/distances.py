"""Distances between two histograms as in the textbooks. Imports nothing of ours."""

from __future__ import annotations

import math


def shares(counts: list[int], extra: float = 0.0) -> list[float]:
    total = sum(counts) + extra * len(counts)
    return [(c + extra) / total for c in counts]


def kl_of(p: list[float], q: list[float]) -> float:
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)


def psi(a: list[int], b: list[int]) -> float:
    p, q = shares(a, 0.5), shares(b, 0.5)
    return kl_of(p, q) + kl_of(q, p)


def kl(a: list[int], b: list[int]) -> float:
    return kl_of(shares(b, 0.5), shares(a, 0.5))


def js(a: list[int], b: list[int]) -> float:
    p, q = shares(a, 0.5), shares(b, 0.5)
    m = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return (kl_of(p, m) + kl_of(q, m)) / 2


def hellinger(a: list[int], b: list[int]) -> float:
    overlap = math.fsum(
        math.sqrt(x * y) for x, y in zip(shares(a, 0.5), shares(b, 0.5), strict=True)
    )
    return math.sqrt(max(0.0, 1 - overlap))


def total_variation(a: list[int], b: list[int]) -> float:
    return math.fsum(max(0.0, x - y) for x, y in zip(shares(a), shares(b), strict=True))


def expected(a: list[int], b: list[int]) -> list[tuple[int, float]]:
    """(observed, expected) of each cell of the 2 x B table."""
    n = sum(a) + sum(b)
    return [
        (row[i], (a[i] + b[i]) * sum(row) / n)
        for row in (a, b)
        for i in range(len(a))
        if a[i] + b[i]
    ]


def chi2(a: list[int], b: list[int]) -> float:
    return math.fsum((o - e) ** 2 / e for o, e in expected(a, b))


def g(a: list[int], b: list[int]) -> float:
    return 2 * math.fsum(o * math.log(o / e) for o, e in expected(a, b) if o)


def ks(a: list[int], b: list[int]) -> float:
    p, q = shares(a), shares(b)
    return max(abs(math.fsum(p[: i + 1]) - math.fsum(q[: i + 1])) for i in range(len(a)))


def wasserstein(a: list[int], b: list[int]) -> float:
    """Move what is too much from left to right, bin by bin, between mid-ranks."""
    p, q = shares(a), shares(b)
    place = [math.fsum(p[:i]) + p[i] / 2 for i in range(len(p))]
    return math.fsum(
        abs(math.fsum(p[: i + 1]) - math.fsum(q[: i + 1])) * (place[i + 1] - place[i])
        for i in range(len(p) - 1)
    )
