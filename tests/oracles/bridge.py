"""Tail of the area under |Brownian bridge|, by the formula of Johnson and Killeen (1983).

Imports nothing of ours. Run as a program it prints the table that the product ships:
`python -m tests.oracles.bridge`.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

STEP = 0.025
LAST = 1.7


def area_tail(x: float) -> float:
    """P(integral of |B| > x): one minus a sum over the zeros of Ai', the Airy function's slope."""
    delta = -special.ai_zeros(80)[1] / 2 ** (1 / 3)
    y = x * delta**-1.5
    with np.errstate(under="ignore"):
        airy = special.airy((3 * y) ** (-4 / 3))[0]
        psi = 3 ** (2 / 3) * y ** (-1 / 3) * np.exp(-2 / (27 * y * y)) * airy
    return float(1 - np.sqrt(np.pi / 2) * np.sum(delta**-1.5 * psi))


def ratio(x: float) -> float:
    """To 2 P(N(0, 1/12) > x), the tail of |integral of B|: falls to 1."""
    return area_tail(x) / (2 * float(stats.norm.sf(x * np.sqrt(12)))) if x else 1.0


if __name__ == "__main__":
    values = [ratio(STEP * i) for i in range(round(LAST / STEP) + 3)]
    for first in range(0, len(values), 7):
        print("    " + " ".join(f"{v:.9f}," for v in values[first : first + 7]))
