"""Seeded streams with and without change, for tests, benchmarks and trying things out.

Every stream is standard normal before its change, so that effects are in standard deviations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["autoregressive", "gradual", "spread", "sudden"]

Floats = npt.NDArray[np.float64]


@kernel
def _filter(noise: Floats, rho: float) -> None:
    scale = np.sqrt(1.0 - rho * rho)
    for i in range(1, noise.size):
        noise[i] = rho * noise[i - 1] + scale * noise[i]


def autoregressive(n: int, rho: float, rng: np.random.Generator) -> Floats:
    """AR(1) of variance 1: no change, but its events depend on those before them.

    Examples
    --------
    >>> autoregressive(3, 0.0, np.random.default_rng(0)).round(2).tolist()
    [0.13, -0.13, 0.64]
    """
    values = rng.standard_normal(n)
    _filter(values, rho)
    return values


def sudden(n: int, at: int, shift: float, rng: np.random.Generator) -> Floats:
    """The mean moves by `shift` from item `at` on."""
    values = rng.standard_normal(n)
    values[at:] += shift
    return values


def gradual(n: int, at: int, length: int, shift: float, rng: np.random.Generator) -> Floats:
    """The mean moves by `shift` over `length` items from item `at` on."""
    ramp = np.clip((np.arange(n) - at) / length, 0.0, 1.0)
    values: Floats = rng.standard_normal(n) + shift * ramp
    return values


def spread(n: int, at: int, factor: float, rng: np.random.Generator) -> Floats:
    """The standard deviation is `factor` from item `at` on; the mean stays."""
    values = rng.standard_normal(n)
    values[at:] *= factor
    return values
