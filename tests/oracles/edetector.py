"""The mixture of Shiryaev-Roberts e-detectors, as written. Imports nothing of ours."""

from __future__ import annotations

import math

BETS = (0.1, 0.2, 0.4, 0.8, 1.6)


class NaiveEDetector:
    """`scores` and `counts` of the reference by bin, in 0 to 1, for each axis."""

    def __init__(
        self, axes: list[list[float]], counts: list[int], threshold: float, z: float,
        phis: list[float], tempered: bool,
    ) -> None:  # fmt: skip
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
