"""Shares that are followed pane by pane: of the values of names, and the rates of every signal.

A share is a mean of zeros and ones, so what finds a moved mean finds a moved share. Of two to five
values the share of each is followed both ways; of more names each with a bin and each bin of the
tail, whatever names are in it, for a rise. So are the rates of missing, invalid and new values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import SCORE_SCALE, CategoricalBinning
from detectors.counting.counts import Layout
from detectors.references.calendar import Calendar
from detectors.references.calibration import cautious, margin_of_few, share_effect
from detectors.references.reference import SignalReference
from detectors.windowed.catalogue import choose_tests
from detectors.windowed.rates import rates_of

__all__ = ["MOST_FEW", "Share", "ShareTable", "shares_of"]

#: Values of which each share is followed both ways, and by ADWIN too.
MOST_FEW: Final = 5
#: ADWIN alarms more often on zeros and ones than its table says where neither is rare (measured):
#: shares between these get a delta for a part so many times smaller.
_COMMON, _SMALLER = (0.05, 0.95), 2.5

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Share(NamedTuple):
    """A share of one signal's events.

    Attributes
    ----------
    signal : int
        Index of the signal.
    rate : str
        The rate's test, such as "missing_rate"; "" for the share of a value.
    bins : int64
        Of the signal, that are counted.
    of_values : bool
        Out of the signal's values; else of all its events.
    inside, total : float
        Of the reference, as independent events: divided by the design effect.
    phi, cautious_phi : float
        Design effect, and with caution where it is clear.
    both : bool
        Whether a fall counts too.
    looks : int
        Shares of the signal of its kind, each of which may be off by chance.
    """

    signal: int
    rate: str
    bins: Ints
    of_values: bool
    inside: float
    total: float
    phi: float
    cautious_phi: float
    both: bool = False
    looks: int = 1

    @property
    def reference(self) -> float:
        """The reference's share."""
        return self.inside / self.total

    def of(self, counts: Ints) -> float:
        """The share in counts of the signal."""
        total = counts[:-2] if self.of_values else counts  # without missing and invalid
        return int(counts[self.bins].sum()) / max(1, int(total.sum()))

    @property
    def is_common(self) -> bool:
        """Whether neither the share nor the rest is rare."""
        return _COMMON[0] <= self.reference <= _COMMON[1]


def shares_of(index: int, signal: SignalReference, tests: Sequence[str]) -> list[Share]:
    """What is followed of a signal: shares of its values, then the rates among `tests`."""
    shares = list(_values_of(index, signal))
    for rate in rates_of(index, signal):
        if rate.test in tests and rate.events:
            known = rate.phi * rate.reference_phi
            inside = min(rate.expected, rate.events)
            caution = cautious(signal.calibration, rate.phi)
            shares.append(
                Share(
                    index,
                    rate.test,
                    rate.bins,
                    False,
                    inside / known,
                    rate.events / known,
                    rate.phi,
                    caution,
                )
            )
    return shares


def _values_of(index: int, signal: SignalReference) -> Iterable[Share]:
    binning = signal.binning
    if not isinstance(binning, CategoricalBinning):
        return
    counts = signal.counts
    total = int(counts[: binning.missing].sum())
    looks = [np.array([b]) for b in range(binning.other)]
    if binning.tail > 1:  # known names of a tail bin and new ones
        looks += [np.array([b, b + binning.tail]) for b in range(binning.other, binning.unseen)]
    elif binning.others or counts[binning.other]:
        looks.append(np.array([binning.other]))
    if len(looks) < 2 or not total:
        return
    many, few = len(looks), len(looks) <= MOST_FEW
    if many == 2:  # the share of the other value says the same
        looks = [min(looks, key=lambda bins: (counts[bins].sum(), -bins[0]))]
    effect = _effect(signal)
    for bins in looks:
        inside = int(counts[bins].sum())
        phi = share_effect(signal.calibration, effect, min(inside, total - inside))
        yield Share(
            index,
            "",
            bins,
            True,
            inside / phi,
            total / phi,
            phi,
            cautious(signal.calibration, phi),
            few,
            many,
        )


def _effect(signal: SignalReference) -> float:
    """One design effect for the shares of all values: that of one alone is known too badly."""
    calibration = signal.calibration
    covariance = calibration.covariance
    if covariance is None:
        return 1.0
    groups = int(calibration.groups[signal.binning.missing])  # those of values come first
    share = np.bincount(calibration.groups, signal.counts)[:groups] / max(1, signal.events)
    there = (share > 0.0) & (share < 1.0)
    if not there.any():
        return 1.0
    variance = float((np.diag(covariance)[:groups][there] / share[there]).sum())
    effect = variance / float((1.0 - share[there]).sum())
    return max(1.0, effect * margin_of_few(calibration.batches))


