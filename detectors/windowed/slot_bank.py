"""Windowed tests of a stream with slots: a window against what its hours and days make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from detectors.counting.counts import Layout
from detectors.references.calendar import Calendar, Mixture
from detectors.references.reference import SignalReference
from detectors.windowed.bank import Against, WindowBank
from detectors.windowed.name_share import NameShares
from detectors.windowed.rows import Scales, level_of
from detectors.windowed.slot_coarsening import SlotLevels

__all__ = ["SlotWindowBank"]

Ints = npt.NDArray[np.int64]


class SlotWindowBank(WindowBank):
    """As `WindowBank`; counts have behind them what the calendar tells of their slots and days."""

    def __init__(
        self,
        signals: Sequence[SignalReference],
        layout: Layout,
        tests: Mapping[str, Sequence[str]] | None,
        calendar: Calendar,
    ) -> None:
        super().__init__(signals, layout, tests)
        self._calendar = calendar
        self._slots = SlotLevels(self.signals, calendar)
        self._ranked = np.unique(self._signal[self._rows.ranks]).tolist()
        self._named = self._names.signal.tolist()

    def _against(self, counts: Ints, k: int) -> Against:
        """What the window's slots and days are expected to hold, and the laws for it."""
        layout, calendar, slots = self.layout, self._calendar, self._slots
        mixture = calendar.mixture(counts[layout.width :])
        of_signal = [counts[layout.slice(i)] for i in range(len(self.signals))]
        coarse = [slots.coarsen(i, k, mixture, c) for i, c in enumerate(of_signal)]
        scales: dict[int, Scales] = {}
        bins = self._bins
        if self._ranked:
            fine = bins.fine.copy()
            for i in self._ranked:
                fine[layout.slice(i)], scales[i] = slots.ranks(i, mixture, of_signal[i])
            bins = bins._replace(fine=fine)
        level = level_of(self._rows, self._test, coarse, scales, layout, k)
        rates = self._rates.of_mixture(mixture, calendar.day_factor, counts[: layout.width])
        return Against(level, bins, rates, self._names_of(mixture, of_signal), own=True)

    def _names_of(self, mixture: Mixture, of_signal: Sequence[Ints]) -> NameShares:
        names = self._names
        if not self._named:
            return names
        reference, phi = self._bins.fine.copy(), []
        for i, (short, days) in zip(self._named, names.effects, strict=True):
            shares, events = self._slots.fine(i, mixture)
            n = int(of_signal[i].sum())
            of_window = max(
                1.0, short + max(0.0, days - short) * self._calendar.day_factor * mixture.days * n
            )
            # Both counts have one design effect in the test: the reference is taken for so many
            # rows as are known as well as it is.
            events *= min(1.0, of_window / days)
            reference[self.layout.slice(i)] = np.ceil(shares * events)
            phi.append(of_window)
        return names.compared_with(reference, np.array(phi))
