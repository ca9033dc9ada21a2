"""The mixture of Shiryaev-Roberts e-detectors, as written. Imports nothing of ours."""

from __future__ import annotations

import math

BETS = (0.1, 0.2, 0.4, 0.8, 1.6)


class NaiveEDetector:
    """`scores` and `counts` of the reference by bin, in 0 to 1, for each axis."""

    def __init__(
        self,
        axes: list[list[float]],
        counts: list[int],
        threshold: float,
        z: float,
        phis: list[float],
        tempered: bool,
    ) -> None:
        self.threshold = threshold
        self.bets = []
        n = sum(counts)
        for scores, phi in zip(axes, phis, strict=True):
            mean = math.fsum(c * x for c, x in zip(counts, scores, strict=True)) / n
            variance = (
                math.fsum(c * (x - mean) ** 2 for c, x in zip(counts, scores, strict=True)) / n
            )
            bound = z * max(math.sqrt(phi * variance / n), 1 / n)
            for sign in (1, -1):
                apart = [sign * (x - mean) - bound for x in scores]
                reach = max(0.5, -min(apart))
                for bet in BETS:
                    factors = [1 + bet * 0.5 / reach * a for a in apart]
                    self.bets.append((factors, 1.25 * phi if tempered else 1.0, 8 / (1.25 * phi)))
        self.m = [0.0] * len(self.bets)

    def update(self, counts: list[int]) -> bool:
        if not sum(counts):
            return False
        for k, (factors, temper, entry) in enumerate(self.bets):
            growth = 1.0
            for c, f in zip(counts, factors, strict=True):
                growth *= f ** (c / temper)
            self.m[k] = (self.m[k] + min(1.0, sum(counts) * entry)) * growth
        if sum(self.m) / len(self.m) > self.threshold:
            self.m = [0.0] * len(self.m)
            return True
        return False


class NaiveShares:
    """The weighted mean of processes of ranks (a `NaiveEDetector` or None) and of shares.

    `shares` are (inside, total, tail, phi, rate, both) of the reference; `bound` is the largest
    share that so many of so many allow at a tail.
    """

    def __init__(self, ranks: NaiveEDetector | None, shares: list[tuple], bound, threshold: float):
        self.ranks, self.threshold = ranks, threshold
        if ranks is not None:
            ranks.threshold = math.inf
        self.processes = []  # share, whether of a rate, factor of one and of zero, phi
        for k, (inside, total, tail, phi, rate, both) in enumerate(shares):
            for sign in (1, -1) if both else (1,):
                m0 = bound(inside if sign > 0 else total - inside, total, tail)
                lost = m0  # of a bet on a rise by an event outside, and the other way round
                for bet in (0.5, 2, 8, 32) if rate else BETS:
                    stake = min(bet, 0.95 / lost) if rate else bet * 0.5 / max(0.5, lost)
                    won, nothing = 1 + stake * (1 - m0), 1 - stake * lost
                    one, zero = (won, nothing) if sign > 0 else (nothing, won)
                    self.processes.append((k, rate, one, zero, phi))
        self.m = [0.0] * len(self.processes)

    def update(self, values: list[int], pane: list[tuple[int, int]]) -> bool:
        """`values` by bin for the ranks, and (events, inside) of each share."""
        if self.ranks is not None:
            self.ranks.update(values)
        for i, (k, _, one, zero, phi) in enumerate(self.processes):
            n, inside = pane[k]
            if n:
                start = self.m[i] + min(1.0, 8 * n / phi)
                self.m[i] = start * one ** (inside / phi) * zero ** ((n - inside) / phi)
        of_values = [] if self.ranks is None else list(self.ranks.m)
        of_values += [m for m, p in zip(self.m, self.processes, strict=True) if not p[1]]
        of_rates = [m for m, p in zip(self.m, self.processes, strict=True) if p[1]]
        parts = [part for part in (of_values, of_rates) if part]
        self.mean = sum(sum(part) / len(part) for part in parts) / len(parts)
        if self.mean > self.threshold:
            self.m = [0.0] * len(self.m)
            if self.ranks is not None:
                self.ranks.m = [0.0] * len(self.ranks.m)
            return True
        return False
