"""Whether a signal's memory has no end: correlations that fade as a power of time.

Batches, however long, then stay alike, and no length of batch shows how much a stream varies by
itself. Whittle's likelihood (Whittle 1953) of a fractionally integrated ARMA(1, 1) against the same
without integration (Granger and Joyeux 1980; Fox and Taqqu 1986): the ARMA part takes up what fades
exponentially, be it fast or slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.fitting.suspects import mid_ranks

__all__ = ["long_memory", "warnings_of_long"]

#: Log likelihood ratio from which a memory without end is told of. Without one it is exceeded by
#: one signal in 250 (half of the time the ratio is 0, else twice it is chi2 of one degree).
_CLEAR: Final = 3.5
#: Rows below which nothing would be seen.
_LEAST_ROWS: Final = 1_000
#: Frequencies kept one by one, and bands of equal width on the logarithmic scale for the others.
_SINGLE, _BANDS = 20, 60
_STARTS: Final = np.arange(-3.5, 4.6, 0.5)
_DEPTHS: Final = np.arange(0.0, 0.5, 0.1)
_ROUNDS: Final = 6

Floats = npt.NDArray[np.float64]
#: By band and parameter, and sums of logarithms by parameter.
_Factors = tuple[Floats, Floats]


def warnings_of_long(columns: Mapping[str, Floats], order: npt.NDArray[np.int64]) -> list[str]:
    """A warning of the signals whose memory has no end.

    Parameters
    ----------
    columns : mapping of name to float64[n]
        Rows, or an even sample of them; what is not finite is left out.
    order : int64[n]
        Rows in the order of time.
    """
    found = [name for name, values in columns.items() if long_memory(values[order])[1] > _CLEAR]
    if not found:
        return []
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [
        f"{', '.join(found[:3])}{more}: what happened long ago still shows (correlations fade as a "
        "power of time, not exponentially), so no reference is long enough to tell how this "
        "varies by itself: expect alarms that last long, 13 to 17 % of the time where measured. "
        "A season or levels that come and go look the same. Watch what is left of a forecast, or "
        "differences, where you can"
    ]


def long_memory(values: Floats) -> tuple[float, float]:
    """Order of integration d, from 0 to .45, and its log likelihood ratio against d = 0.

    Parameters
    ----------
    values : float64[n]
        In the order of time. Ranks of them are taken, so heavy tails do no harm.
    """
    values = values[np.isfinite(values)]
    if values.size < _LEAST_ROWS or values.min() == values.max():
        return 0.0, 0.0
    bands = _bands(values.size)
    power = _power(mid_ranks(values), bands)
    # The grid to start from is the same for both, but for the depths.
    losses = _losses(bands.ar, bands.ma, _DEPTHS, power, bands.low, bands.width)
    without, _ = _search(losses[:, :1].copy(), _DEPTHS[:1], power, bands)
    within, d = _search(losses, _DEPTHS, power, bands)
    return (d, without - within) if within < without else (0.0, 0.0)


class _Bands(NamedTuple):
    """Frequencies in bands, and what there is to know of them without values; not to be written to.

    Attributes
    ----------
    starts : int64[W]
        First frequency of each band.
    width : float64[W]
        How many frequencies it has.
    cosine, low : float64[W]
        2 cos(w) at its mean frequency, and the logarithm of what an integration of order 1 makes
        of the spectrum there.
    ar, ma : _Factors
        Of the grid a search starts from.
    """

    starts: npt.NDArray[np.int64]
    width: Floats
    cosine: Floats
    low: Floats
    ar: _Factors
    ma: _Factors


def _power(x: Floats, bands: _Bands) -> Floats:
    """Mean periodogram of each band."""
    wave = np.fft.rfft(x)[1 : (x.size - 1) // 2 + 1]
    power: Floats = np.add.reduceat(np.square(wave.real) + np.square(wave.imag), bands.starts)
    return power / bands.width


@lru_cache(maxsize=8)
def _bands(rows: int) -> _Bands:
    size = (rows - 1) // 2
    wide = np.geomspace(_SINGLE, size, _BANDS).astype(np.int64)
    starts = np.unique(np.concatenate([np.arange(_SINGLE), wide]))[:-1]
    width = np.diff(np.append(starts, size)).astype(np.float64)
    frequency = 2.0 * np.pi * np.arange(1, size + 1) / rows
    cosine, low = _shapes(np.add.reduceat(frequency, starts) / width)
    ar, ma = _factors(-np.tanh(_STARTS), cosine, width), _factors(np.tanh(_STARTS), cosine, width)
    return _Bands(starts, width, cosine, low, ar, ma)


@kernel
def _shapes(at: Floats) -> tuple[Floats, Floats]:
    """2 cos(w), and the logarithm of |1 - exp(iw)|**-2."""
    return 2.0 * np.cos(at), -2.0 * np.log(2.0 * np.sin(at / 2.0))


@kernel
def _factors(b: Floats, cosine: Floats, width: Floats) -> _Factors:
    """|1 + b exp(iw)|**2 by band and b, and the sums of its logarithms; `cosine` is 2 cos(w)."""
    squares, logs = np.empty((cosine.size, b.size)), np.zeros(b.size)
    for w in range(cosine.size):
        for j in range(b.size):
            squares[w, j] = 1.0 + (b[j] * b[j] + b[j] * cosine[w])
            logs[j] += width[w] * np.log(squares[w, j])
    return squares, logs


@kernel
def _weighted(weight: Floats, rows: Floats) -> Floats:
    """Weighted sum of rows."""
    total = np.zeros(rows.shape[1])
    for w in range(weight.size):
        for j in range(total.size):
            total[j] += weight[w] * rows[w, j]
    return total


@kernel
def _losses(
    ar: _Factors, ma: _Factors, d: Floats, power: Floats, low: Floats, width: Floats
) -> Floats:
    """Minus log likelihood at each point of a grid, float64[ar, d, ma].

    The spectrum is a product of one factor for each parameter, so only sums over the bands are
    taken for each point of the grid; where the parts of the ARMA cancel out they do so exactly.
    """
    whole, slope = width.sum(), (low * width).sum()
    (of_ar, log_ar), (of_ma, log_ma) = ar, ma
    weight = power * width * np.exp(-d.reshape(-1, 1) * low)
    losses = np.empty((log_ar.size, d.size, log_ma.size))
    for i in range(log_ar.size):
        inverse = of_ar[:, i].copy().reshape(-1, 1) / of_ma
        for k in range(d.size):
            level = _weighted(weight[k], inverse)
            for j in range(log_ma.size):
                shape = log_ma[j] - log_ar[i] + d[k] * slope
                losses[i, k, j] = shape + whole * np.log(level[j] / whole)
    return losses


@kernel
def _search(losses: Floats, depths: Floats, power: Floats, bands: _Bands) -> tuple[float, float]:
    """Least minus log likelihood, and the d of it: a grid that is made finer about its best.

    `losses` are those of the grid to start from.
    """
    best = np.inf
    best_u = best_v = best_d = 0.0
    # Autoregression and moving average on the scale of artanh: 1 - a and 1 - b by factors.
    u, v, d = _STARTS, _STARTS, depths
    step = 0.5
    for finer in range(_ROUNDS):
        if finer:
            step *= 0.6
            around = np.arange(-2.0, 3.0)
            u, v = best_u + step * around, best_v + step * around
            if depths.size > 1:
                d = np.minimum(np.maximum(best_d + 0.15 * step * around, 0.0), 0.49)
            ar = _factors(-np.tanh(u), bands.cosine, bands.width)
            ma = _factors(np.tanh(v), bands.cosine, bands.width)
            losses = _losses(ar, ma, d, power, bands.low, bands.width)
        least = losses.argmin()
        if losses.ravel()[least] < best:
            best = losses.ravel()[least]
            best_u, best_v = u[least // (d.size * v.size)], v[least % v.size]
            best_d = d[least // v.size % d.size]
    return best, best_d
