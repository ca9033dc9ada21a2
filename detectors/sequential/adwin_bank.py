"""ADWIN2 for many slots, pane by pane, on integers only.

A pane is inserted as one bucket (n, sum q, sum q^2) of 16-bit scores, and every pane is a check.
Buckets of a row are merged two by two as in the item form, so a row spans twice the panes of the
one below. All state is int64: merged panes give the same bits in any order.

Dependence: with a design effect phi, n items carry the information of n / phi.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import SCORE_SCALE
from detectors.counting.sparse import decode_counts, encode_counts
from detectors.sequential._adwin_window import LEAST_SUBWINDOW, MAX_BUCKETS, NEARLY, ROUNDING

__all__ = ["AdwinBank"]

#: Row r holds buckets of 2**r panes: 24 rows span more than 80 million panes.
_ROWS: Final = 24
#: Rows that a bank begins with, and gets more of when they are full: 6 span some 280 panes.
_FIRST_ROWS: Final = 6
_MORE_ROWS: Final = 3
#: Items in the window at most: above, sums of squares of 16-bit scores would overflow.
_MOST_ITEMS: Final = 2**31 - 1
_LEAST_ITEMS: Final = 2 * LEAST_SUBWINDOW

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel
def _drop_oldest(held: Ints, buckets: Ints, whole: Ints) -> None:
    row = held.size - 1
    while held[row] == 0:
        row -= 1
    whole -= buckets[row, 0]
    held[row] -= 1
    for j in range(held[row]):
        buckets[row, j] = buckets[row, j + 1]
    buckets[row, held[row]] = 0


@kernel
def _insert(n: int, s1: int, s2: int, held: Ints, buckets: Ints, whole: Ints) -> None:
    while whole[0] > 0 and whole[0] + n > _MOST_ITEMS:
        _drop_oldest(held, buckets, whole)
    pane = buckets[0, held[0]]
    pane[0], pane[1], pane[2] = n, s1, s2
    whole += pane
    held[0] += 1
    row = 0
    while held[row] > MAX_BUCKETS:
        if row + 1 == held.size:
            _drop_oldest(held, buckets, whole)
            return
        buckets[row + 1, held[row + 1]] = buckets[row, 0] + buckets[row, 1]
        held[row + 1] += 1
        held[row] -= 2
        for j in range(held[row]):
            buckets[row, j] = buckets[row, j + 2]
        buckets[row, held[row] : held[row] + 2] = 0
        row += 1


@kernel
def _find_cut(
    delta: float, phi: float, best: bool, held: Ints, buckets: Ints, whole: Ints, cut: Floats
) -> bool:
    """Whether some cut's means differ by more than eps; the clearest one's figures if `best`.

    `cut` takes mean before, mean after and eps, as shares of the score's range.
    """
    n = float(whole[0])
    items = n / phi
    if items < _LEAST_ITEMS or whole[1] == 0:  # a rate of none at all has no cut
        return False
    mean = whole[1] / n
    variance = max(0.0, whole[2] / n - mean * mean)
    log_term = math.log(2.0 * math.log(items) / delta)
    # What d must reach for a cut, as in the item form, so that most are passed over quickly.
    least = NEARLY * 2.0 * phi * variance * log_term / n
    rounding = ROUNDING * whole[1]
    found = False
    clearest = 0.0
    n0 = 0
    sum0 = 0
    for row in range(held.size - 1, -1, -1):
        for j in range(held[row]):
            n0 += buckets[row, j, 0]
            sum0 += buckets[row, j, 1]
            d = abs(sum0 - n0 * mean) + rounding
            if d * d < least * n0 * (n - n0):
                continue
            items0 = n0 / phi
            items1 = items - items0
            if items1 < LEAST_SUBWINDOW:
                return found
            if items0 < LEAST_SUBWINDOW:
                continue
            m = 1.0 / (items0 - LEAST_SUBWINDOW + 1.0) + 1.0 / (items1 - LEAST_SUBWINDOW + 1.0)
            eps = math.sqrt(2.0 * m * variance * log_term) + 2.0 / 3.0 * m * log_term * SCORE_SCALE
            mean0 = sum0 / n0
            mean1 = (whole[1] - sum0) / (whole[0] - n0)
            apart = abs(mean0 - mean1)
            if apart > eps:
                found = True
                if not best:
                    return True
                if apart > clearest * eps:
                    clearest = apart / eps
                    cut[0] = mean0 / SCORE_SCALE
                    cut[1] = mean1 / SCORE_SCALE
                    cut[2] = eps / SCORE_SCALE
    return found


@kernel
def _update(
    n: Ints,
    s1: Ints,
    s2: Ints,
    delta: Floats,
    phi: Floats,
    held: Ints,
    buckets: npt.NDArray[np.int64],
    whole: Ints,
    cuts: Floats,
    drift: npt.NDArray[np.bool_],
) -> bool:
    """Feed a pane; whether some slot may need another row at the next one."""
    full = False
    for i in range(n.size):
        drift[i] = False
        if n[i] <= 0:
            continue
        _insert(n[i], s1[i], s2[i], held[i], buckets[i], whole[i])
        best = True
        while _find_cut(delta[i], phi[i], best, held[i], buckets[i], whole[i], cuts[i]):
            drift[i] = True
            best = False
            _drop_oldest(held[i], buckets[i], whole[i])
        full |= held[i, -1] >= MAX_BUCKETS
    return full


class AdwinBank:
    """Many ADWINs, a slot each, fed with sums of scores from 0 to 65535.

    Parameters
    ----------
    n_slots : int
    delta : float or float64[n_slots]
        As of `ADWIN`, at each pane.
    phi : float64[n_slots], optional
        Design effects, at least 1.

    Raises
    ------
    ValueError
        If a `delta` is not between 0 and 1, or `phi` not `n_slots` numbers of at least 1.

    Attributes
    ----------
    mean_before, mean_after, threshold : float64[n_slots]
        Of the clearest cut at a slot's last alarm, in 0 to 1: means on both sides, and eps.
        NaN before the first alarm; not part of the state.
    """

    def __init__(self, n_slots: int, delta: float | Floats, phi: Floats | None = None) -> None:
        self.delta = np.full(n_slots, delta) if np.ndim(delta) == 0 else np.asarray(delta)
        if self.delta.shape != (n_slots,) or not ((self.delta > 0.0) & (self.delta < 1.0)).all():
            raise ValueError(f"delta must be between 0 and 1; got {delta}.")
        self.phi = np.ones(n_slots) if phi is None else np.ascontiguousarray(phi, np.float64)
        if self.phi.shape != (n_slots,) or not (self.phi >= 1.0).all():
            raise ValueError(f"phi must be {n_slots} numbers >= 1; got {self.phi!r}.")
        self.n_slots = n_slots
        self._whole = np.zeros((n_slots, 3), np.int64)
        self._cuts = np.full((n_slots, 3), np.nan)
        self._make_rows(_FIRST_ROWS)

    def _make_rows(self, rows: int) -> None:
        """Have empty buckets of so many rows."""
        self._held = np.zeros((self.n_slots, rows), np.int64)
        self._buckets = np.zeros((self.n_slots, rows, MAX_BUCKETS + 1, 3), np.int64)

    def _take_rows(self, held: Ints, buckets: Ints, rows: int) -> None:
        """Have these buckets, in so many rows."""
        here = min(rows, held.shape[1])
        self._make_rows(rows)
        self._held[:, :here] = held[:, :here]
        self._buckets[:, :here] = buckets[:, :here]

    def update(self, n: Ints, s1: Ints, s2: Ints) -> npt.NDArray[np.bool_]:
        """Feed a pane's number, sum and sum of squares of scores; the slots that alarm.

        A slot without items in this pane (n = 0) is left as it is.
        """
        drift = np.zeros(self.n_slots, np.bool_)
        full = _update(
            n,
            s1,
            s2,
            self.delta,
            self.phi,
            self._held,
            self._buckets,
            self._whole,
            self._cuts,
            drift,
        )
        rows = self._held.shape[1]
        if full and rows < _ROWS:
            self._take_rows(self._held, self._buckets, min(rows + _MORE_ROWS, _ROWS))
        return drift

    @property
    def width(self) -> Ints:
        """Items in each window."""
        return self._whole[:, 0].copy()

    @property
    def mean(self) -> Floats:
        """Mean score of each window, in 0 to 1; NaN if it is empty."""
        n = self._whole[:, 0]
        mean = np.full(self.n_slots, np.nan)
        np.divide(self._whole[:, 1], n * float(SCORE_SCALE), out=mean, where=n > 0)
        return mean

    @property
    def mean_before(self) -> Floats:
        """Mean before the clearest cut of the last alarm."""
        return self._cuts[:, 0]

    @property
    def mean_after(self) -> Floats:
        """Mean after the clearest cut of the last alarm."""
        return self._cuts[:, 1]

    @property
    def threshold(self) -> Floats:
        """By how much the means had to differ at that cut."""
        return self._cuts[:, 2]

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same number of slots."""
        rows = ((0, 0), (0, _ROWS - self._held.shape[1]))
        held = np.pad(self._held, rows)
        buckets = np.pad(self._buckets, (*rows, (0, 0), (0, 0)))
        return encode_counts(np.concatenate([held.ravel(), buckets.ravel()]))

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not a state of so many slots.
        """
        shape = (self.n_slots, _ROWS)
        size = self.n_slots * _ROWS
        state = decode_counts(data, size + size * (MAX_BUCKETS + 1) * 3)
        held = state[:size].reshape(shape)
        if held.max(initial=0) > MAX_BUCKETS:
            raise ValueError(
                f"not a state of an AdwinBank of {self.n_slots} slots: a row has {held.max()} "
                f"buckets, at most {MAX_BUCKETS} can be."
            )
        used = int(np.flatnonzero(held.any(axis=0)).max(initial=-1)) + 1
        rows = _FIRST_ROWS  # the same as growing gives, with one to spare
        while rows <= used and rows < _ROWS:
            rows = min(rows + _MORE_ROWS, _ROWS)
        self._take_rows(held, state[size:].reshape(*shape, MAX_BUCKETS + 1, 3), rows)
        self._whole[...] = self._buckets.sum(axis=(1, 2))
        self._cuts[...] = np.nan
