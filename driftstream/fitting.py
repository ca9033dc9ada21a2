"""A reference from a data frame: what `driftstream fit` makes of a file with types."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import (
    ColumnMapping,
    InvalidReferenceError,
    OutcomeOptions,
    Reference,
    ReferenceFitter,
    Seasons,
)
from detectors.counting.category_sketch import is_identifier
from detectors.fitting import Column, suspects
from detectors.references.segments import Segment, check_segments, columns_of_segments
from driftstream.frames import Frame, columns_of, missing_column
from stream.files import ColumnInfo, Reading, parse_times
from stream.files.blocks import Blocks
from stream.files.kinds import column_info
from stream.files.table import typed_column

__all__ = ["as_reference", "fit_reference"]

_BATCH_ROWS: Final = 65_536
#: Rows without times are taken to come at such steps, as in files.
_ROW_MS: Final = 1_000
_KINDS: Final = ("numeric", "categorical")


def fit_reference(
    frame: Frame,
    *,
    model: str = "model",
    version: str = "",
    timestamp: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    actual: str | None = None,
    positive: str | None = None,
    threshold: float | None = None,
    latency: str | None = None,
    prediction_id: str | None = None,
    segments: Sequence[str | Sequence[str]] = (),
    protected: Sequence[str | Sequence[str]] = (),
    ignore: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    seasons: Seasons | None = None,
) -> Reference:
    """Fit the baseline of a model to a frame; columns that are not named are features.

    Times and columns of identifiers are no signals: they are left out, and the reference's
    `warnings` say so. A column that `kinds` names is kept.

    Parameters
    ----------
    frame : data frame (pandas, polars, Arrow) or mapping of name to array
        A row for each prediction, from when all was well: at least 300, better 10,000.
    model, version : str
        Of which model; its events carry the same name.
    timestamp : str, optional
        Column of the rows' times. An index of times is taken if it is not given; without times
        rows count as one second apart. Dependence is measured along it.
    prediction, score, actual, latency, prediction_id : str, optional
        Columns that are no features.
    positive : str, optional
        Of a model that tells two classes apart the one that it looks for.
    threshold : float, optional
        Of such a model without a `prediction`: the score from which it means that class.
    segments : sequence of str, and of sequences of two or three
        Columns by whose values the stream is watched in parts too; of several in a list by each
        combination of their values: `["region", ["sex", "age_band"]]`.
    protected : sequence of str, and of sequences of two or three
        Those of them by which outcomes should not differ: fairness. They need not be named twice.
    ignore : sequence of str
        Columns to leave out.
    kinds : mapping of name to "numeric" or "categorical", optional
        Where the values of a column do not say it: numbers that are codes.
    seasons : Seasons, optional
        Whether hours of the week are compared with themselves, and by which clock.

    Raises
    ------
    InvalidReferenceError
        If there are too few rows, or nothing that can be a signal.
    ValueError
        If a column that is named is not there, is named twice, or cannot be what is said.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> frame = {"amount": rng.lognormal(size=1000), "country": rng.choice(["DE", "FR"], 1000)}
    >>> reference = fit_reference(frame, model="fraud")
    >>> [(signal.name, signal.kind) for signal in reference.signals]
    [('amount', 'numeric'), ('country', 'categorical')]
    """
    columns = columns_of(frame)
    roles = {"label": prediction, "score": score, "actual": actual, "latency": latency}
    named = [name for name in roles.values() if name is not None]
    fair = tuple(dict.fromkeys(map(_segment, protected)))
    apart = tuple(dict.fromkeys([*map(_segment, segments), *fair]))
    check_segments(apart)
    by_value = columns_of_segments(apart)
    role_of = {name: role for role, name in roles.items() if name is not None}
    if timestamp is None and "" in columns and _info("", columns[""]).kind == "time":
        timestamp = ""
    aside = [name for name in (timestamp, prediction_id) if name is not None]
    _check_names(columns, [*aside, *named, *by_value, *ignore])
    chosen = _choose(columns, {*aside, *by_value, *ignore}, role_of, kinds or {})
    n = len(next(iter(columns.values()), ()))
    if timestamp is None:
        times = _ROW_MS * np.arange(n, dtype=np.int64)
    else:
        times = parse_times(columns[timestamp], f"column {timestamp!r}" if timestamp else "index")
    fitter = ReferenceFitter(
        chosen.kinds,
        roles=role_of,
        seasons=seasons,
        outcome=OutcomeOptions(positive, threshold, fair),
        segments=apart,
        sample=max(1, n),
        names=max(1, n),
    )
    read = {**chosen.kinds, **dict.fromkeys(by_value, "categorical")}
    values = {name: typed_column(columns[name], kind) for name, kind in read.items()}
    for batch, moments in _batches(values, times):
        fitter.survey(batch, moments)
    _look_again(fitter, chosen, values, times, timed=timestamp is not None)
    chosen.check_some()
    for batch, moments in _batches(values, times):
        fitter.count(batch, moments)
    reference = fitter.finish(
        model=model,
        version=version,
        segments=apart,
        column_mapping=ColumnMapping(
            timestamp,
            prediction_id,
            prediction,
            score,
            actual,
            tuple(dict.fromkeys([*ignore, *chosen.gone])),
            chosen.numerals,
        ),
    )
    return replace(reference, warnings=(*reference.warnings, *chosen.warnings))


@dataclass
class _Chosen:
    """Signals in the order of the frame, those that are named, and what is said of others."""

    named: frozenset[str]
    infos: dict[str, ColumnInfo] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def leave_out(self, name: str, why: str) -> None:
        self.kinds.pop(name, None)
        self.gone.append(name)
        self.warnings.append(f"{name or 'index'}: left out: {why}")

    @property
    def numerals(self) -> tuple[str, ...]:
        """Names whose texts, in a CSV, are of numbers or booleans."""
        names = (n for n, kind in self.kinds.items() if kind != "numeric")
        return tuple(sorted(name for name in names if self.infos[name].numerals))

    def check_some(self) -> None:
        if not self.kinds:
            said = "; ".join(self.warnings) or "it has no columns"
            raise InvalidReferenceError(f"frame has no column that can be a signal: {said}.")


def _segment(given: str | Sequence[str]) -> Segment:
    return given if isinstance(given, str) else tuple(given)


def _info(name: str, column: Any) -> ColumnInfo:
    return column_info(name, [column], Reading(), typed=True)


def _check_names(columns: Mapping[str, Any], named: Sequence[str]) -> None:
    for name in named:
        if name not in columns:
            raise ValueError(missing_column(name, columns, "frame"))
        if named.count(name) > 1:
            raise ValueError(f"column {name!r} is named for two purposes. Choose one.")


def _choose(
    columns: Mapping[str, Any], aside: set[str], roles: Mapping[str, str], kinds: Mapping[str, str]
) -> _Chosen:
    """The signals by their types."""
    chosen = _Chosen(frozenset((*kinds, *roles)))
    for name, kind in kinds.items():
        _check_names(columns, [name])
        if kind not in _KINDS:
            raise ValueError(f'kinds[{name!r}] must be "numeric" or "categorical"; got {kind!r}.')
        if name in aside:
            raise ValueError(f"column {name!r} is named for two purposes. Choose one.")
    for name, column in columns.items():
        if name in aside:
            continue
        info = chosen.infos[name] = _info(name, column)
        if info.kind == "none" and name in chosen.named:
            raise ValueError(f"column {name!r}: {info.note}.")
        if info.kind == "none" or not name:
            chosen.leave_out(name, info.note if name else "it has no name, as an index")
        elif info.kind == "time" and name not in chosen.named:
            chosen.leave_out(name, f"times are no signal (timestamp={name!r} makes them the rows')")
        elif name in kinds:
            if kinds[name] == "numeric" and info.typed_text:
                raise ValueError(
                    f"column {name!r} holds texts, and texts in events are of a wrong type for a "
                    "numeric signal. Convert them to numbers, in the frame and in the events."
                )
            chosen.kinds[name] = kinds[name]
        elif roles.get(name) in ("label", "actual") and info.classes:
            chosen.kinds[name] = "categorical"  # a few whole numbers name classes
        else:
            chosen.kinds[name] = "numeric" if info.kind == "numeric" else "categorical"
    chosen.check_some()
    return chosen


def _look_again(
    fitter: ReferenceFitter,
    chosen: _Chosen,
    values: Mapping[str, Column],
    times: npt.NDArray[np.int64],
    *,
    timed: bool,
) -> None:
    """Between the passes: leave out what follows the rows; doubt an order that is no time's."""
    sorted_by = []
    for name, kind in list(chosen.kinds.items()):
        why = _identifies(fitter, name, kind, times, timed=timed)
        if why and name not in chosen.named:
            fitter.drop(name)
            chosen.leave_out(name, f"{why} (kinds={{{name!r}: {kind!r}}} keeps it)")
            continue
        if why:
            chosen.warnings.append(f"{name}: {why}; it was kept as it is named")
        elif kind == "categorical":
            blocks = Blocks()
            blocks.add({name: values[name]})
            sorted_by += blocks.grouped()
        else:
            sample = fitter.sample(name)
            if suspects.is_sorted(sample):
                sorted_by.append(name)
            if (codes := chosen.infos[name].codes) and name not in chosen.named:
                chosen.warnings.append(
                    f"{name}: {codes:,} different whole numbers that may be codes. If they are "
                    f"names, kinds={{{name!r}: 'categorical'}} finds those never seen before"
                )
            if far := suspects.spikes(sample):
                chosen.warnings.append(
                    f"{name}: {', '.join(f'{v:.15g}' for v in far)} is far outside all other "
                    "values: an error code? If it stands for no value, make it NaN"
                )
    if sorted_by and not timed:
        fitter.doubt_order(
            f"rows are sorted by {', '.join(sorted_by[:3])} and have no times (see timestamp=), "
            "so their order is not that in which they came"
        )


