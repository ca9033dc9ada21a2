"""What the windowed tests of one window gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.windowed.catalogue import WINDOWED_TESTS

__all__ = ["WindowResult"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NAMES = tuple(WINDOWED_TESTS)
_STEPS = np.array([test.steps for test in WINDOWED_TESTS.values()])


@dataclass(frozen=True, eq=False)
class WindowResult:
    """A row for each test that could be made: parallel arrays.

    Attributes
    ----------
    signal : int64
        Index of the signal in the bank.
    test_index : int64
        Of the test's name in `WINDOWED_TESTS`.
    value, threshold : float64
        The distance or rate, and the value from which it is a finding.
    effect : float64
        The distance less what chance brings (for chi2 and G as a PSI), or by how much the rate
        rose, or the share of a name moved.
    p_value : float64
        How often chance alone gives this value or more; made when first asked for.
    n : int64
        Events the test saw.
    found : bool
    look : int64
        Of `name_share` which share moved most clearly: the bin of an own name or of the tail, or
        the bin after those of known names for the whole tail. -1 for other tests.
    """

    signal: Ints
    test_index: Ints
    value: Floats
    effect: Floats
    n: Ints
    found: Bools
    look: Ints
    _threshold: Callable[[], Floats]
    _p_value: Callable[[], Floats]

    @cached_property
    def tests(self) -> tuple[str, ...]:
        """Name of each row's test."""
        return tuple(_NAMES[i] for i in self.test_index.tolist())

    @cached_property
    def threshold(self) -> Floats:
        """Value from which each row is a finding."""
        return self._threshold()

    @cached_property
    def p_value(self) -> Floats:
        """Tail of each row's value."""
        return self._p_value()

    @cached_property
    def ratio(self) -> Floats:
        """Each value in units of its threshold: from 1 on a finding. Finite; 0 without one."""
        threshold = self.threshold
        ratio = np.where(threshold > 0, self.value / np.maximum(threshold, 1e-300), 0.0)
        return np.nan_to_num(ratio, posinf=1e6)

    def test(self, row: int) -> str:
        """Name of the test of a row."""
        return _NAMES[int(self.test_index[row])]

    def severity(self, row: int) -> Literal["", "info", "warning", "critical"]:
        """Info, warning or critical by the size of the effect; "" if it is no finding."""
        if not self.found[row]:
            return ""
        warning, critical = _STEPS[self.test_index[row]]
        effect = self.effect[row]
        if effect < warning:
            return "info"
        return "warning" if effect < critical else "critical"
