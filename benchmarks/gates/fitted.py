"""A subject fitted to the first rows of a stream and run over the others, as `fit` proposes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.gates.subject import SubjectRun
from detectors import Layout, Reference, Seasons, accumulate, fit_reference
from stream.plans.plan import Plan
from stream.plans.proposal import propose

__all__ = ["positions", "run_fitted"]

#: Counts of so many panes are held at once.
_PANES = 500


def run_fitted(
    columns: Mapping[str, npt.NDArray[np.generic]],
    times: npt.NDArray[np.int64],
    rows: int,
    seasons: Seasons | None = None,
    **settings: Any,
) -> tuple[Reference, SubjectRun, int]:
    """Fit to the first rows, run over the others: the reference, the run, when these begin.

    `times` are event times in milliseconds, in order; `seasons` are the reference's, `settings` are
    more of the plan's.
    """
    kinds = {k: "categorical" if v.dtype.kind == "U" else "numeric" for k, v in columns.items()}
    first = {name: column[:rows] for name, column in columns.items()}
    reference = fit_reference(
        first, model="null", times_ms=times[:rows], kinds=kinds, seasons=seasons
    )
    pane_ms, max_age_ms = propose(reference)
    sizes = {"pane_ms": pane_ms, "window_max_age_ms": max_age_ms}
    run = SubjectRun(Plan(model="null", reference=reference, **(sizes | settings)))
    layout = run.plan.layout
    panes, firsts = np.unique(times[rows:] // run.plan.pane_ms, return_index=True)
    ends = np.append(firsts, times.size - rows) + rows
    for low in range(0, panes.size, _PANES):
        high = min(low + _PANES, panes.size)
        part = slice(ends[low], ends[high])
        slots = np.repeat(np.arange(high - low), np.diff(ends[low : high + 1]))
        counts = np.zeros((high - low, layout.width), np.int64)
        held = {name: column[part] for name, column in columns.items()}
        accumulate(positions(layout, held), slots.astype(np.int32), counts)
        for pane, row in zip(panes[low:high].tolist(), counts, strict=True):
            run.feed(pane * run.plan.pane_ms, row)
    run.end((int(panes[-1]) + 1) * run.plan.pane_ms)
    return reference, run, int(times[rows])


def positions(
    layout: Layout, columns: Mapping[str, npt.NDArray[np.generic]]
) -> npt.NDArray[np.int64]:
    """Where each event's values are counted, of columns by name."""
    n = len(next(iter(columns.values())))
    numeric = np.empty((n, layout.numeric.size))
    codes = np.empty((n, layout.categorical.size), np.int32)
    for column, i in enumerate(layout.numeric):
        numeric[:, column] = columns[layout.names[i]]
    for column, i in enumerate(layout.categorical):
        binning = layout.binnings[i]
        names, inverse = np.unique(columns[layout.names[i]], return_inverse=True)
        known = [binning.bin(str(name)) for name in names]  # type: ignore[union-attr,arg-type]
        codes[:, column] = np.array(known, np.int32)[inverse]
    return layout.positions(numeric, codes)
