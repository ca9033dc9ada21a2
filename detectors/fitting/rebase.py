"""A reference out of what production is like now: the bins of the old one, counted anew.

Raw values are never stored, so the bins stay: what came to lie beyond the old range shares one bin
there. A reference fitted on data of the new kind sees more; this one can be had at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.change_points.recounted import recounted
from detectors.errors import InvalidReferenceError
from detectors.outcomes.residual_effects import with_effects
from detectors.references.calibration import LEAST_BATCHES, calibrate
from detectors.references.protected import ProtectedOutcomes
from detectors.references.reference import Reference, SignalReference
from detectors.units import WEEK_MS

__all__ = ["LEAST_EVENTS", "rebased"]

#: As many as a reference is fitted on at least.
LEAST_EVENTS: Final = 300

Ints = npt.NDArray[np.int64]


def rebased(
    reference: Reference,
    signals: Sequence[SignalReference],
    table: Ints,
    *,
    first_ms: int,
    last_ms: int,
    protected: Sequence[ProtectedOutcomes] = (),
) -> Reference:
    """The reference with the counts, the dependence and the rate of these batches.

    Parameters
    ----------
    reference : Reference
        The old one; its signals that are not among `signals` stay as they are.
    signals : sequence of SignalReference
        Those whose bins follow each other in the table, after the number of events.
    table : int64[batches, 1 + bins + cells]
        Counts of batches in the order of time; behind the bins the cells of outcomes, if counted.
    first_ms, last_ms : int
        The time they are of.
    protected : sequence of ProtectedOutcomes
        Outcomes by value in that time; columns that are not among them stay as they are.

    Raises
    ------
    InvalidReferenceError
        If they hold fewer than 300 events, or the reference has slots.
    """
    if reference.calendar is not None:
        raise InvalidReferenceError(
            "a reference with slots cannot be made of production's counts: they are not kept by "
            "hour. Fit it anew: driftstream fit DATA --slots auto."
        )
    events = int(table[:, 0].sum())
    if events < LEAST_EVENTS:
        raise InvalidReferenceError(
            f"a reference needs at least {LEAST_EVENTS} events, better 10,000; got {events}. "
            "Go further back, or wait."
        )
    fresh = {}
    at = 1
    for signal in signals:
        part = table[:, at : at + signal.binning.n_bins]
        at += signal.binning.n_bins
        if part.any():
            rows = part[part.sum(axis=1) > 0]
            fresh[signal.name] = _signal(signal, rows, consecutive=not reference.cycle_ms)
    outcome = reference.outcome
    if outcome is not None and (cells := table[:, at : at + outcome.cells.width]).any():
        fresh_columns = {each.column: each for each in protected}
        by_value = tuple(fresh_columns.get(each.column, each) for each in outcome.protected)
        known = replace(outcome, counts=cells.sum(axis=0), protected=by_value)
        outcome = with_effects(known, cells)
    warnings = [
        f"counted from {events:,} events of production with the bins of {reference.hash[:19]}: "
        "values beyond its range share one bin"
    ]
    if len(table) < LEAST_BATCHES:
        warnings.append(
            f"{len(table)} batches are too few to measure dependence: events count as independent"
        )
    if reference.parts:
        warnings.append(
            "parts of the stream are compared with the whole of it: production is not counted anew "
            "by the values of segments; a reference that is fitted on rows has their counts"
        )
    if reference.joint is not None:
        warnings.append(
            "which input explains a move of the prediction is not known from it: production counts "
            "no pairs of signals; a reference that is fitted on rows tells"
        )
    return replace(
        reference,
        signals=tuple(fresh.get(signal.name, signal) for signal in reference.signals),
        events=events,
        ordered=True,
        first_ms=first_ms,
        last_ms=last_ms,
        events_per_week=events * WEEK_MS // max(1, last_ms - first_ms),
        warnings=tuple(warnings),
        outcome=outcome,
        joint=None,
        parts=(),
    )


def _signal(signal: SignalReference, rows: Ints, *, consecutive: bool) -> SignalReference:
    counts = rows.sum(axis=0)
    # How many new values chance brings was learned from raw values: as many a row as before.
    novel = round(signal.calibration.novel * int(counts.sum()) / max(1, signal.events))
    news = np.zeros(len(rows), np.int64)
    measured = calibrate(signal.binning, counts, novel, rows, news, consecutive=consecutive)
    return recounted(signal, counts, measured)
