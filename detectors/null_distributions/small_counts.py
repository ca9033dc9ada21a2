"""The law of PSI and its like where bins are expected to hold few events.

A chi2 is the law of full bins. With some ten events expected in a bin, that it stays all but empty
is rare, but makes a PSI that a chi2 knows nothing of: false alarms at 1e-4 are then two to four
times too many. These distances are sums over bins, and without change a bin's count, given that
of the reference, follows a negative binomial law; all counts add up to the window's. So the
cumulant function is a sum over counts, and the tail a double saddlepoint's (Skovgaard 1987). A
chi2 with a scale is fitted, right at two tails. Measured false alarms: see docs/statistics.md.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.distances.divergences import bin_part
from detectors.null_distributions.special import chi2_quantile, normal_quantile
from detectors.null_distributions.total_variation import chi_through

__all__ = ["ENOUGH", "small_counts_chi2"]

#: Expected events in a bin from which on the chi2 is right by itself.
ENOUGH: Final = 50.0
#: Tails at which the fitted chi2 is right.
_TAILS: Final = (1e-2, 1e-4)
#: Counts of a bin rarer than this change neither tail, but would rule the saddlepoint.
_RARE: Final = math.log(1e-6)
#: Saddlepoints tried, of a chi2 that has them up to 1/2.
_POINTS: Final = np.geomspace(0.08, 0.49, 14)
_FAR: Final = 4.5  # standard deviations, beyond both tails

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def _saddlepoints(code: int, reference: Ints, n: float, points: Floats, out: Floats) -> int:
    """Distance and normal score at each point, into `out` float64[2, points]; how many are good."""
    bins = reference.size
    total = float(reference.sum())
    share = total / (total + n)
    least = np.empty(bins, np.int64)
    size = np.empty(bins, np.int64)
    for i in range(bins):
        mean = n * reference[i] / total
        reach = 7.0 * math.sqrt(mean / share) + 10.0
        least[i] = max(0, int(mean - reach))
        size[i] = int(mean + reach) - least[i] + 1
    width = size.max()
    chance = np.empty((bins, width))
    part = np.empty((bins, width))
    for i in range(bins):
        r = float(reference[i])
        for j in range(size[i]):
            b = float(least[i] + j)
            chance[i, j] = (
                math.lgamma(b + r)
                - math.lgamma(r)
                - math.lgamma(b + 1.0)
                + r * math.log(share)
                + b * math.log(1.0 - share)
            )
            if chance[i, j] < _RARE:
                chance[i, j] = -np.inf
            part[i, j] = bin_part(code, r, b, total, n, bins)
    t = 0.0
    for k in range(points.size):
        s = points[k]
        for _ in range(60):  # Newton: counts add up to n at the tilt t
            cumulant = mean_b = mean_d = var_b = var_d = both = 0.0
            for i in range(bins):
                expected = n * reference[i] / total
                top = -np.inf
                for j in range(size[i]):
                    top = max(top, chance[i, j] + s * part[i, j] + t * (least[i] + j))
                z = b1 = b2 = d1 = d2 = bd = 0.0
                for j in range(size[i]):
                    w = math.exp(chance[i, j] + s * part[i, j] + t * (least[i] + j) - top)
                    b = least[i] + j - expected
                    d = part[i, j]
                    z += w
                    b1 += w * b
                    b2 += w * b * b
                    d1 += w * d
                    d2 += w * d * d
                    bd += w * b * d
                b1 /= z
                d1 /= z
                cumulant += top + math.log(z)
                mean_b += b1
                mean_d += d1
                var_b += b2 / z - b1 * b1
                var_d += d2 / z - d1 * d1
                both += bd / z - b1 * d1
            step = mean_b / var_b
            t -= step
            if abs(step) < 1e-10:
                break
        root = math.sqrt(2.0 * (s * mean_d + t * n - cumulant))
        other = s * math.sqrt((var_d * var_b - both * both) / (n / share))
        out[0, k] = mean_d
        out[1, k] = root + math.log(other / root) / root
        rises = k == 0 or (out[0, k] > out[0, k - 1] and out[1, k] > out[1, k - 1])
        if not (abs(step) < 1e-6 and rises and np.isfinite(out[1, k])):
            return k
        if out[1, k] > _FAR:
            return k + 1
    return points.size


@lru_cache(4096)
def small_counts_chi2(
    code: int, factor: float | None, reference: tuple[int, ...], n: int
) -> tuple[float, float, float]:
    """Factor and dimension of the chi2 for a window of n events, in units of the full bins' law.

    `factor` is that of the distance's null law as of PSI's, None where sample sizes are in the
    distance already. The third is by how much thresholds are higher at 1e-4. (1, bins - 1, 1) where
    bins are full enough; and where thresholds would be lower, since a scarce reference makes up for
    that.
    """
    counts = np.array(reference, np.int64)
    total = int(counts.sum())
    plain = 1.0, float(counts.size - 1), 1.0
    if counts.min() < 1 or counts.min() * n >= ENOUGH * total:
        return plain
    unit = 1.0 if factor is None else factor * (1.0 / total + 1.0 / n)
    out = np.empty((2, _POINTS.size))
    good = _saddlepoints(code, counts, float(n), _POINTS / unit, out)
    wanted = [normal_quantile(tail) for tail in _TAILS]
    if not good or out[1, good - 1] < wanted[1] or out[1, 0] > wanted[0]:
        return plain
    values = np.interp(wanted, out[1, :good], out[0, :good]) / unit
    higher = float(values[1]) / chi2_quantile(_TAILS[1], plain[1])
    if higher <= 1.0:
        return plain
    scale, dimension = chi_through(_TAILS, np.sqrt(values))
    return scale * scale, dimension, higher
