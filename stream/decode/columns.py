"""A batch of events as arrays: what decoding gives and counting takes.

Conventions for one value, so that no second mask array is needed:

============ =============================== =======================
 value        numeric column (float64)        categorical (bin index)
============ =============================== =======================
 missing      NaN                             the binning's `missing`
 wrong type   -inf (`INVALID`)                the binning's `invalid`
 not sent     +inf (`ABSENT`): its group was  -1 (`ABSENT_CODE`)
              not in the event; never counted
============ =============================== =======================

A real infinity is a missing value (docs/events.md), so decoders map it to NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stream.plans.plan import AnyPlan

__all__ = [
    "ABSENT",
    "ABSENT_CODE",
    "INVALID",
    "REASONS",
    "Ahead",
    "Columns",
    "Decoded",
    "Labels",
    "Reject",
]

INVALID: Final = float("-inf")
ABSENT: Final = float("inf")
ABSENT_CODE: Final = -1
#: Why an event can be refused. A label of a metric, so the list is closed.
REASONS: Final = (
    "undecodable",
    "too_large",
    "missing_field",
    "unknown_model",
    "bad_timestamp",
    "before_1970",
    "too_far_ahead",
    "ragged_batch",
    "empty",
    "wrong_type",
    "batch_too_large",
    "batch_undecodable",
    "batch_skipped",
)


class Ahead(NamedTuple):
    """Events that are refused for being too far ahead: whose clock leads, and by how much."""

    model: str
    version: str
    plan: AnyPlan
    events: int
    lead_ms: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is refused as a whole; `error` carries no raw value."""

    index: int
    reason: str
    error: str
    ahead: Ahead | None = None


@dataclass(slots=True)
class Columns:
    """The events of one model under one plan, out of one batch.

    Attributes
    ----------
    versions : str or list of str
        The version of all rows, or that of each.
    rows : int64[n]
        Row numbers in the batch, increasing: where `Decoded.time_ms` has their times.
    numeric : float64[n, Sn], codes : int32[n, Sc]
        Values in the order of `plan.layout.numeric` and `plan.layout.categorical`.
    segments : list of n values for each of `plan.segment_columns`
        None where the event does not name that segment. Under a `LearningPlan` there are no
        numeric and categorical columns, and one list more has the `SchemalessValues` of each event.
    ids : int64[n] or None
        Hashes of the ids that the events were sent with, as in `stream.decode.ids`: 64 bits.
    predicted_ms : float64[n] or None
        Of an event that brings a truth and repeats its prediction: when that was made. NaN of
        events that are predictions themselves, None where all are.
    """

    model: str
    versions: str | list[str]
    plan: AnyPlan
    rows: npt.NDArray[np.int64]
    numeric: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int32]
    segments: list[list[Any]]
    ids: npt.NDArray[np.int64] | None = None
    predicted_ms: npt.NDArray[np.float64] | None = None

    @property
    def truths(self) -> npt.NDArray[np.bool_] | None:
        """Which events repeat a prediction; None where none does."""
        return None if self.predicted_ms is None else ~np.isnan(self.predicted_ms)

    def take(self, at: npt.NDArray[np.intp], versions: str) -> Columns:
        """Some of the rows, which are counted as of one version."""
        places = at.tolist()
        segments = [[column[i] for i in places] for column in self.segments]
        ids = None if self.ids is None else self.ids[at]
        predicted_ms = None if self.predicted_ms is None else self.predicted_ms[at]
        return Columns(
            self.model,
            versions,
            self.plan,
            self.rows[at],
            self.numeric[at],
            self.codes[at],
            segments,
            ids,
            predicted_ms,
        )


@dataclass(slots=True)
class Labels:
    """Events of one model with an actual alone: labels of predictions that other events bring.

    Attributes
    ----------
    time_ms, record : int64[n]
        Of each, and which record it is of.
    numeric, codes, ids
        As in `Columns`.
    """

    plan: AnyPlan
    time_ms: npt.NDArray[np.int64]
    record: npt.NDArray[np.int64]
    numeric: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int32]
    ids: npt.NDArray[np.int64] | None


@dataclass(slots=True)
class Decoded:
    """What a run of records decodes to. One row is one event, in log order.

    `actuals` counts the events with an actual alone, which are no rows; `labels` has them where
    the decoder was made to give them.
    """

    time_ms: npt.NDArray[np.int64]
    record: npt.NDArray[np.int64]
    groups: list[Columns] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    actuals: int = 0
    labels: list[Labels] = field(default_factory=list)
    values_invalid: int = 0
    unknown_fields: int = 0
