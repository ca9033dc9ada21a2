"""The tests that follow every pane: ranks of numbers, shares of names and rates of all signals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import AdwinBank, ChangePoints, Share, SignalReference
from detectors.figures import figures
from stream.alerts.severity import severity_of_shift
from stream.plans.plan import Plan
from stream.stage2.explained_by_quality import as_whole, mostly_gone
from stream.stage2.findings import Hit
from stream.stage2.share_hits import share_began, share_hit, with_rise, within_stream
from stream.stage2.shared_tables import SharedTables

__all__ = ["Found", "Sequential"]

#: What the two streams of scores are of.
_AXES: Final = ("mean rank", "spread of ranks")
_MOVES: Final = ("mean", "spread")
_LN10: Final = math.log(10.0)

Ints = npt.NDArray[np.int64]


class Found(NamedTuple):
    """A hit on one signal; of a `share` that left the reference's, and which `way`."""

    signal: int
    hit: Hit
    share: Share | None = None
    way: int = 0

    def since(self, signal: SignalReference, expected: SignalReference, counts: Ints) -> Hit:
        """The hit, worded by the signal's counts since the change and by those expected."""
        if self.share is None or not self.way:
            return self.hit
        before = self.share.reference
        before += self.share.of(expected.counts) - self.share.of(signal.counts)
        return with_rise(self.hit, self.share, self.way * (self.share.of(counts) - before))

    def is_of_quality(self, expected: SignalReference, counts: Ints) -> bool:
        """Whether a value's share moved only because of what is missing, invalid or unseen."""
        if self.share is None or self.share.rate:
            return False
        usual = self.share.of(expected.counts)
        moved = self.share.of(counts) - usual
        return bool(moved) and mostly_gone(moved, self.share.of(as_whole(expected, counts)) - usual)


class Sequential:
    """E-detectors and ADWIN of all signals of one subject.

    Parameters
    ----------
    plan : Plan
    shared : SharedTables
        Of the plan.
    changes : ChangePoints
        Fed with a pane before `update`.
    """

    def __init__(self, plan: Plan, shared: SharedTables, changes: ChangePoints) -> None:
        self._plan, self._numeric = plan, plan.layout.numeric
        self._changes = changes
        self.scores, self.shares = shared.scores, shared.shares
        self.adwin = AdwinBank(shared.adwin_phi.size, shared.adwin_delta, shared.adwin_phi)
        self.edetector = shared.edetector()
        self._adwin_on, self._edetector_on = shared.adwin_on, shared.edetector_on

    def update(self, counts: Ints) -> list[Found]:
        """Feed a pane's flat vector of counts; what was found."""
        shares = self.shares.counts(counts)
        return [*self._by_edetector(counts, shares), *self._by_adwin(counts, shares)]

    def _by_edetector(self, counts: Ints, shares: tuple[Ints, Ints]) -> Iterator[Found]:
        """Signals whose ranks or shares left the reference's."""
        bank = self.edetector
        for index in np.flatnonzero(bank.update(counts, shares) & self._edetector_on).tolist():
            lead = bank.lead(index)
            found, threshold = float(bank.evidence[index]) / _LN10, math.log10(bank.threshold)
            way = f"{'above' if lead.direction > 0 else 'below'} the reference's"
            if lead.share >= 0:
                share = self.shares.shares[lead.share]
                began = share_began(self._changes, share, "edetector")
                hit = share_hit(self._plan, share, "edetector", found, threshold, 0.0, way, began)
                yield Found(index, hit, share, lead.direction)
                continue
            row = int(np.searchsorted(self._numeric, index))
            effect, axis = bank.ranks.effect(row), "xy".index(bank.ranks.axis(row))
            yield Found(
                index,
                Hit(
                    "edetector",
                    found,
                    threshold,
                    severity_of_shift(effect),
                    effect,
                    note=f"{_AXES[axis]} {way}",
                    direction=lead.direction,
                    moves=_MOVES[axis],
                    change_point=self._changes.estimate(index, "edetector", "xy"[axis]),
                ),
            )

    def _by_adwin(self, counts: Ints, shares: tuple[Ints, Ints]) -> Iterator[Found]:
        """Signals whose mean or share changed within the stream."""
        ranks, more = self.scores.moments(counts), self.shares.moments(*shares)
        n, s1, s2 = [np.concatenate((a.reshape(-1), b)) for a, b in zip(ranks, more, strict=True)]
        bank, of_ranks = self.adwin, len(_AXES) * self._numeric.size
        before_pane = bank.width
        for slot in np.flatnonzero(bank.update(n, s1, s2)).tolist():
            before, after = float(bank.mean_before[slot]), float(bank.mean_after[slot])
            found, threshold = abs(after - before), float(bank.threshold[slot])
            if slot >= of_ranks:
                share = self.shares.shares[int(self.shares.adwin[slot - of_ranks])]
                if self._adwin_on[share.signal] and (share.both or after > before):
                    note = within_stream(before, after)
                    width = int(before_pane[slot] + n[slot])
                    began = share_began(self._changes, share, "adwin", width)
                    hit = share_hit(
                        self._plan, share, "adwin", found, threshold, found, note, began
                    )
                    yield Found(share.signal, hit, share)
                continue
            width = int(before_pane[slot] + n[slot])
            row, axis = divmod(slot, len(_AXES))
            index = int(self._numeric[row])
            if not self._adwin_on[index]:
                continue
            yield Found(
                index,
                Hit(
                    "adwin",
                    found,
                    threshold,
                    severity_of_shift(found),
                    found,
                    note="{} {} -> {} within the stream".format(
                        _AXES[axis], *figures(before, after)
                    ),
                    change_point=self._changes.estimate(index, "adwin", "xy"[axis], width),
                    direction=1 if after > before else -1,
                    moves=f"{_MOVES[axis]} within the stream",
                ),
            )

    def dump(self) -> tuple[bytes, bytes]:
        """The state as bytes; `load` is the inverse."""
        return self.adwin.dump(), self.edetector.dump()

    def load(self, adwin: bytes, edetector: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        self.adwin.load(adwin)
        self.edetector.load(edetector)
