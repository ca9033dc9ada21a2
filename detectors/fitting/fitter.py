"""A reference of rows that need not fit in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidReferenceError
from detectors.fitting.bulk import Bulk
from detectors.fitting.categorical import CategoricalFit
from detectors.fitting.checks import check_signals, same_values
from detectors.fitting.copies import CopySurvey
from detectors.fitting.joint import JointFit
from detectors.fitting.long_memory import warnings_of_long
from detectors.fitting.numeric import NumericFit
from detectors.fitting.order import Batches, TimeSurvey
from detectors.fitting.outcome_kinds import OutcomeOptions
from detectors.fitting.outcome_questions import questions_about
from detectors.fitting.outcomes import OutcomeFit
from detectors.fitting.pace import Pace
from detectors.fitting.parts import PartsFit, most_parts
from detectors.fitting.sampling import RowSample
from detectors.fitting.seasonal import SeasonFit, Seasons
from detectors.fitting.seasons.fitting import Seasonal
from detectors.fitting.segment_values import SegmentValues
from detectors.fitting.training_rows import warnings_of_training
from detectors.fitting.values import Column
from detectors.fitting.worth import warnings_of_slow
from detectors.references.joint import JointTables
from detectors.references.reference import ColumnMapping, Reference, SignalReference
from detectors.references.segments import Segment, columns_of_segments, segment_name

__all__ = ["LEAST_ROWS", "ReferenceFitter"]

#: Fewer rows make thresholds that nothing passes.
LEAST_ROWS: Final = 300
_SAMPLE_ROWS: Final = 1_000_000
_MOST_NAMES: Final = 100_000


class ReferenceFitter:
    """Fits a reference in two passes over batches of rows.

    Memory is bounded by `sample` values for each numeric signal and `2 * names` names for each
    categorical one. Up to that many rows and names the reference is exact. Beyond, numeric edges
    and quantiles are those of a uniform sample and the known names are those of a table of
    frequent ones; counts, range, mean and calibration are always of all rows.

    Parameters
    ----------
    kinds : mapping of name to "numeric" or "categorical"
        The signals, in order.
    roles : mapping, optional
        Signals that are not features: score, label, actual or latency.
    cycle_ms : int
        Length of the season; batches are then sevenths of it. Needs times.
    seasons : Seasons, optional
        Whether slots of the week are looked for and used, by which clock.
    outcome : OutcomeOptions, optional
        What is known of outcomes, where there are a truth and a prediction or a score.
    segments : sequence of str or tuple of str
        Columns, and combinations of them, whose values are counted by themselves, beside those that
        are protected. They are with every batch, and need not be signals.
    sample, names : int
        Bounds of memory.
    seed : int
        Of the sample.

    Raises
    ------
    InvalidReferenceError
        If a role or kind is unknown, or `cycle_ms` is negative.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(4, 250))
    >>> fitter = ReferenceFitter({"x": "numeric"})
    >>> for batch in rows:
    ...     fitter.survey({"x": batch})
    >>> for batch in rows:
    ...     fitter.count({"x": batch})
    >>> fitter.finish(model="m").events
    1000
    """

    def __init__(
        self,
        kinds: Mapping[str, str],
        *,
        roles: Mapping[str, str] | None = None,
        cycle_ms: int = 0,
        seasons: Seasons | None = None,
        outcome: OutcomeOptions | None = None,
        segments: Sequence[Segment] = (),
        sample: int = _SAMPLE_ROWS,
        names: int = _MOST_NAMES,
        seed: int = 0,
    ) -> None:
        self._roles = dict(roles or {})
        check_signals(kinds, self._roles, cycle_ms)
        self._sample = RowSample(sample, seed)
        self._times = TimeSurvey(cycle_ms, self._sample)
        self._season = SeasonFit(seasons or Seasons("off"))
        #: Slots that were found, used or not, after `finish`.
        self.seasonal: Seasonal | None = None
        self._signals: dict[str, NumericFit | CategoricalFit] = {
            name: NumericFit(self._sample) if kind == "numeric" else CategoricalFit(names)
            for name, kind in kinds.items()
        }
        options = outcome or OutcomeOptions()
        self._outcome = OutcomeFit.of(kinds, self._roles, options, self._sample)
        self._protected = options.protected
        by_value = dict.fromkeys([*segments, *self._protected])
        self._values = {segment: SegmentValues(segment) for segment in by_value}
        self._parts: list[PartsFit] = []
        self._joint: JointFit | None = None
        self._warnings: list[str] = []
        self._batches: Batches | None = None
        self._counted = 0
        self._timed: bool | None = None
        self._bulk: Bulk | None = None
        self._copies = CopySurvey()

    @property
    def rows(self) -> int:
        """Rows of the first pass so far."""
        return self._sample.rows

    def survey(
        self, columns: Mapping[str, Column], times_ms: npt.NDArray[np.int64] | None = None
    ) -> None:
        """First pass: a batch of rows, with their times if they have any.

        Raises
        ------
        InvalidReferenceError
            If columns are missing or of several lengths, or times are with some batches only.
        """
        n = self._rows_of(columns, times_ms)
        slots, sources = self._sample.place(n)
        if times_ms is not None:
            self._times.add(times_ms, slots, sources)
            self._season.add(times_ms)
        for name, signal in self._signals.items():
            signal.survey(columns[name], slots, sources)
        if self._outcome is not None:
            self._outcome.survey(columns, slots, sources)
        for segment in self._values.values():
            segment.survey(columns)

    def distinct(self, name: str) -> int:
        """Different names of a categorical signal after the first pass.

        Raises
        ------
        InvalidReferenceError
            If the signal is numeric.
        """
        signal = self._signals[name]
        if not isinstance(signal, CategoricalFit):
            raise InvalidReferenceError(f"{name!r} must be categorical; got a numeric signal.")
        return signal.tally.distinct

    def sample(self, name: str) -> npt.NDArray[np.float64]:
        """Sampled values of a numeric signal, until `count` is called; NaN is missing.

        Raises
        ------
        InvalidReferenceError
            If the signal is categorical.
        """
        signal = self._signals[name]
        if not isinstance(signal, NumericFit):
            raise InvalidReferenceError(f"{name!r} must be numeric; got a categorical signal.")
        return signal.sampled

    def sample_times(self) -> npt.NDArray[np.int64] | None:
        """Times of the sampled rows, in the order of `sample`; None if rows have none."""
        return self._times.sampled

    def pace(self) -> Pace | None:
        """How often rows come, after the first pass; None if they have no times."""
        return self._times.pace

    def names(self, name: str) -> Mapping[str, int]:
        """Names of a categorical signal after the first pass, with how often each occurs.

        All of them, exactly, unless they are more than the fitter keeps.

        Raises
        ------
        InvalidReferenceError
            If the signal is numeric.
        """
        signal = self._signals[name]
        if not isinstance(signal, CategoricalFit):
            raise InvalidReferenceError(f"{name!r} must be categorical; got a numeric signal.")
        return signal.tally.counts

    def doubt_order(self, why: str) -> None:
        """Between the passes: the order of the rows is not that of time, for this reason."""
        self._times.doubt = why

    def drop(self, name: str) -> None:
        """Leave a signal out, between the passes."""
        del self._signals[name]
        self._roles.pop(name, None)

    def count(
        self, columns: Mapping[str, Column], times_ms: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Second pass: the same rows again, in the same order; batches may be cut differently.

        Raises
        ------
        InvalidReferenceError
            If the first pass had too few rows, or other ones.
        """
        n = self._rows_of(columns, times_ms)
        batches = self._batches or self._prepare()
        batch = batches.of(self._counted, n, times_ms)
        cell = self._season.cells_of(times_ms)
        if times_ms is not None and self._bulk is not None:
            self._bulk.add(self._counted, times_ms)
        self._counted += n
        if self._counted > self.rows:
            self._fail_of_passes()
        for segment in self._values.values():
            segment.place(columns)
        values = {n: s.count(columns[n], batch, cell) for n, s in self._signals.items()}
        self._copies.add(list(values.values()), times_ms)
        sizes = np.zeros(0, np.int64)
        if self._outcome is not None:
            sizes = self._outcome.count(columns, values, batch, cell)
        if self._joint is not None:
            self._joint.count(sizes)
        for parts in self._parts:
            parts.count(batch, values)

    @property
    def why_no_seasons(self) -> str:
        """Why seasons were not looked for, after `finish`; empty if they were."""
        return self._season.why_not

    def finish(
        self,
        *,
        model: str,
        version: str = "",
        segments: Sequence[Segment] = (),
        column_mapping: ColumnMapping | None = None,
    ) -> Reference:
        """Give the reference, after both passes.

        Raises
        ------
        InvalidReferenceError
            If there were too few rows, or not the same in both passes.
        """
        batches = self._batches or self._prepare()
        if self._counted != self.rows:
            self._fail_of_passes()
        times, warnings = self._times, list(self._warnings)
        copies, factor, said = self._copies.found(column_mapping)
        outcome = None if self._outcome is None else self._outcome.finish(factor)
        if self._protected and outcome is None:
            self._fail_of_protected()
        fits = self._all_signals()
        share = 1.0 / len(fits)
        signals = tuple(
            signal.finish(name, self._roles.get(name, "feature"), share, warnings, factor)
            for name, signal in fits.items()
        )
        if self._outcome is not None and outcome is None:
            warnings.append(f"outcomes are not followed: {self._outcome.why_not}")
            signals = signals[:-1]
        if outcome is not None:
            warnings += questions_about(outcome, signals)
            warnings += warnings_of_training(outcome, signals)
        tables = [signal.by_cell for signal, _ in zip(fits.values(), signals, strict=False)]
        self.seasonal = self._season.finish(signals, tables)
        calendar = None
        if self.seasonal is not None and self._season.wanted.declared:
            signals, calendar = self.seasonal.signals, self.seasonal.calendar
            warnings += self.seasonal.warnings()
        # By hours of the week parts are not counted: with slots they are compared with the whole.
        parts = [] if calendar is not None else self._parts
        traces = {name: int(signal.trace[0]) for name, signal in self._signals.items()}
        warnings += same_values(signals, traces) + warnings_of_slow(signals) + said
        bulk = self._bulk
        if bulk is not None:
            warnings += bulk.warnings()
        return Reference(
            model=model,
            version=version,
            signals=signals,
            events=round(self.rows / factor),
            segments=tuple(dict.fromkeys([*segments, *self._protected])),
            columns=column_mapping or ColumnMapping(),
            cycle_ms=times.cycle_ms,
            ordered=batches.count > 0,
            first_ms=0 if bulk is None else bulk.first_ms,
            last_ms=0 if bulk is None else bulk.last_ms,
            events_per_week=0 if bulk is None else round(bulk.events_per_week / factor),
            time_step_ms=0 if bulk is None else bulk.pace.step_ms,
            warnings=tuple(warnings),
            calendar=calendar,
            copies=copies,
            outcome=outcome,
            joint=self._tables(signals, outcomes=outcome is not None),
            parts=tuple(each.finish(signals, factor) for each in parts),
        )

    def _tables(self, signals: Sequence[SignalReference], *, outcomes: bool) -> JointTables | None:
        if self._joint is None:
            return None
        turned = self._outcome is not None and self._outcome.turned
        named = {signal.name: signal for signal in signals}
        return self._joint.finish(named, outcomes=outcomes, turned=turned)

    def _all_signals(self) -> dict[str, NumericFit | CategoricalFit]:
        """Those of columns, and the error that is derived, last."""
        if self._outcome is None:
            return self._signals
        return {**self._signals, self._outcome.error_name: self._outcome.error}

    def _rows_of(
        self, columns: Mapping[str, Column], times_ms: npt.NDArray[np.int64] | None
    ) -> int:
        lengths = {}
        for name in (*self._signals, *columns_of_segments(self._values)):
            if name not in columns:
                raise InvalidReferenceError(
                    f"a batch must have the column {name!r}; got {', '.join(list(columns)[:20])}."
                )
            lengths[name] = len(columns[name])
        if times_ms is not None:
            lengths["times_ms"] = len(times_ms)
        elif self._times.cycle_ms:
            raise InvalidReferenceError(
                f"cycle_ms needs times_ms; got {self._times.cycle_ms}. Name the timestamp column."
            )
        if self._timed not in (None, times_ms is not None):
            raise InvalidReferenceError(
                "times_ms must be given with every batch of rows, or with none."
            )
        self._timed = times_ms is not None
        n = next(iter(lengths.values()))
        for name, length in lengths.items():
            if length != n:
                raise InvalidReferenceError(
                    f"columns must be of one length; got {n} rows, but {length} in {name!r}."
                )
        return n

    def _prepare(self) -> Batches:
        """End the first pass."""
        if not self._signals:
            raise InvalidReferenceError("columns must have at least one signal; got none.")
        if self.rows < LEAST_ROWS:
            raise InvalidReferenceError(
                f"a reference needs at least {LEAST_ROWS} rows, better 10,000; got {self.rows}. "
                "Fit it on a longer stretch of data."
            )
        self._batches = self._times.batches(self._warnings)
        if (pace := self._times.pace) is not None:
            self._bulk = Bulk(pace)
        if self._batches.count:
            self._warnings += warnings_of_long(self._sampled_numbers(), self._times.order())
        if self._outcome is not None and self._outcome.lacks(self._signals):
            self._outcome = None
        if self._outcome is not None:
            self._outcome.share_classes(self._signals)
        name, edge = (self._outcome and self._outcome.edge(self._signals)) or ("", 0.0)
        for own, signal in self._signals.items():
            if isinstance(signal, NumericFit) and own == name:
                signal.prepare(self._batches, edge)
            else:
                signal.prepare(self._batches)
        for segment in self._values.values():
            segment.prepare()
        if self._outcome is not None:
            protected = [self._values[segment] for segment in self._protected]
            self._outcome.prepare(self._signals, self._batches, protected)
            self._roles[self._outcome.error_name] = "error"
        self._joint = JointFit.of(self._signals, self._roles)
        fits = self._all_signals().values()
        bins = sum(signal.binning.n_bins for signal in fits)
        if cells := self._season.prepare(self._times.pace, bins):
            for signal in fits:
                signal.by_cell = np.zeros((cells, signal.binning.n_bins), np.int32)
        most = most_parts(len(fits), len(self._values))
        self._parts = [
            PartsFit(values, self._all_signals(), self._outcome, self._batches, most)
            for values in self._values.values()
        ]
        return self._batches

    def _sampled_numbers(self) -> dict[str, npt.NDArray[np.float64]]:
        fits = self._signals.items()
        return {name: fit.sampled for name, fit in fits if isinstance(fit, NumericFit)}

    def _fail_of_protected(self) -> None:
        why = "the rows need a truth, and a prediction or a score"
        if self._outcome is not None and self._outcome.why_not:
            why = self._outcome.why_not
        raise InvalidReferenceError(
            f"{segment_name(self._protected[0])!r} cannot be protected, as no outcomes are counted "
            f"by its values: {why}."
        )

    def _fail_of_passes(self) -> None:
        raise InvalidReferenceError(
            f"both passes must see the same rows; the first had {self.rows}, the second "
            f"{self._counted}. Fit again on data that does not change."
        )
