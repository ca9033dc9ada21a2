"""Fitting a reference to the columns of a table in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidReferenceError
from detectors.fitting import LEAST_ROWS, Column, ReferenceFitter, infer_kind
from detectors.fitting.outcome_kinds import OutcomeOptions
from detectors.fitting.seasonal import Seasons
from detectors.references.reference import ColumnMapping, Reference
from detectors.references.segments import Segment, columns_of_segments

__all__ = ["LEAST_ROWS", "fit_reference", "infer_kind"]

#: Rows handled at a time: they stay in the processor's cache from one step to the next.
_BATCH_ROWS: Final = 65_536


def fit_reference(
    columns: Mapping[str, Column],
    *,
    model: str,
    version: str = "",
    roles: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    times_ms: npt.NDArray[np.int64] | None = None,
    cycle_ms: int = 0,
    seasons: Seasons | None = None,
    outcome: OutcomeOptions | None = None,
    segments: Sequence[Segment] = (),
    column_mapping: ColumnMapping | None = None,
) -> Reference:
    """Fit the baseline of a model, exactly; `ReferenceFitter` does so in bounded memory.

    Parameters
    ----------
    columns : mapping of name to array or list, all of one length
        One signal each, but for those that are protected. None, NaN and infinities are missing; a
        text in a numeric column is of a wrong type; booleans, integers and floats in a categorical
        one are names.
    roles : mapping, optional
        Signals that are not features: score, label, actual or latency.
    kinds : mapping, optional
        "numeric" or "categorical" where `infer_kind` would guess wrong.
    times_ms : int64[n], optional
        Event times. Without them rows count as independent, which real streams rarely are.
    cycle_ms : int
        Length of the season; batches are then sevenths of it.
    seasons : Seasons, optional
        Whether slots of the week are used, by which clock.
    outcome : OutcomeOptions, optional
        Of a binary model its positive class and from which score on it says so; protected columns.
    segments : sequence of str or tuple of str
        Kept in the reference, with counts by the values of those whose columns are among `columns`.
    model, version, column_mapping
        Kept in the reference as they are.

    Raises
    ------
    InvalidReferenceError
        If there are fewer than 300 rows, columns of different lengths, or an unknown role or kind.
    """
    kinds = kinds or {}
    n = len(next(iter(columns.values()), ()))
    for name in kinds:
        if name not in columns:
            raise InvalidReferenceError(
                f"kinds[{name!r}] must be of a column; got {', '.join(list(columns)[:20])}."
            )
    if cycle_ms and times_ms is None:
        raise InvalidReferenceError(
            f"cycle_ms must be > 0 and needs times_ms; got {cycle_ms}. Name the timestamp column."
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if times_ms is not None:
        lengths["times_ms"] = len(times_ms)
    for name, length in lengths.items():
        if length != n:
            raise InvalidReferenceError(
                f"columns must be of one length; got {n} rows, but {length} in {name!r}."
            )
    protected = () if outcome is None else columns_of_segments(outcome.protected)
    signals = {name: column for name, column in columns.items() if name not in protected}
    fitter = ReferenceFitter(
        {name: kinds.get(name) or infer_kind(column) for name, column in signals.items()},
        roles=roles,
        cycle_ms=cycle_ms,
        seasons=seasons,
        outcome=outcome,
        segments=[s for s in segments if set(columns_of_segments([s])) <= columns.keys()],
        sample=max(1, n),
        names=max(1, n),
    )
    passes = (fitter.survey, fitter.count) if n >= LEAST_ROWS else (fitter.survey,)
    for take in passes:
        for start in range(0, n, _BATCH_ROWS):
            rows = slice(start, start + _BATCH_ROWS)
            take(
                {name: column[rows] for name, column in columns.items()},
                None if times_ms is None else times_ms[rows],
            )
    return fitter.finish(
        model=model, version=version, segments=segments, column_mapping=column_mapping
    )
