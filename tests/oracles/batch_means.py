"""Dependence from batches of rows, number by number. Imports nothing of ours."""

from __future__ import annotations

import itertools
import math


def correlation(rows: list[list[int]], scores: list[list[float]]) -> tuple[float, float]:
    """Of neighbours' mean scores, each direction by its squared variance; and its error."""
    m, totals = len(rows), [sum(column) for column in zip(*rows, strict=True)]
    n = sum(totals)
    residuals = []
    for row in rows:
        size = sum(row)
        left = [c - size * t / max(1, n) for c, t in zip(row, totals, strict=True)]
        residuals.append(
            [
                math.fsum(x * s[k] for x, s in zip(left, scores, strict=True))
                / math.sqrt(max(1, size))
                for k in range(len(scores[0]))
            ]
        )
    size = range(len(scores[0]))
    now = [[math.fsum(r[i] * r[j] for r in residuals) for j in size] for i in size]
    lag = [
        [math.fsum(a[i] * b[j] for a, b in itertools.pairwise(residuals)) for j in size]
        for i in size
    ]
    squares = math.fsum(v * v for row in now for v in row)
    if squares <= 0:
        return 0.0, 1.0
    r = math.fsum(lag[i][j] * now[i][j] for i in size for j in size) / squares
    twice = [[math.fsum(now[i][k] * now[k][j] for k in size) for j in size] for i in size]
    fourth = math.fsum(v * v for row in twice for v in row)
    return r + 1 / m, math.sqrt(fourth / m) / squares


def naive_dependence(
    rows: list[list[int]], groups: list[int], scores: list[int] | None, *, lengthen: bool
) -> tuple[int, float]:
    """Independent batches that tell as much, and the design effect of the mean score."""

    def found(rows: list[list[int]]) -> list[tuple[float, float]]:
        coarse = [[0] * (groups[-1] + 1) for _ in rows]
        for b, row in enumerate(rows):
            for count, group in zip(row, groups, strict=True):
                coarse[b][group] += count
        totals = [max(1, sum(column)) for column in zip(*coarse, strict=True)]
        n = max(1, sum(map(sum, coarse)))
        weight = [
            [math.sqrt(n / t) if i == j else 0.0 for j in range(len(totals))]
            for i, t in enumerate(totals)
        ]
        pairs = [correlation(coarse, weight)]
        if scores is not None:
            present = [row[: len(scores)] for row in rows]
            spread = [abs(2 * s - 65_535) for s in scores]
            pairs += [correlation(present, [[float(v)] for v in of]) for of in (scores, spread)]
        return pairs

    now = found(rows)
    while lengthen and len(rows) >= 32:
        pairs = len(rows) // 2
        longer = [
            [a + b for a, b in zip(rows[2 * i], rows[2 * i + 1], strict=True)] for i in range(pairs)
        ]
        if len(rows) % 2:
            longer[-1] = [a + b for a, b in zip(longer[-1], rows[-1], strict=True)]
        then = found(longer)
        if not any(
            r > 2 * e and r2 - r * (1 + r) / 2 > e2 / 2
            for (r, e), (r2, e2) in zip(now, then, strict=True)
        ):
            break
        rows, now = longer, then
    m = len(rows)
    used, sure = [], 0.0
    for (r, e), hint in zip(now, (0.0, 1.5, 1.5), strict=False):
        reckoned = min(0.9, r + 3 * r / m) if lengthen and r > hint * e else 0.0
        used.append(reckoned)
        if lengthen and r > 1.65 * e:
            sure = max(sure, reckoned)
    worth = min(m, max(4, round(m * (1 - sure) / (1 + sure)))) if lengthen else m
    if scores is None:
        return worth, 0.0
    present = [row[: len(scores)] for row in rows]
    totals = [sum(column) for column in zip(*present, strict=True)]
    n = sum(totals)
    mean = sum(t * s for t, s in zip(totals, scores, strict=True)) / n
    variance = sum(t * (s - mean) ** 2 for t, s in zip(totals, scores, strict=True)) / n
    if not variance:
        return worth, 1.0
    between = math.fsum(
        math.fsum(c * (s - mean) for c, s in zip(row, scores, strict=True)) ** 2 for row in present
    )
    phi = between * m / (m - 1) / n / variance
    return worth, phi * (1 + used[1]) / (1 - used[1])
