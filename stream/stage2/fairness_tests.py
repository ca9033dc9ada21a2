"""Fairness: whether outcomes differ by a protected column, and by more than in the reference.

Outcomes of all values are counted over the same stretch of time, whole windows of the whole stream,
so that a shift which moves all of them is no disparity. A rate that too few events of two values
have goes on over the next windows, each rate for itself: positives are rarer than events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import Budget, ChangePoint
from detectors.counting.sparse import decode_counts, encode_counts
from detectors.outcomes.fairness import Disparity, Fairness, Limits
from detectors.outcomes.fairness_of_model import ModelFairness
from detectors.outcomes.metrics import Metric
from stream.alerts.finding import Finding
from stream.alerts.sizes import FAIRNESS, on_one_scale
from stream.contracts.alert_event import Severity
from stream.plans.plan import Plan
from stream.text.fairness_words import disparity_signal, disparity_words

__all__ = ["MAX_WINDOWS", "FairnessTests", "RateTest"]

#: A stretch that still has too few events of two values after so many windows is given up.
MAX_WINDOWS: Final = 8

Ints = npt.NDArray[np.int64]


#: Counts in bytes, start, end and windows of a stretch.
_DumpedStretch: TypeAlias = tuple[bytes, int, int, int]


class _Stretch(msgspec.Struct):
    """Outcomes by value over some time, row by row, and how many windows closed in it."""

    counts: Ints
    start_ms: int = 0
    end_ms: int = 0
    windows: int = 0

    def dump(self) -> _DumpedStretch:
        """The state."""
        return encode_counts(self.counts.ravel()), self.start_ms, self.end_ms, self.windows


class _State(msgspec.Struct, array_like=True):
    """Of one rate."""

    filling: _DumpedStretch
    judged: _DumpedStretch | None
    given_up: bool
    found: dict[str, Finding]


class RateTest:
    """One rate of one protected column.

    Attributes
    ----------
    of : ModelFairness
        Of the column.
    rate : str
        One of `RATES`.
    result : Fairness or None
        As judged last; None before that, and where it was given up since.
    given_up : bool
        Whether the last `MAX_WINDOWS` windows had too few events of two values.
    found : dict of str to Finding
        By disparity: what was found then.
    """

    def __init__(self, of: ModelFairness, rate: str, alpha: float) -> None:
        self.of, self.rate = of, rate
        self._alpha = alpha
        self._shape = len(of.scopes), of.cells.width
        self._filling = self._empty()
        self._judged: _Stretch | None = None
        self.result: Fairness | None = None
        self.given_up = False
        self.found: dict[str, Finding] = {}

    @property
    def span(self) -> tuple[int, int]:
        """From when to when `result` is of, in milliseconds."""
        return (0, 0) if self._judged is None else (self._judged.start_ms, self._judged.end_ms)

    def add(self, counts: Ints, start_ms: int, end_ms: int) -> None:
        """Take a pane's outcomes by value in."""
        filling = self._filling
        if not filling.end_ms:
            filling.start_ms = start_ms
        filling.counts += counts
        filling.end_ms = end_ms

    def close(self, describe: _Describe) -> None:
        """End a window of the whole stream, and judge the stretch if two values have enough."""
        filling = self._filling
        filling.windows += 1
        result = self._result_of(filling)
        is_enough = result.judged(self.rate) > 1
        if not is_enough and filling.windows < MAX_WINDOWS:
            return
        self._filling = self._empty()
        self.given_up = not is_enough
        self._judged, self.result = (filling, result) if is_enough else (None, None)
        if is_enough:
            self.found = {
                name: describe(self, name, disparity, filling)
                for name, disparity in result.disparities.items()
                if disparity.found
            }

    def _empty(self) -> _Stretch:
        return _Stretch(np.zeros(self._shape, np.int64))

    def _result_of(self, stretch: _Stretch) -> Fairness:
        return self.of.of(stretch.counts, self._alpha, self.rate)

    def dump(self) -> _State:
        """The state; `load` is the inverse."""
        judged = self._judged
        return _State(
            self._filling.dump(),
            None if judged is None else judged.dump(),
            self.given_up,
            self.found,
        )

    def load(self, state: _State) -> None:
        """Take over a dumped state; raises ValueError."""
        self._filling = self._loaded(state.filling)
        self._judged = None if state.judged is None else self._loaded(state.judged)
        self.given_up, self.found = state.given_up, state.found
        self.result = None if self._judged is None else self._result_of(self._judged)

    def _loaded(self, state: _DumpedStretch) -> _Stretch:
        counts, *times_and_windows = state
        rows, width = self._shape
        return _Stretch(
            decode_counts(counts, rows * width).reshape(rows, width), *times_and_windows
        )


