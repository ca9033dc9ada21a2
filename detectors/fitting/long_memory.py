"""Whether a signal's memory has no end: correlations that fade as a power of time.

Batches, however long, then stay alike, and no length of batch shows how much a stream varies by
itself. Whittle's likelihood (Whittle 1953) of a fractionally integrated ARMA(1, 1) against the same
without integration (Granger and Joyeux 1980; Fox and Taqqu 1986): the ARMA part takes up what fades
exponentially, be it fast or slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

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
    at, power, width = _spectrum(mid_ranks(values))
    without, _ = _search(at, power, width, np.zeros(1))
    within, d = _search(at, power, width, _DEPTHS)
    return (d, without - within) if within < without else (0.0, 0.0)


def _spectrum(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean frequency, mean periodogram and number of frequencies of each band."""
    power = np.square(np.abs(np.fft.rfft(x)))[1 : (x.size - 1) // 2 + 1]
    frequency = 2.0 * np.pi * np.arange(1, power.size + 1) / x.size
    wide = np.geomspace(_SINGLE, power.size, _BANDS).astype(np.int64)
    starts = np.unique(np.concatenate([np.arange(_SINGLE), wide]))[:-1]
    width = np.diff(np.append(starts, power.size)).astype(np.float64)
    return (
        np.add.reduceat(frequency, starts) / width,
        np.add.reduceat(power, starts) / width,
        width,
    )


def _search(at: Floats, power: Floats, width: Floats, depths: Floats) -> tuple[float, float]:
    """Least minus log likelihood, and the d of it: a grid that is made finer about its best."""
    cosine, low = np.cos(at), -2.0 * np.log(2.0 * np.sin(at / 2.0))

    def loss(a: Floats, b: Floats, d: Floats) -> Floats:
        log_f = (
            np.log1p(b[..., None] ** 2 + 2.0 * b[..., None] * cosine)
            - np.log1p(a[..., None] ** 2 - 2.0 * a[..., None] * cosine)
            + d[..., None] * low
        )
        level = (power * np.exp(-log_f)) @ width
        return np.asarray(log_f @ width + width.sum() * np.log(level / width.sum()))

    best, where = np.inf, (0.0, 0.0, 0.0)
    # Autoregression and moving average on the scale of artanh: 1 - a and 1 - b by factors.
    u = v = _STARTS
    step, d = 0.5, depths
    for _ in range(_ROUNDS):
        grid = np.meshgrid(u, v, d, indexing="ij")
        values = loss(np.tanh(grid[0]), np.tanh(grid[1]), grid[2])
        if values.min() < best:
            i = np.unravel_index(int(np.argmin(values)), values.shape)
            best, where = float(values[i]), (float(u[i[0]]), float(v[i[1]]), float(d[i[2]]))
        step *= 0.6
        u, v = (where[k] + step * np.arange(-2, 3) for k in (0, 1))
        if depths.size > 1:
            d = np.clip(where[2] + 0.15 * step * np.arange(-2, 3), 0.0, 0.49)
    return best, where[2]