def _identifies(
    fitter: ReferenceFitter, name: str, kind: str, times: npt.NDArray[np.int64], *, timed: bool
) -> str:
    """Why a column is one of identifiers; empty if it is not."""
    if kind == "categorical":
        names = fitter.names(name)
        once = sum(count == 1 for count in names.values())
        if is_identifier(once, sum(names.values())):
            return f"{len(names):,} different values, so an identifier"
        return ""
    sample = fitter.sample(name)
    if suspects.follows_rows(sample, times):
        whole = not (sample[sample == sample] % 1).any()
        return "it grows (or falls) from row to row: an identifier or a clock" * (timed or whole)
    if suspects.is_own_number(sample):
        return "each row has a number of its own: an identifier"
    return ""


def _batches(
    values: Mapping[str, Column], times: npt.NDArray[np.int64]
) -> Iterator[tuple[dict[str, Column], npt.NDArray[np.int64]]]:
    for start in range(0, times.size, _BATCH_ROWS):
        rows = slice(start, start + _BATCH_ROWS)
        yield {name: column[rows] for name, column in values.items()}, times[rows]


def as_reference(reference: Reference | str | os.PathLike[str]) -> Reference:
    """A reference, or what the file of one holds.

    Raises
    ------
    InvalidReferenceError
        If the file holds none.
    """
    if isinstance(reference, Reference):
        return reference
    path = Path(reference)
    return Reference.from_json(path.read_bytes(), str(path))