#: Makes the finding of a disparity in a stretch.
_Describe = Callable[[RateTest, str, Disparity, _Stretch], Finding]


class FairnessTests:
    """The protected columns of one subject under one plan.

    Attributes
    ----------
    rates : list of RateTest
        Of each column those that its outcomes have.
    """

    def __init__(self, plan: Plan, budget: Budget) -> None:
        self._plan, self._cells = plan, plan.layout.cells
        self.rates = [
            RateTest(each, rate, budget.fairness_alpha)
            for each in plan.fairness
            for rate in each.rates
        ]

    @classmethod
    def of(cls, plan: Plan, budget: Budget) -> FairnessTests | None:
        """Those of a plan; None where nothing is protected."""
        return cls(plan, budget) if plan.fairness else None

    def pane(self, counts: Mapping[str, Ints], start_ms: int, end_ms: int) -> None:
        """Take the flat counts of a pane in, by segment."""
        by_column = {of.column: of.by_value(counts, self._cells) for of in self._plan.fairness}
        for test in self.rates:
            test.add(by_column[test.of.column], start_ms, end_ms)

    def window(self) -> Iterator[Finding]:
        """End a window of the whole stream: all that is found, and was not judged since."""
        for test in self.rates:
            test.close(self._finding)
            yield from test.found.values()

    @property
    def open(self) -> set[str]:
        """Names of what was found when it was judged last: half a window says nothing of them."""
        return {finding.signal for test in self.rates for finding in test.found.values()}

    def _finding(self, test: RateTest, name: str, found: Disparity, stretch: _Stretch) -> Finding:
        of, cells = test.of, self._plan.outcome
        assert cells is not None
        assert test.result is not None
        limits, is_ratio = of.limits, name.endswith("ratio")
        rates, usual = (
            [each[value][test.rate] for value in (found.lowest, found.highest)]
            for each in (test.result.rates, of.reference.rates)
        )
        role = "error"
        if test.rate == "selection_rate":
            role = "label" if cells.cells.predicted else "score"
        words = "" if self._plan.private else disparity_words(name, found, rates)
        return Finding(
            kind="fairness",
            signal=disparity_signal(of.column, name),
            role=role,
            test=FAIRNESS,
            value=found.value,
            threshold=limits.ratio if is_ratio else limits.difference,
            severity=_severity(found.value, limits, is_ratio=is_ratio),
            start_ms=stretch.start_ms,
            end_ms=stretch.end_ms,
            events=sum(rate.events for rate in rates),
            effect=on_one_scale(FAIRNESS, _gap(*rates) - _gap(*usual)),
            change=words,
            change_point=ChangePoint(stretch.start_ms, stretch.start_ms, stretch.end_ms),
            headline=words,
        )

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        return msgspec.msgpack.encode([test.dump() for test in self.rates])

    def load(self, data: bytes) -> None:
        """Take over a dumped state; raises ValueError."""
        states = msgspec.msgpack.decode(data, type=list[_State])
        for test, state in zip(self.rates, states, strict=True):
            test.load(state)


def _gap(low: Metric, high: Metric) -> float:
    return high.value - low.value


def _severity(value: float, limits: Limits, *, is_ratio: bool) -> Severity:
    """Critical is what is twice as far as the limit: twice its difference, or its ratio twice."""
    far = value <= limits.ratio**2 if is_ratio else value >= 2.0 * limits.difference
    return "critical" if far else "warning"
