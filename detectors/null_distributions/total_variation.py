"""The law of total variation without change, for independent events.

Shares of a window less those of the reference are about normal e with covariance
`diag(p) - p p'`: independent N(0, p_j), given that they add up to zero. So the cumulant function
of `T = sum |e_j| / 2` is one integral over a product of complex normal distribution functions, and
T's tail a saddlepoint's (Lugannani and Rice 1980). Error of the tail below 3 %, for any shares.

From there a chi with a scale is fitted, right at two tails, whose tail costs nothing to look up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.null_distributions.special import chi2_quantile, normal_quantile

__all__ = [
    "chi_through",
    "total_variation_chi",
    "total_variation_moments",
    "total_variation_quantiles",
]

Floats = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complexfloating]

#: Tails at which the chi is right.
_TAILS: Final = (1e-2, 1e-5)
#: Terms of the complex error function, for seven digits (Weideman 1994).
_TERMS: Final = 16
#: Steps along the contour, and how far it goes in standard deviations and at least.
_AXIS: Final = (0.25, 6.0, 12.0)
#: Saddlepoints tried, in standard deviations of T.
_POINTS: Final = np.geomspace(1.0, 7.5, 16)
#: Places of the contour, as parts of the saddlepoint.
_SHIFTS: Final = np.linspace(0.0, 1.2, 25)


@lru_cache(1)
def _series() -> tuple[float, Floats]:
    m = 2 * _TERMS
    reach = math.sqrt(_TERMS / math.sqrt(2.0))
    t = reach * np.tan(np.arange(-m + 1, m) * math.pi / (2 * m))
    f = np.concatenate([[0.0], np.exp(-t * t) * (reach * reach + t * t)])
    return reach, (np.fft.fft(np.fft.fftshift(f)).real / (2 * m))[1 : _TERMS + 1][::-1]


def _faddeeva(z: Complex) -> Complex:
    """exp(-z^2) erfc(-i z) for z in the upper half plane."""
    reach, series = _series()
    below = reach - 1j * z
    powers = np.asarray(np.polyval(series, (reach + 1j * z) / below), np.complex128)
    return 2.0 * powers / (below * below) + 1.0 / (math.sqrt(math.pi) * below)


def _half(zeta: Complex, scale: Floats) -> Complex:
    """E[exp(zeta Z); Z > 0] of a standard normal Z, times exp(-scale)."""
    right = zeta.real > 0.0
    upper = np.where(right, 1.0, -1.0) * 1j * zeta / math.sqrt(2.0)
    rest = 0.5 * _faddeeva(upper) * np.exp(-scale)
    whole = np.exp(np.where(right, 0.5 * zeta * zeta, 0.0) - scale)
    return np.where(right, whole - rest, rest)


def _log_product(s: Floats, zeta: Complex, deviations: Floats) -> tuple[Floats, Complex]:
    """Of the transforms of all e, the first only where it is negative: log scale, and product.

    The first has the largest share: that it is negative is half of all cases, and the contour can
    then be shifted to where nothing cancels.
    """
    scale = np.zeros(s.shape)
    product = np.ones(np.broadcast_shapes(s.shape, zeta.shape), np.complex128)
    for j, sd in enumerate(deviations):
        reach = np.maximum(np.abs(s - zeta.real), 0.0 if j == 0 else np.abs(s + zeta.real))
        part = 0.5 * np.square(sd * reach)
        value = _half(sd * (s - zeta), part)
        if j:
            value = value + _half(sd * (s + zeta), part)
        size = np.abs(value[..., :1])
        scale = scale + part + np.log(size)
        product = product * (value / size)
    return scale, product


def _cumulants(s: Floats, deviations: Floats) -> Floats:
    """Logarithm of E[exp(s T)] at each s > 0."""
    column = s[:, None]
    tried, _ = _log_product(column[..., None], (column * _SHIFTS)[..., None] + 0j, deviations)
    shift = column * _SHIFTS[np.argmin(tried[..., 0], axis=1)][:, None]
    step, reach, least = _AXIS
    t = np.arange(0.0, max(least, reach / math.sqrt(float(np.square(deviations[1:]).sum()))), step)
    scale, product = _log_product(column, shift + 1j * t, deviations)
    weight = np.where(t > 0.0, 1.0, 0.5)
    integral = product.real @ weight
    alone = np.exp(-0.5 * t * t * float(np.square(deviations).sum())) @ weight
    result: Floats = scale[:, 0] + np.log(2.0 * integral / alone)
    return result


def total_variation_moments(covariance: Floats) -> tuple[float, float]:
    """E[T] and E[T^2] for normal e with this covariance (Kamat 1953, Biometrika 40)."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    both = np.outer(deviation, deviation)
    r = np.clip(covariance / both, -1.0, 1.0)
    products = both * (np.sqrt(1.0 - r * r) + r * np.arcsin(r))
    mean = 0.5 * math.sqrt(2.0 / math.pi) * float(deviation.sum())
    return mean, 0.25 * 2.0 / math.pi * float(products.sum())


def total_variation_quantiles(shares: Floats, tails: Sequence[float]) -> Floats:
    """The T whose tails these are, from .03 to 1e-8; shares add up to 1."""
    mean, second = total_variation_moments(np.diag(shares) - np.outer(shares, shares))
    deviations = 0.5 * np.sqrt(np.sort(shares)[::-1])
    s = _POINTS / math.sqrt(second - mean * mean)
    near = 0.02 * s
    low, at, high = (_cumulants(s + d, deviations) for d in (-near, 0.0 * near, near))
    x = (high - low) / (2.0 * near)
    root = np.sqrt(2.0 * (s * x - at))
    other = s * np.sqrt((high - 2.0 * at + low) / (near * near))
    normal = root + np.log(other / root) / root
    wanted = np.array([normal_quantile(tail) for tail in tails])
    result: Floats = np.interp(wanted, normal, x)
    return result


@lru_cache(4096)
def total_variation_chi(shares: tuple[float, ...]) -> tuple[float, float]:
    """Scale and dimension of the chi that has T's values at two tails."""
    return chi_through(_TAILS, total_variation_quantiles(np.array(shares), _TAILS))


def chi_through(tails: tuple[float, float], values: Floats) -> tuple[float, float]:
    """Scale and dimension of the chi that has these two values at these two tails."""
    ratio = float(values[1] / values[0])
    low, high = -1.0, 5.0  # natural logarithm of the dimension
    for _ in range(18):
        middle = 0.5 * (low + high)
        first, second = (chi2_quantile(tail, math.exp(middle)) for tail in tails)
        if math.sqrt(second / first) > ratio:
            low = middle
        else:
            high = middle
    dimension = math.exp(high)
    return float(values[0]) / math.sqrt(chi2_quantile(tails[0], dimension)), dimension
