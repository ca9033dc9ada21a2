"""Fisher's exact test of two shares, one way: is the window's share above the reference's?

Given how many of all events have a name, how many of them are in the window is hypergeometric. Its
tail by a double saddlepoint with a continuity correction (Skovgaard 1987, Davison 1988): .94 to
1.01 of the exact one. Counts taken as Poisson, as by the tests of rates, are right for small shares
only.
"""

from __future__ import annotations

import math
from typing import Final

from detectors._jit import kernel

__all__ = ["fisher_tail"]

#: Standard deviations below which nobody decides: the normal tail does.
_NEAR: Final = 2.0


@kernel
def fisher_tail(b: float, n: float, a: float, n_reference: float, phi: float) -> float:
    """P(at least b of the window's n events, given a + b of all); counts are worth 1 / phi.

    `a` of the reference's `n_reference` events have the name.
    """
    half = 0.5 / phi
    n /= phi
    n_reference /= phi
    x = b / phi - half  # in the window, corrected; the margins stay
    y = a / phi + half
    if x <= 0.0:
        return 1.0
    share = (x + y) / (n + n_reference)
    if share >= 1.0:
        return 1.0
    expected = n * share
    z = (x - expected) / math.sqrt(n * n_reference / (n + n_reference) * share * (1.0 - share))
    if z < _NEAR or y >= n_reference or x >= n:
        return 0.5 * math.erfc(z / math.sqrt(2.0))
    expected_y = n_reference * share
    deviance = x * math.log(x / expected) + y * math.log(y / expected_y)
    deviance += (n - x) * math.log((n - x) / (n - expected))
    deviance += (n_reference - y) * math.log((n_reference - y) / (n_reference - expected_y))
    root = math.sqrt(2.0 * deviance)
    theta = math.log(x * (n_reference - y) / (y * (n - x)))
    spread = x * (n - x) / n * y * (n_reference - y) / n_reference
    other = 2.0 * math.sinh(0.5 * theta) * math.sqrt(spread / ((x + y) * (1.0 - share)))
    return 0.5 * math.erfc((root + math.log(other / root) / root) / math.sqrt(2.0))
