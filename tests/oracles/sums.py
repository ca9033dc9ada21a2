"""CUSUM and Page-Hinkley from their definitions, over all items so far. Imports nothing of ours."""

from __future__ import annotations

import math


class NaiveCusum:
    """The largest sum of z - k over any last stretch of items since the last alarm."""

    def __init__(self, slack: float, threshold: float, mean: float = 0.0, sd: float = 1.0) -> None:
        self.slack, self.threshold, self.mean, self.sd = slack, threshold, mean, sd
        self.items: list[float] = []

    def update(self, x: float) -> bool:
        if not math.isfinite(x):
            return False
        self.items.append((x - self.mean) / self.sd)
        for sign in (1, -1):
            total = most = 0.0
            for z in reversed(self.items):
                total += sign * z - self.slack
                most = max(most, total)
            if most > self.threshold:
                self.items = []
                return True
        return False


class NaivePaneCusum:
    """One slot of the pane form; a pane is one item whose slack depends on its size."""

    def __init__(
        self, n: int, s1: int, s2: int, phi: float, z: float, slack: float, threshold: float
    ) -> None:
        self.mean = s1 / n
        self.sd = math.sqrt(s2 / n - self.mean**2)
        self.phi, self.slack, self.threshold = phi, slack, threshold
        self.bound = z * math.sqrt(phi / n)
        self.panes: list[tuple[float, float]] = []

    def update(self, n: int, s1: int) -> bool:
        if n <= 0 or self.sd == 0:
            return False
        root = math.sqrt(n / self.phi)
        self.panes.append(((s1 / n - self.mean) / self.sd * root, self.slack + self.bound * root))
        for sign in (1, -1):
            total = most = 0.0
            for z, slack in reversed(self.panes):
                total += sign * z - slack
                most = max(most, total)
            if most > self.threshold:
                self.panes = []
                return True
        return False


class NaivePageHinkley:
    """Sums over all items since the last alarm, from their running means."""

    def __init__(
        self, delta: float = 0.005, threshold: float = 50.0, alpha: float = 0.9999, least: int = 30
    ) -> None:
        self.delta, self.threshold, self.alpha, self.least = delta, threshold, alpha, least
        self.items: list[float] = []

    def update(self, x: float) -> bool:
        if not math.isfinite(x):
            return False
        self.items.append(x)
        up = down = 0.0
        ups, downs = [], []
        for i in range(len(self.items)):
            apart = self.items[i] - math.fsum(self.items[: i + 1]) / (i + 1)
            up = self.alpha * up + apart - self.delta
            down = self.alpha * down + apart + self.delta
            ups.append(up)
            downs.append(down)
        if len(self.items) < self.least:
            return False
        if max(up - min(ups), max(downs) - down) > self.threshold:
            self.items = []
            return True
        return False


def brook_evans(threshold: float, slack: float, states: int = 300) -> float:
    """Run length of the two-sided CUSUM on N(0, 1) by a Markov chain on a grid (1972)."""
    import numpy as np
    from scipy import stats

    width = 2 * threshold / (2 * states - 1)
    at = np.arange(states) * width
    upper = at[None, :] + width / 2 - at[:, None] + slack
    chain = stats.norm.cdf(upper) - stats.norm.cdf(upper - width)
    chain[:, 0] = stats.norm.cdf(upper[:, 0])
    return float(np.linalg.solve(np.eye(states) - chain, np.ones(states))[0]) / 2
