"""Tails and quantiles of the usual distributions, accurate far out, from the standard library.

scipy would be the largest dependency by far for five functions. Tests compare with it: relative
error below 1e-6 down to tails of 1e-9. Algorithms: Numerical Recipes, sections 6.2 and 6.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from detectors._jit import kernel

__all__ = [
    "beta_cdf",
    "binomial_tail",
    "binomial_upper",
    "chi2_quantile",
    "chi2_tail",
    "f_quantile",
    "f_tail",
    "normal_quantile",
    "normal_tail",
    "poisson_tail",
]

_TINY: Final = 1e-300
_EPS: Final = 1e-15
_MOST_TERMS: Final = 100_000


@kernel
def _not_zero(x: float) -> float:
    return x if x != 0.0 else _TINY


@kernel
def _gamma_series(a: float, x: float) -> float:
    """P(a, x), lower regularised incomplete gamma; for x < a + 1."""
    term = total = 1.0 / a
    for k in range(1, _MOST_TERMS):
        term *= x / (a + k)
        total += term
        if term < total * _EPS:
            break
    return total * math.exp(a * math.log(x) - x - math.lgamma(a))


@kernel
def _gamma_fraction(a: float, x: float) -> float:
    """Q(a, x), upper regularised incomplete gamma; for x >= a + 1."""
    b = x + 1.0 - a
    c = 1.0 / _TINY
    d = 1.0 / b
    h = d
    for k in range(1, _MOST_TERMS):
        step = -k * (k - a)
        b += 2.0
        d = 1.0 / _not_zero(step * d + b)
        c = _not_zero(b + step / c)
        h *= d * c
        if abs(d * c - 1.0) < _EPS:
            break
    return h * math.exp(a * math.log(x) - x - math.lgamma(a))


@kernel
def _gamma_q(a: float, x: float) -> float:
    if x <= 0.0:
        return 1.0
    return 1.0 - _gamma_series(a, x) if x < a + 1.0 else _gamma_fraction(a, x)


@kernel
def chi2_tail(x: float, df: float) -> float:
    """P(chi2 with df degrees of freedom > x)."""
    return _gamma_q(df / 2.0, x / 2.0)


@kernel
def poisson_tail(k: int, mean: float) -> float:
    """P(Poisson(mean) >= k)."""
    if k <= 0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    a = float(k)
    return _gamma_series(a, mean) if mean < a + 1.0 else 1.0 - _gamma_fraction(a, mean)


@kernel
def normal_tail(z: float) -> float:
    """P(N(0, 1) > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


@kernel
def _beta_fraction(a: float, b: float, x: float) -> float:
    c = 1.0
    d = 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, _MOST_TERMS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _not_zero(1.0 + step * d)
            c = _not_zero(1.0 + step / c)
            h *= d * c
        if abs(d * c - 1.0) < _EPS:
            break
    return h


@kernel
def beta_cdf(x: float, a: float, b: float) -> float:
    """I_x(a, b), regularised incomplete beta: P(Beta(a, b) <= x)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b


@kernel
def binomial_tail(k: float, n: float, p: float) -> float:
    """P(Binomial(n, p) >= k); continued to real k and n by the beta function."""
    if k <= 0:
        return 1.0
    return beta_cdf(p, k, n - k + 1.0) if k < n + 1.0 else 0.0


@kernel
def f_tail(x: float, df1: float, df2: float) -> float:
    """P(F(df1, df2) > x)."""
    if x <= 0.0:
        return 1.0
    return beta_cdf(df2 / (df2 + df1 * x), df2 / 2.0, df1 / 2.0)


def chi2_quantile(tail: float, df: float) -> float:
    """The x with P(chi2 > x) = tail."""
    return _solve(lambda x: chi2_tail(x, df), tail, df)


def f_quantile(tail: float, df1: float, df2: float) -> float:
    """The x with P(F(df1, df2) > x) = tail."""
    return _solve(lambda x: f_tail(x, df1, df2), tail, 1.0)


def binomial_upper(k: float, n: float, tail: float) -> float:
    """The largest share that k of n still allow at this tail (Clopper and Pearson 1934)."""
    if k >= n:
        return 1.0
    return _solve(lambda p: beta_cdf(1.0 - p, n - k, k + 1.0), tail, (k + 1.0) / (n + 1.0))


def normal_quantile(tail: float) -> float:
    """The z with P(N(0, 1) > z) = tail."""
    if tail > 0.5:
        return -normal_quantile(1.0 - tail)
    return _solve(normal_tail, tail, 1.0) if tail < 0.5 else 0.0


def _solve(tail_of: Callable[[float], float], tail: float, guess: float) -> float:
    """Where a falling positive function of x >= 0 meets `tail`: a bracket, then bisection."""
    if not 0.0 < tail < 1.0:
        raise ValueError(f"a tail must be between 0 and 1; got {tail}.")
    low, high = 0.0, guess
    while tail_of(high) > tail:
        low, high = high, 2.0 * high
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if tail_of(middle) > tail:
            low = middle
        else:
            high = middle
    return high
