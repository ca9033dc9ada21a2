"""CUSUM, item by item and pane by pane, with a threshold solved for a given run length.

Page 1954: sums of standardised scores that forget whatever is no evidence,

    up <- max(0, up + z - k),  down <- max(0, down - z - k),  alarm when one exceeds h, then anew

with k half the shift to be found soonest. h is not chosen: it solves Page's integral equation so
that the mean number of items to a false alarm, without change and with normal z, is `run_length`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.null_distributions.special import normal_tail
from detectors.sequential._items import ItemDetector
from detectors.sequential.state_bytes import read_state

__all__ = ["CUSUM", "CusumBank", "cusum_run_length", "cusum_threshold"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Points of the quadrature for each unit of h: run lengths are exact to 6 digits.
_POINTS: Final = 5
#: Longer run lengths lose their digits in the linear equations.
_LONGEST: Final = 1e10


def cusum_run_length(threshold: float, slack: float) -> float:
    """Mean number of items to a false alarm of the two-sided CUSUM on N(0, 1), from its start.

    One side: `L(u) = 1 + L(0) P(z < k - u) + integral over 0..h of L(y) f(y + k - u) dy`, solved on
    Gauss and Legendre's points (Page 1954; Brook and Evans 1972 have the Markov chain). Both sides:
    the rates add (van Dobben de Bruyn 1968).

    Examples
    --------
    >>> round(cusum_run_length(5.0, 0.5), 1)
    465.4
    """
    points, weights = np.polynomial.legendre.leggauss(20 + math.ceil(_POINTS * threshold))
    y = np.concatenate([[0.0], 0.5 * threshold * (points + 1.0)])
    density = np.exp(-0.5 * (y[None, :] + slack - y[:, None]) ** 2) / math.sqrt(2.0 * math.pi)
    step = density * np.concatenate([[0.0], 0.5 * threshold * weights])[None, :]
    step[:, 0] += [normal_tail(u - slack) for u in y.tolist()]
    length = np.linalg.solve(np.eye(y.size) - step, np.ones(y.size))
    return 0.5 * float(length[0])


@lru_cache(maxsize=256)
def cusum_threshold(run_length: float, slack: float) -> float:
    """The threshold with this run length.

    Examples
    --------
    >>> round(cusum_threshold(465.44, 0.5), 3)
    5.0
    """
    wanted = math.log(run_length)
    low, high = 0.0, 1.0
    length_low = math.log(cusum_run_length(low, slack))
    if length_low >= wanted:
        raise ValueError(
            f"run_length must be above {math.exp(length_low):.4g} for a slack of {slack}; got "
            f"{run_length}. Raise it, or look for a smaller shift."
        )
    while (length_high := math.log(cusum_run_length(high, slack))) < wanted:
        low, length_low = high, length_high
        high *= 1.25  # a longer step would pass what the equations can resolve
    for _ in range(60):  # the logarithm is nearly straight in h: false position, kept inside
        at = (wanted - length_low) / (length_high - length_low)
        middle = low + (high - low) * min(max(at, 0.02), 0.98)
        length = math.log(cusum_run_length(middle, slack))
        if abs(length - wanted) < 1e-8 or high - low < 1e-9 * high:
            return middle
        if length < wanted:
            low, length_low = middle, length
        else:
            high, length_high = middle, length
    return high


def _checked(run_length: float, shift: float) -> tuple[float, float]:
    """Slack and threshold of these parameters."""
    if not 10.0 <= run_length <= _LONGEST:
        raise ValueError(f"run_length must be 10 to 1e10; got {run_length}.")
    if not 0.25 <= shift <= 5.0:
        raise ValueError(f"shift must be .25 to 5 standard deviations; got {shift}.")
    return 0.5 * shift, cusum_threshold(float(run_length), 0.5 * shift)


@kernel
def _step(z: float, slack: float, threshold: float, sums: Floats) -> bool:
    sums[0] = max(0.0, sums[0] + z - slack)
    sums[1] = max(0.0, sums[1] - z - slack)
    if sums[0] > threshold or sums[1] > threshold:
        sums[:] = 0.0
        return True
    return False


@kernel
def _feed(
    values: Floats,
    mean: float,
    sd: float,
    slack: float,
    threshold: float,
    sums: Floats,
    ticks: Ints,
    alarms: Ints,
) -> int:
    found = 0
    for i in range(values.size):
        if not np.isfinite(values[i]):
            ticks[1] += 1
            continue
        ticks[0] += 1
        if _step((values[i] - mean) / sd, slack, threshold, sums):
            alarms[found] = i
            found += 1
    return found


class CUSUM(ItemDetector):
    """Change of the mean of numbers whose mean and standard deviation are known.

    Parameters
    ----------
    run_length : float
        Mean number of items between false alarms: exact for normal items. Measured over 20 million
        items at 10,000 (100 per million): 98 per million for normal items, 51 for uniform ones, 416
        for Student's t with 5 degrees of freedom, 2,123 for lognormal ones. So feed it scores,
        which are uniform, or means of panes.
    mean, sd : float
        Of an item without change.
    shift : float
        Standard deviations by which the mean moves in the change to be found soonest.

    Raises
    ------
    ValueError
        If `run_length` is not 10 to 1e10 or too short for the shift, `shift` not .25 to 5, `mean`
        not finite, or `sd` not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> CUSUM(10_000).update_many(np.r_[np.zeros(100), np.full(20, 1.5)]).tolist()
    [108, 117]
    """

    def __init__(
        self, run_length: float, *, mean: float = 0.0, sd: float = 1.0, shift: float = 1.0
    ) -> None:
        self.slack, self.threshold = _checked(run_length, shift)
        if not math.isfinite(mean):
            raise ValueError(f"mean must be a finite number; got {mean}.")
        if not 0.0 < sd < math.inf:
            raise ValueError(f"sd must be > 0; got {sd}. A constant needs no CUSUM.")
        self.run_length = run_length
        self.mean, self.sd, self.shift = mean, sd, shift
        super().__init__(np.zeros(2), 2)

    @property
    def up(self) -> float:
        """Evidence of a higher mean; an alarm above `threshold`."""
        return float(self._numbers[0])

    @property
    def down(self) -> float:
        """Evidence of a lower mean."""
        return float(self._numbers[1])

    def _feed(self, values: Floats, alarms: Ints) -> int:
        return int(
            _feed(
                values,
                float(self.mean),
                float(self.sd),
                self.slack,
                self.threshold,
                self._numbers,
                self._ticks,
                alarms,
            )
        )


@kernel
def _update(
    n: Ints,
    s1: Ints,
    mean: Floats,
    sd: Floats,
    phi: Floats,
    bound: Floats,
    slack: float,
    threshold: float,
    sums: Floats,
    drift: npt.NDArray[np.bool_],
) -> None:
    for i in range(n.size):
        drift[i] = False
        if n[i] <= 0 or sd[i] <= 0.0:
            continue
        root = math.sqrt(n[i] / phi[i]) / sd[i]
        z = (s1[i] / n[i] - mean[i]) * root
        drift[i] = _step(z, slack + bound[i] * root, threshold, sums[i])


class CusumBank:
    """Many CUSUMs, a slot each, of the means of panes of integer scores against a reference.

    A pane's mean is nearly normal however the scores are distributed, so the run length holds; a
    pane of few events from a skewed score is the exception.

    Parameters
    ----------
    n, s1, s2 : int64[n_slots]
        Number, sum and sum of squares of the reference's scores (`ScoreTable.moments`).
    run_length : float
        Mean number of non-empty panes between false alarms of a slot.
    phi : float64[n_slots], optional
        Design effects, at least 1.
    shift : float
        Standard errors of a pane's mean by which it moves in the change to be found soonest.
    z : float
        Standard errors by which the reference's own mean may be off: evidence begins beyond them.

    Raises
    ------
    ValueError
        If the arrays differ in length, `phi` is below 1, `z` below 0, `run_length` not 10 to 1e10,
        `shift` not .25 to 5, or the run length too short for the shift.
    """

    def __init__(
        self,
        n: Ints,
        s1: Ints,
        s2: Ints,
        run_length: float,
        *,
        phi: Floats | None = None,
        shift: float = 1.0,
        z: float = 2.0,
    ) -> None:
        self.slack, self.threshold = _checked(run_length, shift)
        moments = [np.asarray(a, np.int64) for a in (n, s1, s2)]
        self.n_slots = moments[0].size
        if any(a.shape != (self.n_slots,) for a in moments):
            raise ValueError("n, s1 and s2 must be of one length, an entry for each slot.")
        self.phi = np.ones(self.n_slots) if phi is None else np.ascontiguousarray(phi, np.float64)
        if self.phi.shape != (self.n_slots,) or not (self.phi >= 1.0).all():
            raise ValueError(f"phi must be {self.n_slots} numbers >= 1; got {self.phi!r}.")
        if not 0.0 <= z < math.inf:
            raise ValueError(f"z must be >= 0; got {z}.")
        self.run_length, self.shift, self.z = run_length, shift, z
        size = np.maximum(moments[0], 1)
        self.mean = moments[1] / size
        self.sd = np.sqrt(np.maximum(moments[2] / size - self.mean**2, 0.0))
        self._bound = z * self.sd * np.sqrt(self.phi / size)
        self._sums = np.zeros((self.n_slots, 2))

    def update(self, n: Ints, s1: Ints) -> npt.NDArray[np.bool_]:
        """Feed a pane's number and sum of scores, int64[n_slots]; the slots that alarm.

        A slot without items in this pane (n = 0), or whose reference is constant, stays as it is.
        """
        drift = np.zeros(self.n_slots, np.bool_)
        _update(
            n,
            s1,
            self.mean,
            self.sd,
            self.phi,
            self._bound,
            self.slack,
            self.threshold,
            self._sums,
            drift,
        )
        return drift

    @property
    def evidence(self) -> Floats:
        """The larger of both sums of each slot; an alarm above `threshold`."""
        return np.asarray(self._sums.max(axis=1, initial=0.0))

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same number of slots."""
        return self._sums.tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length, or hold what no state does.
        """
        self._sums[...] = read_state(data, self._sums, f"a CusumBank of {self.n_slots} slots")
