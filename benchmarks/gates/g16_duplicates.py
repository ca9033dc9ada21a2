"""Gate 16: events that come twice make no drift, and are told of; drift beside them is found.

From a quarter of the stream on a share of the events comes a second time, three in ten of the
copies a pane later: through the product's own counting of copies, tests and episodes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.gates.measured import Measured, rate_of, share_of
from benchmarks.gates.subject import SubjectRun
from detectors import Reference, accumulate, fit_reference
from detectors.counting.ids import IdSample
from stream.plans.plan import Plan
from stream.stage2.copies import DUPLICATES
from stream.stage2.panes import Sealed
from stream.stage2.phase import PlanPhase

__all__ = ["SHARES", "change", "null", "run"]

PANE_MS = 60_000
WEEK_PANES = 10_080
SIGNALS = 5
#: Events of a pane, on average, before any comes twice; rows of the reference.
EVENTS, ROWS = 20, 10_000
#: Share of the events that come twice -> share of the streams in which that is told: least, most.
SHARES: dict[float, tuple[float | None, float | None]] = {
    0.0: (None, 0.0), 0.01: (None, 0.0), 0.1: (0.95, None), 0.3: (0.95, None), 1.0: (0.95, None),
}  # fmt: skip
LATER = 0.3
SHIFT = 1.0


class _Run(SubjectRun):
    """A subject whose panes have samples of ids."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.phase = PlanPhase(plan)
        assert self.phase.detection is not None
        self.detection = self.phase.detection

    def take(self, start_ms: int, counts: np.ndarray, ids: np.ndarray) -> None:
        """A sealed pane."""
        self._judge(self.phase.expire(start_ms))
        sample = {"": IdSample.of(ids)}
        self._judge([self.phase.pane(Sealed(start_ms, {"": counts}, {}, ids=sample))])

    @property
    def drifts(self) -> int:
        """Episodes of anything else than copies."""
        return self.opened - self.first_findings[DUPLICATES]


def _reference(rng: np.random.Generator) -> Reference:
    columns = {f"s{i}": rng.standard_normal(ROWS) for i in range(SIGNALS)}
    times = np.cumsum(rng.exponential(PANE_MS / EVENTS, ROWS)).astype(np.int64)
    return fit_reference(columns, model="null", times_ms=times)


def _panes(
    rng: np.random.Generator, panes: int, share: float, begin: int, shift_at: int
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Values and ids of the events of each pane."""
    late_values, late_ids = np.empty((0, SIGNALS)), np.empty(0, np.int64)
    for pane in range(panes):
        n = rng.poisson(EVENTS)
        values, ids = rng.standard_normal((n, SIGNALS)), rng.integers(1, 2**40, n)
        if pane >= shift_at:
            values[:, 0] += SHIFT
        again = rng.random(n) < (share if pane >= begin else 0.0)
        later = again & (rng.random(n) < LATER)
        now = again & ~later
        yield (
            np.concatenate([values, values[now], late_values]),
            np.concatenate([ids, ids[now], late_ids]),
        )
        late_values, late_ids = values[later], ids[later]


def _watched(seed: int, share: float, panes: int, shift_at: int | None = None) -> _Run:
    """A stream, watched to its end."""
    rng = np.random.default_rng([161, seed])
    plan = Plan(model="null", reference=_reference(rng), pane_ms=PANE_MS)
    run = _Run(plan)
    stop = panes if shift_at is None else shift_at
    for pane, (values, ids) in enumerate(_panes(rng, panes, share, panes // 4, stop)):
        if not ids.size:
            continue
        counts = np.zeros((1, plan.layout.width), np.int64)
        codes = np.empty((len(values), 0), np.int32)
        accumulate(plan.layout.positions(values, codes), np.zeros(len(values), np.int32), counts)
        run.take(pane * PANE_MS, counts[0], ids)
    return run


def null(share: float, *, subjects: int = 20, weeks: float = 4.0) -> list[Measured]:
    """Episodes of drift a week where nothing else changes, and in how many streams it is told."""
    least, most = SHARES[share]
    runs = [_watched(k, share, round(weeks * WEEK_PANES)) for k in range(subjects)]
    told = np.array([run.first_findings[DUPLICATES] > 0 for run in runs], np.int64)
    note = f"{subjects} streams of {weeks:g} weeks, {SIGNALS} signals, {EVENTS} events a pane"
    what = f"{100 * share:g} % of the events twice"
    drifts = rate_of(np.array([run.drifts for run in runs]), weeks)
    return [
        Measured(f"{what}: episodes of drift a week", *drifts, most=1.0, note=note),
        Measured(f"{what}: told of", *share_of(told, 1.0), least=least, most=most, note=note),
    ]


def change(share: float, *, runs: int = 20) -> Measured:
    """In how many streams a shift of one standard deviation is found, of 1,500 events."""
    panes, before = 375, 300
    found = np.array([_watched(k, share, panes, before).drifts > 0 for k in range(runs)], np.int64)
    note = f"{runs} streams, within {(panes - before) * EVENTS:,} events that are not copies"
    return Measured(
        f"+{SHIFT:g} sd beside {100 * share:g} % twice: found",
        *share_of(found, 1.0),
        least=0.9,
        note=note,
    )


def run() -> list[Measured]:
    """The gate in full."""
    rows = [row for share in SHARES for row in null(share)]
    return rows + [change(share) for share in (0.0, 0.3, 1.0)]
