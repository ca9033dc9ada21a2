"""Whether signals differ from the reference as soon as it is compared to: is it the right one?

The first quarter of the first window is tested by itself, at a level that makes one mistake in a
thousand: that there is drift at all the whole window says. What is found in both, and about as
large, was so from the start; what came in the middle of the window is not in its first quarter.
Where a window cannot be looked at before it is full (a cycle, or one that a single pane fills), the
first window is the part and the second the whole. An e-detector may find a signal before the part
is full, and then the likeliest time of its change decides at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import WindowResult
from stream.stage2.findings import Hit
from stream.stage2.windows import Window, WindowRule

__all__ = ["Beginning"]

_PART: Final = 4
_ALPHA: Final = 1e-3
#: Of a change that came within the part less is seen there than in the whole: the part must show
#: so much of the whole's effect. Not more, since a few bins of few events show less of a large one.
_ALIKE: Final = 0.4

Test = Callable[[npt.NDArray[Any], float], WindowResult]


class Beginning(msgspec.Struct, array_like=True):
    """The first windows of a subject under a reference.

    Attributes
    ----------
    over : bool
        Whether it was decided, or is not to be.
    effects : dict or None
        (signal, test) -> effect of what was found in the part; None before it was tested.
    """

    over: bool = False
    effects: dict[tuple[int, int], float] | None = None

    def look(self, window: Window | None, rule: WindowRule, now_ms: int, test: Test) -> None:
        """Test the filling window of the whole stream if it is a part of a whole one now."""
        if self.effects is not None or window is None or rule.cycle_ms:
            return
        aged = _PART * (now_ms - window.start_ms) >= rule.max_age_ms
        enough = _PART * window.events >= (rule.min_tested_events if aged else rule.events)
        if enough:
            self.effects = _found(test(window.counts, _ALPHA))

    def holds(self, hit: Hit, born_ms: int | None, now_ms: int) -> bool:
        """Whether what an e-detector found before the part is full began with the stream.

        The likeliest time is in the first quarter of what there was, and the first pane is among
        those nearly as likely. Later the history's blocks are too long to tell.
        """
        point, decided = hit.change_point, self.over or self.effects is not None
        if decided or born_ms is None or hit.test != "edetector" or point is None:
            return False
        early = _PART * (point.estimate_ms - born_ms) < now_ms - born_ms
        return early and point.earliest_ms <= born_ms

    def close(self, result: WindowResult | None) -> frozenset[int]:
        """End a window of the whole stream, None if it held too little: rows that were so before.

        A window that was not looked at before is the part of the next.
        """
        before, self.effects = self.effects, None
        if result is None:
            return frozenset()
        if before is None:
            self.effects = _found(result)
            return frozenset()
        self.over = True
        return frozenset(
            row
            for row in np.flatnonzero(result.found).tolist()
            if before.get(_key(result, row), 0.0) >= _ALIKE * float(result.effect[row])
        )


def _found(result: WindowResult) -> dict[tuple[int, int], float]:
    effects: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero(result.found).tolist():
        key, effect = _key(result, row), float(result.effect[row])
        effects[key] = max(effect, effects.get(key, effect))
    return effects


def _key(result: WindowResult, row: int) -> tuple[int, int]:
    return int(result.signal[row]), int(result.test_index[row])
