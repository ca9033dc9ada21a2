"""Slow, obvious twins of binning, counting and the windowed tests. Imports nothing of ours."""

from __future__ import annotations

import math
import sys


def edges(finite: list[float]) -> list[float]:
    """Of quantile bins of at most 64, from sorted finite values: each value's own two edges."""
    if not finite:
        return [0.0]
    finite = [min(v, math.nextafter(sys.float_info.max, 0.0)) for v in finite]
    distinct = sorted(set(finite))
    own = {}
    for i, v in enumerate(distinct):
        near = [abs(v / 3 - w / 3) for w in distinct[max(0, i - 1) : i] + distinct[i + 1 : i + 2]]
        reach = min([0.0 if v == round(v) else abs(v) * 2.0**-24, *near])
        own[v] = (v - reach, math.nextafter(v + reach, math.inf))
    if len(distinct) <= 32:
        return sorted({edge for pair in own.values() for edge in pair})
    cuts = [finite[k * len(finite) // 64] for k in range(64)]
    found = {own[distinct[0]][0], own[distinct[-1]][1]}
    for v in set(cuts):
        if cuts.count(v) > 1:
            found |= set(own[v])
        elif v > distinct[0]:
            found.add(v)
    return sorted(found)


def bin_of_number(value: float, edges: list[float]) -> int | None:
    """0 below, 1..k interior, then above, missing, invalid; None if it is not counted."""
    k = len(edges)
    if math.isnan(value):
        return k + 1
    if value == -math.inf:
        return k + 2
    if value == math.inf:
        return None
    return sum(1 for edge in edges if edge <= value)


def count(
    positions: list[list[int]], slots: list[int], n_slots: int, width: int
) -> list[list[int]]:
    out = [[0] * width for _ in range(n_slots)]
    for row, slot in zip(positions, slots, strict=True):
        if slot < 0:
            continue
        out[slot][0] += 1
        for position in row:
            if position >= 0:
                out[slot][position] += 1
    return out


def psi(reference: list[int], window: list[int]) -> float:
    k = len(reference)
    n0 = sum(reference) + k / 2
    n1 = sum(window) + k / 2
    total = 0.0
    for a, b in zip(reference, window, strict=True):
        p, q = (a + 0.5) / n0, (b + 0.5) / n1
        total += (q - p) * math.log(q / p)
    return total


def mid_rank_scores(counts: list[int]) -> list[int]:
    """Round((below + own / 2) / n * 65535), halves to even."""
    n = max(1, sum(counts))
    scores = []
    below = 0
    for c in counts:
        scores.append(round((below + c / 2) / n * 65535))
        below += c
    return scores


def rate_tail(b: int, n: int, a: int, n_reference: int) -> float:
    """P(at least b of the a + b events fall into the window), each with chance n / (n + N)."""
    p = n / (n + n_reference)
    return math.fsum(
        math.comb(a + b, j) * p**j * (1 - p) ** (a + b - j) for j in range(b, a + b + 1)
    )
