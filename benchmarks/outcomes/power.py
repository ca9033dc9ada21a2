"""How soon changes are found, and what is not one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.gates.measured import Measured, median_of, share_of
from benchmarks.outcomes.streams import BINS, CELLS, LAWS, Sea, in_cells
from detectors import EDetectorBank, EvidenceBank, Layout, ShareGrowth, ShareTable, fit_reference
from detectors.outcomes.limits import LimitEvidence, limit_of_share
from detectors.outcomes.relation import Relation
from detectors.outcomes.relation_evidence import RelationEvidence

__all__ = ["errors", "sea", "swapped"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PANE = 10
WINDOW = 500
ALPHA = 1e-6
THRESHOLD = 1e5


def _first(alarms: Iterable[bool], events: int) -> float:
    """Events to the first alarm, infinite without one."""
    for at, alarm in enumerate(alarms, 1):
        if alarm:
            return float(at * events)
    return math.inf


def _detectors(reference: Ints) -> dict[str, Callable[[Ints], float]]:
    """By name, the events that each takes to alarm on panes of 10."""
    relation = Relation(CELLS, reference)

    def by_windows(panes: Ints) -> float:
        whole = len(panes) * PANE // WINDOW
        windows = panes[: whole * WINDOW // PANE].reshape(whole, WINDOW // PANE, -1).sum(axis=1)
        results = (relation.test(window, ALPHA) for window in windows)
        return _first((result is not None and result.found for result in results), WINDOW)

    def by_evidence(panes: Ints) -> float:
        ours = RelationEvidence(CELLS, reference, threshold=THRESHOLD, z=3.0)
        return _first((ours.update(pane) for pane in panes), PANE)

    return {"chi2 of 500 events": by_windows, "e-detector": by_evidence}


def _relation_of(scores: Floats, came: Ints, rows: int) -> tuple[Ints, Ints]:
    """Cells of the first rows, and of each pane behind them, over bins of those rows."""
    edges = np.quantile(scores[:rows], np.arange(1, BINS) / BINS)
    bins = np.searchsorted(edges, scores, side="right")
    (reference,) = in_cells(bins[:rows], came[:rows], rows)
    return reference, in_cells(bins[rows:], came[rows:], PANE)


def sea(streams: int = 40, noise: float = 0.1, rows: int = 4_000) -> list[Measured]:
    """A fixed logistic model; after each change a new reference from the first events after it."""
    by = ("chi2 of 500 events", "e-detector", "either", "errors alone")
    delays = np.full((4, 3, streams), math.inf)
    quiet = np.full((4, 4, streams), math.inf)
    for seed in range(streams):
        stream = Sea(seed, noise)
        wrong = (stream.score >= 0.5) != (stream.came == 1)
        for concept in range(4):
            start = concept * Sea.LONG + (Sea.TRAINED if concept == 0 else 0)
            change = (concept + 1) * Sea.LONG
            reference, panes = _relation_of(stream.score[start:], stream.came[start:], rows)
            errors_ = wrong[start : start + rows].sum()
            limit = limit_of_share(int(errors_), rows, 3.0, upper=True)
            bad = wrong[start + rows :].reshape(-1, PANE).sum(axis=1)
            split = (change - start - rows) // PANE
            for out, part in (
                (quiet[:, concept], slice(0, split)),
                (delays[:, concept] if concept < 3 else None, slice(split, split + 1_000)),
            ):
                if out is None:
                    continue
                found = [first(panes[part]) for first in _detectors(reference).values()]
                alone = _beyond(limit, bad[part].tolist(), THRESHOLD)
                out[:, seed] = *found, min(found), alone
    of = f"{streams} streams, noise {noise:g}, references of {rows:,} events"
    out_rows: list[Measured] = []
    for change in range(3):
        at = (change + 1) * Sea.LONG
        for name, values in zip(by, delays[:, change], strict=True):
            out_rows.append(
                Measured(
                    f"SEA, change at {at:,}, {name}: events to the alarm, median",
                    *median_of(values),
                    most=1_000.0 if name == "either" else None,
                    note=of,
                )
            )
        within = (delays[2, change] <= 1_000.0).astype(np.int64)
        out_rows.append(
            Measured(
                f"SEA, change at {at:,}, either: found within 1,000 events",
                *share_of(within, 1),
                least=0.95,
                note=of,
            )
        )
    for name, values in zip(by, quiet, strict=True):
        out_rows.append(
            Measured(
                f"SEA, {name}: stretches of one concept with an alarm",
                *share_of(np.isfinite(values).astype(np.int64).ravel(), 1),
                most=0.0 if name == "either" else None,
                note=f"{values.size} of 4,500 or 8,500 events; {of}",
            )
        )
    return out_rows


def swapped(trials: int = 200, seed: int = 5) -> list[Measured]:
    """Labels swapped, or shuffled, in one window; shares of windows in which it is found."""
    rows = []
    for name, n in (("even", 500), ("at 0 and 1", 500), ("2.4 % come", 2_000)):
        law, rng = LAWS[name], np.random.default_rng(seed)
        base = float(law.bins @ law.share)
        for what, share in (
            ("shuffled", np.full(BINS, base)),
            ("swapped", 1.0 - law.share),
        ):
            found = np.zeros(trials, np.int64)
            delay = np.zeros(trials)
            for t in range(trials):
                reference = law.cells(rng, 10_000)
                result = Relation(CELLS, reference).test(law.cells(rng, n, share), ALPHA)
                found[t] = result is not None and result.found
                ours = RelationEvidence(CELLS, reference, threshold=THRESHOLD)
                panes = (law.cells(rng, PANE, share) for _ in range(1_000))
                delay[t] = _first((ours.update(pane) for pane in panes), PANE)
            rows += [
                Measured(
                    f"labels {what}, scores {name}: found in a window of {n:,}",
                    *share_of(found, 1),
                    least=0.99,
                    note=f"level 1e-6, references of 10,000 rows, {trials} trials",
                ),
                Measured(
                    f"labels {what}, scores {name}: events to the e-detector's alarm, median",
                    *median_of(delay),
                    most=float(n),
                    note="A = 1e5, z = 4, panes of 10",
                ),
            ]
    return rows


class _Share:
    """The e-detector of the share that is wrong, as any signal of two names has it."""

    def __init__(self, wrong: npt.NDArray[np.bool_], z: float) -> None:
        names = np.array(["right", "wrong"], object)[wrong.astype(int)]
        self._signals = fit_reference({"error": names}, model="m").signals
        self._layout = Layout({s.name: s.binning for s in self._signals})
        self._z = z
        table = ShareTable(self._signals, self._layout)
        self._growth = ShareGrowth(table, z, self._signals, self._layout)
        binning: Any = self._signals[0].binning
        self._wrong = int(self._layout.start[0]) + binning.bins_of_names["wrong"]
        self._right = int(self._layout.start[0]) + binning.bins_of_names["right"]

    def first(self, panes: Sequence[int], threshold: float) -> float:
        """Events to the alarm."""
        ranks = EDetectorBank(self._signals, self._layout, threshold=threshold, z=self._z)
        bank = EvidenceBank(ranks, self._growth)
        counts = np.zeros(self._layout.width, np.int64)
        counts[0] = PANE

        def alarms() -> Iterable[bool]:
            for bad in panes:
                counts[self._wrong], counts[self._right] = bad, PANE - bad
                yield bool(bank.update(counts)[0])

        return _first(alarms(), PANE)


def _beyond(limit: float, panes: Sequence[int], threshold: float) -> float:
    """Events until so many bad ones a pane are beyond a limit."""
    ours = LimitEvidence(limit, "at_most", threshold=threshold)
    return _first((ours.update(PANE, bad) for bad in panes), PANE)


def errors(streams: int = 100, events: int = 60_000, rows: int = 10_000) -> list[Measured]:
    """Errors of .1 that become .2: as a share of right and wrong, and as a limit."""
    rng = np.random.default_rng(6)
    z, threshold = 3.0, 1e4
    found = np.zeros((2, streams))
    false = np.zeros((2, streams), np.int64)
    for s in range(streams):
        known = rng.random(rows) < 0.1
        share, limit = _Share(known, z), limit_of_share(int(known.sum()), rows, z, upper=True)
        for wrong, length in ((0.1, events), (0.2, 10_000)):
            panes = rng.binomial(PANE, wrong, length // PANE).tolist()
            both = share.first(panes, threshold), _beyond(limit, panes, threshold)
            if wrong > 0.1:
                found[:, s] = both
            else:
                false[:, s] = np.isfinite(both)
    out = []
    of = f"A = 1e4, z = 3, panes of {PANE}, {streams} streams, references of {rows:,} rows"
    for name, delays, alarms in zip(
        ("e-detector of the share", "limit from the reference"), found, false, strict=True
    ):
        out += [
            Measured(
                f"errors .1 to .2, {name}: events to the alarm, median",
                *median_of(delays),
                most=260.0 if name.startswith("limit") else None,
                note=of,
            ),
            Measured(
                f"errors .1, {name}: streams of {events:,} events with an alarm",
                *share_of(alarms, 1),
                most=0.05,
                note=of,
            ),
        ]
    return out
