"""Fitting a reference to the columns of a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.binning import CategoricalBinning, NumericBinning, category_text
from detectors.calibration import (
    GOOD_BATCHES,
    LEAST_BATCHES,
    batch_of_cycle,
    batch_of_rows,
    calibrate,
    novel_extremes,
    novel_keys,
)
from detectors.reference import ROLES, ColumnMapping, Reference, ReferenceError, SignalReference

__all__ = ["LEAST_ROWS", "fit_reference", "infer_kind"]

#: Fewer rows make thresholds that nothing passes.
LEAST_ROWS: Final = 300
#: A column with at least this share of numbers among its values is numeric.
NUMERIC_SHARE: Final = 0.9
WEEK_MS: Final = 604_800_000
_QUANTILES: Final = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}

Column = npt.NDArray[Any] | Sequence[Any]


def infer_kind(column: Column) -> str:
    """Return "numeric" or "categorical": numbers are numeric, booleans and texts are not."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        return "numeric"
    if isinstance(column, np.ndarray) and column.dtype.kind in "bUS":
        return "categorical"
    values = column.tolist() if isinstance(column, np.ndarray) else column
    kinds = Counter(map(type, values))
    numbers = sum(n for kind, n in kinds.items() if _is_number(kind))
    others = sum(n for kind, n in kinds.items() if kind is not type(None) and not _is_number(kind))
    return "numeric" if numbers >= NUMERIC_SHARE * (numbers + others) else "categorical"


def _is_number(kind: type) -> bool:
    return issubclass(kind, int | float | np.integer | np.floating) and kind is not bool


