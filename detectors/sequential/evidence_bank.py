"""All e-detectors of a signal as one: the mean of its processes, whatever they watch.

A mean of e-detectors is one (Shin, Ramdas and Rinaldo 2023), so ranks, shares of values and rates
of a signal split no budget: one more process adds no more than the logarithm of their number to the
evidence needed. Half of the weight is the values', half the rates', however many shares there are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.sequential.edetector import EDetectorBank
from detectors.sequential.share_evidence import ShareGrowth, grow
from detectors.sequential.state_bytes import read_state

__all__ = ["EvidenceBank", "Lead"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Lead(NamedTuple):
    """The strongest process of a signal: of the ranks (share -1), or of a share, and which way."""

    share: int
    direction: int


@kernel
def _decide(
    row: Ints,
    of_ranks: Floats,
    rank_state: Floats,
    rank_evidence: Floats,
    first: Ints,
    weight: Floats,
    state: Floats,
    logs: Floats,
    threshold: float,
    evidence: Floats,
    leading: Ints,
    drift: npt.NDArray[np.bool_],
) -> None:
    """Mean and strongest process of each signal; those beyond the threshold start anew."""
    for i in range(row.size):
        mean = strongest = 0.0
        leading[i] = -1
        r = row[i]
        if r >= 0:
            each = of_ranks[i] / rank_state.shape[1]
            for k in range(rank_state.shape[1]):
                mean += each * rank_state[r, k]
                strongest = max(strongest, each * rank_state[r, k])
        for p in range(first[i], first[i + 1]):
            part = weight[p] * state[p]
            mean += part
            if part > strongest:
                strongest = part
                leading[i] = p
        if mean < np.inf:
            evidence[i] = math.log(mean) if mean > 0.0 else -np.inf
        else:  # beyond what a number holds: by logarithms, of the strongest alone
            leading[i] = -1
            highest = -np.inf
            if r >= 0 and of_ranks[i] > 0.0 and not np.isfinite(rank_state[r].sum()):
                highest = rank_evidence[r] + math.log(of_ranks[i])
            for p in range(first[i], first[i + 1]):
                if state[p] == np.inf and logs[p] + math.log(weight[p]) > highest:
                    highest = logs[p] + math.log(weight[p])
                    leading[i] = p
            evidence[i] = highest
        drift[i] = mean > threshold
        if drift[i]:
            if r >= 0:
                rank_state[r, :] = 0.0
            state[first[i] : first[i + 1]] = 0.0


class EvidenceBank:
    """E-detectors of all signals, fed with the counts of a pane.

    Parameters
    ----------
    ranks : EDetectorBank
        Of the numeric signals; its threshold is that of all: the mean number of non-empty panes
        between false alarms is at least this, a signal.
    shares : ShareGrowth

    Attributes
    ----------
    evidence : float64[S]
        Log of the mean of M after the last pane, to be compared with log(A).
    """

    def __init__(self, ranks: EDetectorBank, shares: ShareGrowth) -> None:
        self.threshold = ranks.threshold
        self.ranks, self.shares = ranks, shares
        signals = shares.first.size - 1
        self._row = np.full(signals, -1, np.int64)
        self._row[shares.numeric] = np.arange(shares.numeric.size)
        self._of_ranks, self._weight = _weights(self._row >= 0, shares)
        self._state = np.zeros(shares.share.size)
        self.evidence = np.full(signals, -np.inf)
        self._leading = np.full(signals, -1, np.int64)

    def update(
        self, counts: Ints, shares: tuple[Ints, Ints] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Feed a pane's flat vector of counts; the signals that alarm, bool[S].

        `shares` are `ShareTable.counts` of it, where somebody has them already. What has no event
        in this pane is left as it is.
        """
        drift = np.zeros(self._row.size, np.bool_)
        total, held = self.shares.table.counts(counts) if shares is None else shares
        s, logs = self.shares, np.empty(self._state.size)
        self.ranks.grow(counts)
        grow(total, held, s.share, *s.growth(counts), s.starts, self._state, logs)
        _decide(
            self._row,
            self._of_ranks,
            self.ranks.state,
            self.ranks.evidence,
            s.first,
            self._weight,
            self._state,
            logs,
            self.threshold,
            self.evidence,
            self._leading,
            drift,
        )
        return drift

    def lead(self, index: int) -> Lead:
        """The strongest process of a signal after the last pane."""
        p = int(self._leading[index])
        if p >= 0:
            return Lead(int(self.shares.share[p]), int(self.shares.sign[p]))
        row = int(self._row[index])
        return Lead(-1, self.ranks.direction(row) if row >= 0 else 0)

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse, for the same signals."""
        return self.ranks.dump() + self._state.tobytes()

    def load(self, data: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            If the bytes are not of the right length, or hold what no state does.
        """
        split = self.ranks.state.nbytes
        state = read_state(data[split:], self._state, "the shares of an EvidenceBank")
        self.ranks.load(data[:split])
        self._state[...] = state


def _weights(numeric: npt.NDArray[np.bool_], shares: ShareGrowth) -> tuple[Floats, Floats]:
    """Weight of each signal's ranks, all together, and of each process of a share."""
    of_ranks = np.zeros(numeric.size)
    weight = np.zeros(shares.share.size)
    for i, ranked in enumerate(numeric.tolist()):
        own = slice(int(shares.first[i]), int(shares.first[i + 1]))
        rates = shares.rate[own]
        has_values = ranked or not rates.all()
        half = 0.5 if has_values and rates.any() else 1.0
        of_ranks[i] = half if ranked else 0.0
        values = half / max(1, int((~rates).sum()))
        weight[own] = np.where(rates, half / max(1, int(rates.sum())), values)
    return of_ranks, weight
