"""driftstream's own contestants: single detectors, and the product with its default set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.comparison.contestant import WINDOW, Contestant, Run
from benchmarks.gates.subject import SubjectRun
from detectors import (
    ADWIN,
    AdwinBank,
    CategoricalBinning,
    Reference,
    ScoreTable,
    WindowBank,
    accumulate,
    fit_reference,
)
from detectors.counting.binning import SCORE_SCALE
from detectors.sequential import EDetectorBank
from stream.plans.plan import Plan

__all__ = ["Product", "contestants"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Items of a pane for the single detectors.
PANE = 20
#: A million items a week, so that false alarms a week are false alarms a million items.
ITEM_MS = 604.8
NUMBERS = frozenset({"number", "binary"})
ALL = NUMBERS | {"category"}


def times_of(n: int) -> Ints:
    """Event times of items at a million a week."""
    return (np.arange(n) * ITEM_MS).astype(np.int64)


def fit(columns: Floats, kind: str) -> Reference:
    """A reference of float64[n, S]."""
    named = {f"s{i}": column for i, column in enumerate(columns.T.copy())}
    kinds = dict.fromkeys(named, "categorical" if kind == "category" else "numeric")
    return fit_reference(named, model="m", times_ms=times_of(len(columns)), kinds=kinds)


def counts_of(reference: Reference, columns: Floats, slots: Ints) -> Ints:
    """Counts int64[slots, width] of float64[n, S]."""
    layout = reference.layout()
    numeric, codes = columns, np.empty((len(columns), 0), np.int32)
    if layout.categorical.size:
        binning = reference.signals[0].binning
        assert isinstance(binning, CategoricalBinning)
        names = [binning.bin(str(v)) for v in range(int(columns.max()) + 1)]
        codes = np.array(names, np.int32)[columns.astype(np.int64)]
        numeric = np.empty((len(columns), 0))
    out = np.zeros((int(slots[-1]) + 1, layout.width), np.int64)
    accumulate(layout.positions(numeric, codes), slots.astype(np.int32), out)
    return out


def _panes(reference: Reference, values: Floats, size: int) -> Ints:
    whole = len(values) // size * size
    return counts_of(reference, values[:whole, None], np.arange(whole) // size)


@dataclass(frozen=True)
class _Single(Contestant):
    def prepare(self, reference: Floats, kind: str) -> Reference:
        return fit(reference[:, None], kind)


@dataclass(frozen=True)
class EDetector(_Single):
    """E-detector of x and y in panes."""

    def run(
        self,
        prepared: Reference,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        assert setting is not None
        bank = EDetectorBank(prepared.signals, prepared.layout(), threshold=setting)
        panes = _panes(prepared, values, PANE)
        found = [i for i, counts in enumerate(panes) if bank.update(counts)[0]]
        return Run(PANE * np.array(found, np.int64) + PANE - 1, len(values))


@dataclass(frozen=True)
class AdwinItems(_Single):
    """ADWIN of each item's rank in the reference, and one of its distance from the middle."""

    def run(
        self,
        prepared: Reference,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        assert setting is not None
        signal = prepared.signals[0]
        x = signal.binning.scores(signal.counts)[signal.binning.bin(values)] / SCORE_SCALE
        found = [
            ADWIN(setting, reset="oldest").update_many(score) for score in (x, np.abs(2 * x - 1))
        ]
        return Run(np.union1d(*found), len(values))


@dataclass(frozen=True)
class AdwinPanes(_Single):
    """ADWIN of x and y, pane by pane."""

    def run(
        self,
        prepared: Reference,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        assert setting is not None
        table = ScoreTable(prepared.signals, prepared.layout())
        bank = AdwinBank(2, setting, table.phi.ravel())
        found = []
        for i, counts in enumerate(_panes(prepared, values, PANE)):
            n, s1, s2 = table.moments(counts)
            if bank.update(n.ravel(), s1.ravel(), s2.ravel()).any():
                found.append(i)
        return Run(PANE * np.array(found, np.int64) + PANE - 1, len(values))


@dataclass(frozen=True)
class WindowedPsi(_Single):
    """Calibrated PSI of tumbling windows."""

    def run(
        self,
        prepared: Reference,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        assert setting is not None
        if len(values) < WINDOW:
            return Run(np.zeros(0, np.int64), len(values))
        bank = WindowBank(prepared.signals, prepared.layout())
        found = []
        for i, counts in enumerate(_panes(prepared, values, WINDOW)):
            result = bank.test(counts, setting)
            rows = np.flatnonzero(result.found).tolist()
            if any(result.test(row) == "psi" for row in rows):
                found.append(i)
        return Run(WINDOW * np.array(found, np.int64) + WINDOW - 1, len(values))


@dataclass(frozen=True)
class Product(Contestant):
    """Every default test of a subject under its budget, as a worker runs it."""

    pane_ms: int = 10_000

    def prepare(self, reference: Floats, kind: str) -> Reference:
        return fit(reference if reference.ndim == 2 else reference[:, None], kind)

    def run(
        self,
        prepared: Reference,
        values: Floats,
        setting: float | None,
        *,
        since: int | None = None,
        deadline: float = math.inf,
    ) -> Run:
        return self._run(prepared, values, setting, since, openings=False)

    def null_run(
        self, prepared: Any, values: Floats, setting: float | None, deadline: float
    ) -> Run:
        return self._run(prepared, values, setting, None, openings=True)

    def _run(
        self,
        reference: Reference,
        values: Floats,
        setting: float | None,
        since: int | None,
        *,
        openings: bool,
    ) -> Run:
        """Panes with a finding, or panes that opened an episode: what a user is told of."""
        assert setting is not None
        columns = values if values.ndim == 2 else values[:, None]
        plan = Plan(
            model="m", reference=reference, pane_ms=self.pane_ms, false_alarms_per_week=setting
        )
        run = _Noted(plan)
        slot = times_of(len(columns)) // self.pane_ms
        last = np.append(np.flatnonzero(np.diff(slot)), len(slot) - 1)
        alarms = []
        for pane, counts in enumerate(counts_of(reference, columns, slot)):
            before = run.opened if openings else run.findings
            run.feed(pane * self.pane_ms, counts)
            if (run.opened if openings else run.findings) > before:
                alarms.append(int(last[pane]))
                if since is not None and alarms[-1] >= since:
                    break
        return Run(np.array(alarms, np.int64), len(columns))


class _Noted(SubjectRun):
    """A subject that also counts findings."""

    findings = 0

    def _judge(self, steps: Any) -> None:
        steps = list(steps)
        self.findings += sum(len(step.findings) for step in steps)
        super()._judge(steps)


def contestants() -> list[Contestant]:
    """Those of driftstream, each with its own default."""
    return [
        Product(
            "driftstream, default set",
            ALL,
            1.0,
            promised={1: 1.0, 10: 10.0},
            note="budget of 1 (10) false alarms a week at a million items a week; panes of "
            "10 s, windows of 1,000; its false alarms are episodes opened",
        ),
        EDetector(
            "driftstream e-detector x+y",
            NUMBERS,
            50_000.0,
            (30.0, 100.0, 300.0, 1_000.0, 3_000.0),
            note="panes of 20; default A = 50,000 panes, a million items by its bound",
        ),
        AdwinItems(
            "driftstream ADWIN, items",
            NUMBERS,
            0.002,
            (0.3, 0.1, 0.03, 0.01, 0.002),
            note="on ranks x and on their spread y; knows nothing of dependence",
        ),
        AdwinPanes(
            "driftstream ADWIN, panes",
            NUMBERS,
            0.002,
            (0.6, 0.3, 0.1, 0.03, 0.01),
            note="panes of 20; x and y",
        ),
        WindowedPsi(
            "driftstream PSI",
            ALL,
            0.001,
            (0.1, 0.03, 0.01, 0.003, 0.001),
            note="windows of 1,000; default alpha .001",
        ),
    ]
