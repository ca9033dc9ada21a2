"""Whittle's likelihood of a fractional ARMA(1, 1), from its formula. Imports nothing of ours."""

from __future__ import annotations

import itertools

import numpy as np


def naive_ratio(values: list[float]) -> tuple[float, float]:
    """Order of integration, and its log likelihood ratio against none, by the grid of the twin."""
    x = np.array(values)
    n = (x.size - 1) // 2
    power = np.abs(np.fft.rfft(x))[1 : n + 1] ** 2
    frequency = 2 * np.pi * np.arange(1, n + 1) / x.size
    starts = sorted({*range(20), *np.geomspace(20, n, 60).astype(int).tolist()} - {n})
    bands = list(itertools.pairwise([*starts, n]))
    w = np.array([frequency[a:b].mean() for a, b in bands])
    p = np.array([power[a:b].mean() for a, b in bands])
    m = np.array([b - a for a, b in bands])

    def loss(u: float, v: float, d: float) -> float:
        a, b = np.tanh(u), np.tanh(v)
        shape = np.abs((1 + b * np.exp(1j * w)) / (1 - a * np.exp(1j * w))) ** 2
        shape = shape / np.abs(1 - np.exp(1j * w)) ** (2 * d)
        level = (m * p / shape).sum() / m.sum()
        return float((m * np.log(shape)).sum() + m.sum() * np.log(level))

    def least(depths: list[float]) -> tuple[float, float]:
        around = range(-2, 3)
        u = v = [k / 2 for k in range(-7, 10)]
        d, step, best = depths, 0.5, (np.inf, 0.0, 0.0, 0.0)
        for _ in range(6):
            # A point must be better by more than rounding: else the first of equal ones stays.
            for at in itertools.product(u, v, d):
                if (found := loss(*at)) < best[0] - 1e-9:
                    best = (found, *at)
            step *= 0.6
            u, v = ([best[i] + step * k for k in around] for i in (1, 2))
            if len(depths) > 1:
                d = [min(0.49, max(0.0, best[3] + 0.15 * step * k)) for k in around]
        return best[0], best[3]

    without, _ = least([0.0])
    within, d = least([0.0, 0.1, 0.2, 0.3, 0.4])
    return (d, without - within) if within < without else (0.0, 0.0)