def _numbers(column: Column) -> npt.NDArray[np.float64]:
    """Values as decoders give them: NaN is missing or infinite, -inf of a wrong type."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
        values = column.astype(np.float64)
    else:
        items = column.tolist() if isinstance(column, np.ndarray) else column
        values = np.array([_number(v) for v in items], np.float64)
        wrong = np.array([v is not None and not isinstance(v, int | float | np.number)
                          for v in items], bool)  # fmt: skip
        values[~np.isfinite(values)] = np.nan
        values[wrong] = -np.inf
        return values
    values[~np.isfinite(values)] = np.nan
    return values


def _number(value: Any) -> float:
    if isinstance(value, int | float | np.number):
        try:
            return float(value)
        except OverflowError:
            return math.nan
    return math.nan


def _texts(column: Column) -> list[str | None]:
    items = column.tolist() if isinstance(column, np.ndarray) else column
    if set(map(type, items)) <= {str, type(None)}:
        return list(items)
    return [category_text(v) for v in items]


@dataclass(frozen=True)
class _Order:
    """Rows in the order of time, and the batch of each; None where there is no order."""

    rows: npt.NDArray[np.int64]
    batch: npt.NDArray[np.int64] | None = None

    @property
    def group(self) -> npt.NDArray[np.int64]:
        """What rows are alike in by chance: their batch, or nothing but themselves."""
        return np.arange(self.rows.size) if self.batch is None else self.batch


def fit_reference(
    columns: Mapping[str, Column],
    *,
    model: str,
    version: str = "",
    roles: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    times_ms: npt.NDArray[np.int64] | None = None,
    cycle_ms: int = 0,
    segments: Sequence[str] = (),
    column_mapping: ColumnMapping | None = None,
) -> Reference:
    """Fit the baseline of a model.

    Parameters
    ----------
    columns : mapping of name to array or list, all of one length
        One signal each. None, NaN and infinities are missing; a text in a numeric column is of a
        wrong type; booleans, integers and floats in a categorical one are names.
    roles : mapping, optional
        Signals that are not features: score, label, actual or latency.
    kinds : mapping, optional
        "numeric" or "categorical" where `infer_kind` would guess wrong.
    times_ms : int64[n], optional
        Event times. Without them rows count as independent, which real streams rarely are.
    cycle_ms : int
        Length of the season; batches are then sevenths of it.
    model, version, segments, column_mapping
        Kept in the reference as they are.

    Raises
    ------
    ReferenceError
        If there are fewer than 300 rows, columns of different lengths, or an unknown role or kind.
    """
    roles = roles or {}
    kinds = kinds or {}
    n = _check(columns, roles, kinds, times_ms, cycle_ms)
    warnings: list[str] = []
    order = _order(times_ms, cycle_ms, n, warnings)
    signals = []
    for name, column in columns.items():
        kind = kinds.get(name) or infer_kind(column)
        fit = _fit_numeric if kind == "numeric" else _fit_categorical
        signals.append(
            fit(name, roles.get(name, "feature"), column, order, 1.0 / len(columns), warnings)
        )
    first_ms = int(times_ms.min()) if times_ms is not None else 0
    last_ms = int(times_ms.max()) if times_ms is not None else 0
    span_ms = (last_ms - first_ms) * n // (n - 1)
    return Reference(
        model=model,
        version=version,
        signals=tuple(signals),
        events=n,
        segments=tuple(segments),
        columns=column_mapping or ColumnMapping(),
        cycle_ms=cycle_ms,
        ordered=order.batch is not None,
        first_ms=first_ms,
        last_ms=last_ms,
        events_per_week=n * WEEK_MS // span_ms if span_ms else 0,
        warnings=tuple(warnings),
    )


def _check(
    columns: Mapping[str, Column], roles: Mapping[str, str], kinds: Mapping[str, str],
    times_ms: npt.NDArray[np.int64] | None, cycle_ms: int,
) -> int:  # fmt: skip
    if not columns:
        raise ReferenceError("columns must have at least one signal; got none.")
    lengths = {name: len(column) for name, column in columns.items()}
    if times_ms is not None:
        lengths["times_ms"] = len(times_ms)
    n = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != n:
            raise ReferenceError(
                f"columns must be of one length; got {n} rows, but {length} in {name!r}."
            )
    if n < LEAST_ROWS:
        raise ReferenceError(
            f"a reference needs at least {LEAST_ROWS} rows, better 10,000; got {n}. "
            "Fit it on a longer stretch of data."
        )
    for name, role in roles.items():
        if name not in columns or role not in ROLES:
            raise ReferenceError(
                f"roles[{name!r}] must be a role ({', '.join(ROLES)}) of a column "
                f"({', '.join(list(columns)[:20])}); got {role!r}."
            )
    for name, kind in kinds.items():
        if kind not in ("numeric", "categorical"):
            raise ReferenceError(f"kinds[{name!r}] must be numeric or categorical; got {kind!r}.")
    if cycle_ms < 0 or (cycle_ms and times_ms is None):
        raise ReferenceError(
            f"cycle_ms must be > 0 and needs times_ms; got {cycle_ms}. Name the timestamp column."
        )
    return n


def _order(
    times_ms: npt.NDArray[np.int64] | None, cycle_ms: int, n: int, warnings: list[str]
) -> _Order:
    """Batches of the rows, or why there are none."""
    if times_ms is None or times_ms.min() == times_ms.max():
        warnings.append(
            "rows have no times: events count as independent, so a stream that depends on its past "
            "will raise more false alarms than the budget says"
        )
        return _Order(np.arange(n))
    rows = np.arange(n)
    if (np.diff(times_ms) < 0).any():
        rows = np.argsort(times_ms, kind="stable")
        warnings.append("rows were not in the order of time: sorted")
    batch = batch_of_rows(n)
    unit = "batches of rows"
    if cycle_ms:
        by_time = batch_of_cycle(times_ms[rows], cycle_ms)
        if by_time[-1] + 1 >= LEAST_BATCHES:
            batch, unit = by_time, "sevenths of a cycle"
        else:
            warnings.append(
                f"rows span only {by_time[-1] + 1} sevenths of a cycle, {LEAST_BATCHES} are "
                "needed: how much one cycle differs from the next was not measured"
            )
    batches = int(batch[-1]) + 1
    if batches < LEAST_BATCHES:
        warnings.append(f"{batches} {unit} are too few to measure dependence: taken as none")
        return _Order(rows)
    if batches < (28 if unit != "batches of rows" else GOOD_BATCHES):
        warnings.append(
            f"dependence was measured from {batches} {unit} only: thresholds have a wide margin"
        )
    return _Order(rows, batch)


def _fit_numeric(
    name: str, role: str, column: Column, order: _Order, importance: float, warnings: list[str]
) -> SignalReference:
    values = _numbers(column)
    finite = values[np.isfinite(values)]
    binning = NumericBinning.fit(values)
    bins = binning.bin(values)
    counts = np.bincount(bins, minlength=binning.n_bins).astype(np.int64)
    if (counts[1 : binning.above] == 0).any():  # atoms: what falls between them is new
        keys = np.where(bins < binning.missing, bins, -1)
        is_novel = novel_keys(keys[order.rows], order.group)
    else:
        is_novel = novel_extremes(values[order.rows], order.group)
    if not finite.size:
        warnings.append(f"{name}: has no number; only its missing values are watched")
    elif finite.min() == finite.max():
        warnings.append(f"{name}: is constant")
    if counts[binning.invalid]:
        warnings.append(f"{name}: {counts[binning.invalid]} values are not numbers")
    quantiles = {}
    if finite.size:
        levels = np.quantile(finite, list(_QUANTILES.values()), method="inverted_cdf")
        quantiles = dict(zip(_QUANTILES, levels.tolist(), strict=True))
    mean, std = _moments(finite)
    return SignalReference(
        name, role, binning, counts,
        calibrate(binning, counts, bins[order.rows], is_novel, order.batch),
        mean, std, quantiles, importance,
    )  # fmt: skip


def _moments(finite: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Mean and standard deviation, scaled so that huge values do not overflow."""
    if not finite.size:
        return None, None
    scale = float(np.abs(finite).max()) or 1.0
    scaled = finite / scale
    mean, std = float(scaled.mean()) * scale, float(scaled.std()) * scale
    return mean, std


def _fit_categorical(
    name: str, role: str, column: Column, order: _Order, importance: float, warnings: list[str]
) -> SignalReference:
    texts = _texts(column)
    binning = CategoricalBinning.fit(texts)
    code, missing, unseen = binning.code, binning.missing, binning.unseen
    bins = np.array([missing if t is None else code.get(t, unseen) for t in texts], np.int64)
    counts = np.bincount(bins, minlength=binning.n_bins).astype(np.int64)
    number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    keys = np.array([-1 if t is None else number[t] for t in texts], np.int64)
    is_novel = novel_keys(keys[order.rows], order.group)
    if counts[unseen]:
        warnings.append(
            f"{name}: has too many names; those beyond the 10,062 most frequent count as unseen "
            f"({counts[unseen] / len(texts):.1%} of the rows). Is the column an identifier?"
        )
    return SignalReference(
        name, role, binning, counts,
        calibrate(binning, counts, bins[order.rows], is_novel, order.batch),
        importance=importance,
    )  # fmt: skip
