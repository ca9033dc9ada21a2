"""Rates that a window's own hours and days are expected to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.references.calendar import Mixture
from detectors.references.reference import SignalReference

__all__ = ["ExpectedRates", "RateBins", "SlotRates"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class RateBins(NamedTuple):
    """A rate of one signal: its bins, what is expected beyond their counts, two design effects.

    `novel` is a share: of values that the reference does not have but chance brings.
    """

    signal: int
    bins: Ints
    novel: float
    short: float
    days: float


class ExpectedRates(NamedTuple):
    """Of each rate: the reference's events and those inside, and the design effects of both.

    The reference's is `phi` times `reference_phi`.
    """

    events: Floats
    inside: Floats
    phi: Floats
    reference_phi: Floats


class SlotRates:
    """Shares of some rates by slot."""

    def __init__(self, signals: Sequence[SignalReference], rates: Sequence[RateBins]) -> None:
        held, rows = [], []
        for rate in rates:
            slots = signals[rate.signal].slots
            assert slots is not None
            known = slots.known
            held.append(known[:, rate.bins].sum(axis=1))
            rows.append(np.maximum(1, known.sum(axis=1)))
        shape = (len(rates), -1) if rates else (0, 1)
        self._rows = np.array(rows, np.float64).reshape(shape)
        self._share = np.array(held, np.float64).reshape(shape) / self._rows
        self._novel, self._short, self._days = (
            np.array([(rate.novel, rate.short, rate.days) for rate in rates], np.float64)
            .reshape(-1, 3)
            .T
        )

    def expected(self, mixture: Mixture, day_factor: float, n: Ints) -> ExpectedRates:
        """Of windows of n events each, int64[R]."""
        if not self._novel.size:
            return ExpectedRates(self._novel, self._novel, self._novel, self._novel)
        share = self._share @ mixture.shares + self._novel
        events = 1.0 / (np.square(mixture.shares) / self._rows).sum(axis=1)
        levels = np.maximum(0.0, self._days - self._short) * (day_factor * mixture.days)
        phi = np.maximum(1.0, self._short + levels * n)
        return ExpectedRates(events, share * events, phi, np.maximum(1.0, self._days) / phi)
