"""A limit on a metric, as a test that may be looked at after every pane.

What a limit says is bad, a miss or a loss, has a mean that may be m0 at most. A Shiryaev-Roberts
e-detector bets that it is more (Waudby-Smith and Ramdas 2024; Shin, Ramdas and Rinaldo 2023):

    M <- (M + 1) * product over events of (1 + lambda * (x - m0))

As long as the mean is within the limit and events are independent, evidence as high as M comes up
no more often than once in M panes: by construction, for any distribution, whenever one looks.

Of a pane only sums are known, so the logarithm of the product is bounded from below. Both bounds
hold, so the better one counts:
- x in 0 to 1: the logarithm is concave, so that of x is at least that of a coin with the mean x;
- x >= 0 with a sum of squares: log(1 + u) >= u + u^2 (log(1 - c) + c) / c^2 for u >= -c, where
  c = lambda m0 (Fan, Grama and Liu 2015). No upper end has to be known.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.null_distributions.special import binomial_upper, normal_tail
from detectors.sequential.edetector import STARTS, TEMPER
from detectors.sequential.state_bytes import read_state

__all__ = ["SIDES", "LimitEvidence", "limit_of_f1", "limit_of_share"]

SIDES: Final = ("at_least", "at_most")
#: Odds of what is bad, over those at the limit: what each process bets on, where there is a bound.
_ODDS: Final = (1.1, 1.25, 1.6, 2.5, 6.0, 16.0)
#: Without a bound: parts of the limit that are staked, so that a value of 0 does not lose all.
_PARTS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)
#: Evidence is not followed beyond this.
_MOST: Final = 1e300

Floats = npt.NDArray[np.float64]


class LimitEvidence:
    """Evidence that a mean is beyond its limit.

    Parameters
    ----------
    at : float
        The limit: of a share between 0 and 1, of other means in their units.
    side : str
        One of `SIDES`: what the metric should be.
    threshold : float
        A: a metric that is just at its limit alarms once in A panes, or less often.
    phi : float
        Design effect of the values in the reference: growth is divided by 1.25 phi.
    bound : float, optional
        The greatest value: 1 for shares. Without one values are only known to be >= 0: then the
        limit is an upper one, and squares are needed.

    Attributes
    ----------
    evidence : float
        Log of M after the last pane; see `once_in`.
    """

    def __init__(
        self,
        at: float,
        side: str,
        *,
        threshold: float,
        phi: float = 1.0,
        bound: float | None = 1.0,
    ) -> None:
        if side not in SIDES:
            raise ValueError(f"side must be one of {', '.join(SIDES)}; got {side!r}.")
        if bound is None and side == "at_least":
            raise ValueError("a lower limit needs a bound: the greatest value.")
        if not 0.0 < at < (math.inf if bound is None else bound):
            within = "> 0" if bound is None else f"between 0 and {bound:g}"
            raise ValueError(f"the limit must be {within}; got {at}.")
        if not threshold > 1.0:
            raise ValueError(f"threshold must be > 1; got {threshold}.")
        if not phi >= 1.0:
            raise ValueError(f"phi must be >= 1; got {phi}.")
        self.at, self.side, self.bound = float(at), side, bound
        self.threshold = float(threshold)
        self._upper = side == "at_most"
        #: Values in units of the bound, or of the limit.
        self._unit = at if bound is None else bound
        m0 = 1.0 if bound is None else (at if self._upper else bound - at) / bound
        if bound is None:
            self._stake = np.array(_PARTS)
        else:
            odds = np.array(_ODDS) * m0 / (1.0 - m0)
            self._stake = (odds / (1.0 + odds) - m0) / (m0 * (1.0 - m0))
        self._m0 = m0
        part = self._stake * m0
        self._zero = np.log1p(-part)
        self._one = np.log1p(self._stake * (1.0 - m0))
        self._square = (self._zero + part) / np.square(part)
        self._temper = TEMPER * phi if phi > 1.0 else 1.0
        self._starts = STARTS / (TEMPER * phi)
        self._state = np.zeros(self._stake.size)
        self.evidence = -math.inf

    def update(self, events: int, amount: float, squares: float | None = None) -> bool:
        """Feed a pane; whether it alarms, and starts anew. One without events changes nothing.

        Parameters
        ----------
        events : int
            That the mean is of.
        amount : float
            Sum of their values: of a share how many hit.
        squares : float, optional
            Sum of their squares. Where values are not 0 or 1 it makes evidence grow faster.

        Raises
        ------
        ValueError
            If there are no squares where they are needed, or values are beyond the bound.
        """
        if not events:
            return False
        gain = self._gain(events, amount / self._unit, squares) / self._temper
        before = self._state + min(1.0, events * self._starts)
        with np.errstate(over="ignore"):
            self._state = np.minimum(before * np.exp(gain), _MOST)
        mean = float(self._state.mean())
        self.evidence = math.log(mean) if mean > 0.0 else -math.inf
        alarm = mean > self.threshold
        if alarm:
            self._state = np.zeros(self._stake.size)
        return alarm

    @property
    def once_in(self) -> float:
        """Panes in which a metric that is within its limit looks this bad once, or more."""
        return max(1.0, math.exp(min(self.evidence, math.log(_MOST))))

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        return self._state.tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length, or hold what no state does.
        """
        self._state = read_state(data, self._state, "LimitEvidence").copy()
        self.evidence = -math.inf

    def _gain(self, events: int, amount: float, squares: float | None) -> Floats:
        """Log growth of each process, no more than it is; `amount` in units."""
        if amount < 0.0 or (self.bound is not None and amount > events * (1.0 + 1e-9)):
            raise ValueError(
                f"{events} values of 0 to {self.bound} cannot sum to {amount * self._unit:g}."
            )
        if squares is None and self.bound is None:
            raise ValueError("values without a bound need their squares.")
        square = None if squares is None else squares / self._unit**2
        if not self._upper:  # what is missing to the bound
            square = None if square is None else events - 2.0 * amount + square
            amount = events - amount
        gain = np.full(self._stake.size, -np.inf)
        if self.bound is not None:
            gain = amount * self._one + (events - amount) * self._zero
        if square is not None:
            apart = amount - events * self._m0
            around = max(0.0, square - 2.0 * self._m0 * amount + events * self._m0**2)
            stake = self._stake
            by_squares = stake * apart + self._square * np.square(stake) * around
            gain = np.maximum(gain, by_squares)
        return gain


def limit_of_f1(f1: float) -> float:
    """The limit on true positives out of all events that are positive or said to be, for an F1."""
    return f1 / (2.0 - f1)


def limit_of_share(hits: int, events: int, z: float, phi: float = 1.0, *, upper: bool) -> float:
    """The reference's share, widened by its own error: a limit that only a change passes.

    Parameters
    ----------
    hits, events : int
        Of the reference.
    z : float
        Standard errors, as the tail of Clopper and Pearson's bound.
    phi : float
        Design effect: the events are worth 1 / phi of independent ones.
    upper : bool
        Whether a rise is bad.
    """
    if upper:
        return binomial_upper(hits / phi, events / phi, normal_tail(z))
    return 1.0 - binomial_upper((events - hits) / phi, events / phi, normal_tail(z))