@kernel
def _count(
    counts: Ints,
    start: Ints,
    n_values: Ints,
    n_bins: Ints,
    signal: Ints,
    bins: Ints,
    end: Ints,
    of_values: npt.NDArray[np.bool_],
    total: Ints,
    held: Ints,
) -> None:
    last = -1
    values = events = at = 0
    for k in range(signal.size):
        i = signal[k]
        if i != last:
            last = i
            values = counts[start[i] : start[i] + n_values[i]].sum()
            events = values + counts[start[i] + n_values[i] : start[i] + n_bins[i]].sum()
        total[k] = values if of_values[k] else events
        inside = 0
        while at < end[k]:
            inside += counts[bins[at]]
            at += 1
        held[k] = inside


class ShareTable:
    """The shares of some signals, and which of them ADWIN follows.

    Parameters
    ----------
    signals : sequence of SignalReference
    layout : Layout, optional
        Of the signals, in their order; made from them if it is not given.
    tests : mapping of str to sequence of str, optional
        Names of a signal's tests; rates that are not among them are not followed. Signals that are
        not in it have the default ones.
    calendar : Calendar, optional
        Of a stream with slots, whose shares move with the hour.

    Raises
    ------
    ValueError
        If `layout` has other signals than `signals`, or another order.

    Attributes
    ----------
    shares : tuple of Share
        Those of one signal follow each other.
    first : int64[S + 1]
        Where each signal's begin.
    adwin : int64
        Indices of the shares that ADWIN follows: not those of more than a few names, and rates of
        which the reference has some; from none on the e-detector is sooner. None with slots.
    adwin_phi : float64
        Their design effects, with caution.
    adwin_slots : int64[S]
        How many they are of each signal.
    """

    def __init__(
        self,
        signals: Sequence[SignalReference],
        layout: Layout | None = None,
        tests: Mapping[str, Sequence[str]] | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        layout = layout or Layout({s.name: s.binning for s in signals})
        if layout.names != tuple(s.name for s in signals):
            raise ValueError("layout must have the same signals in the same order.")
        wanted = {name: tuple(said) for name, said in (tests or {}).items()}
        chosen = [choose_tests(s.name, s.kind, wanted.get(s.name)) for s in signals]
        found = [shares_of(i, s, chosen[i]) for i, s in enumerate(signals)]
        self.shares = tuple(share for shares in found for share in shares)
        self.first = np.cumsum([0, *map(len, found)], dtype=np.int64)
        bins = [layout.start[share.signal] + share.bins for share in self.shares]
        self._bins = np.concatenate([np.zeros(0, np.int64), *bins])
        self._end = np.cumsum([b.size for b in bins], dtype=np.int64)
        self._signal = np.array([share.signal for share in self.shares], np.int64)
        self._of_values = np.array([share.of_values for share in self.shares], np.bool_)
        self._start, self._n_bins = layout.start, layout.n_bins
        self._n_values = np.array([s.binning.missing for s in signals], np.int64)
        followed = [
            k
            for k, share in enumerate(self.shares)
            if calendar is None
            and (share.both or (share.rate and signals[share.signal].counts[share.bins].any()))
        ]
        self.adwin = np.array(followed, np.int64)
        self.adwin_phi = np.array([self.shares[k].cautious_phi for k in followed], np.float64)
        self.adwin_slots = np.bincount(self._signal[self.adwin], minlength=len(found))

    def adwin_deltas(self, delta_of: Callable[[float], float], numeric: Ints) -> Floats:
        """ADWIN's delta for x and y of each numeric signal, then for the shares that it follows.

        Parameters
        ----------
        delta_of : callable
            The delta of one of so many slots of a signal: `Budget.adwin_delta`.
        numeric : int64
            Indices of the numeric signals.
        """
        slots = self.adwin_slots.copy()
        slots[numeric] += 2
        deltas = [delta_of(int(slots[i])) for i in np.repeat(numeric, 2)]
        for k in self.adwin.tolist():
            smaller = _SMALLER if self.shares[k].is_common else 1.0
            deltas.append(delta_of(smaller * int(slots[self._signal[k]])))
        return np.array(deltas, np.float64)

    def counts(self, counts: Ints) -> tuple[Ints, Ints]:
        """Events that each share is of in a pane, and those inside: two int64[K]."""
        total, held = np.empty(self._signal.size, np.int64), np.empty(self._signal.size, np.int64)
        _count(
            counts,
            self._start,
            self._n_values,
            self._n_bins,
            self._signal,
            self._bins,
            self._end,
            self._of_values,
            total,
            held,
        )
        return total, held

    def moments(self, total: Ints, held: Ints) -> tuple[Ints, Ints, Ints]:
        """What ADWIN is fed with: number, sum and sum of squares of scores of 0 and 1."""
        s1 = held[self.adwin] * SCORE_SCALE
        return total[self.adwin], s1, s1 * SCORE_SCALE
