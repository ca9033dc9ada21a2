"""A replay as a function: what would have alerted on a frame or a file, as episodes."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from detectors import Reference
from driftstream.fitting import as_reference
from driftstream.frames import Frame, columns_of, missing_column
from stream.config.load import load_config
from stream.contracts.alert_event import NOT_ENDED, SEVERITIES, AlertEvent, Severity
from stream.decode import SourceOptions
from stream.decode.record import FileRecord
from stream.files import read_batches
from stream.files.dumps import source_of
from stream.files.file_records import records_of_dump, records_of_rows
from stream.files.labels import (
    BY_CALL,
    label_mapping,
    label_records,
    records_of_labels,
    without_truth,
)
from stream.files.row_events import EventRows, RowMapping
from stream.files.rows import plain_rows
from stream.plans.plan import LearningPlan, Plan, PlanBook, readable
from stream.plans.privacy import CategoryHash
from stream.plans.proposal import proposed_plan
from stream.replay import FileLabels, Replay
from stream.report.label_words import label_words, lone_label_words
from stream.report.replay_words import early_signals, limits_of_replay
from stream.stage2.plan_notes import other_notes
from stream.text.counted import counted
from stream.text.row_problems import RowProblems

__all__ = ["Episode", "OutcomeMetric", "ReplayResult", "replay"]

_BATCH_ROWS: Final = 16_384


@dataclass(frozen=True)
class Episode:
    """One cause: opened, revised where something changed, and mostly resolved.

    Attributes
    ----------
    id, kind : str
        Kinds are data_drift, prediction_drift, label_drift, concept_drift, performance,
        data_quality, system.
    status : str
        "firing" if it was open at the end of the data, else "resolved".
    severity : str
        The highest that it had: info, warning or critical.
    opened : datetime
        In event time.
    ended : datetime or None
        None if it was open at the end.
    signals : tuple of str
        All that were ever in it, those of segments as `name (segment)`.
    summary : str
        Its last sentence that had news.
    alerts : tuple of AlertEvent
        Its revisions, as a worker would have published them.
    """

    id: str
    kind: str
    status: str
    severity: Severity
    opened: datetime
    ended: datetime | None
    signals: tuple[str, ...]
    summary: str
    alerts: tuple[AlertEvent, ...]

    def __repr__(self) -> str:
        until = "still open" if self.ended is None else f"to {self.ended:%Y-%m-%d %H:%M}"
        return (
            f"<{self.kind} {self.severity}, {self.opened:%Y-%m-%d %H:%M} {until}: {self.summary}>"
        )


class OutcomeMetric(NamedTuple):
    """How right a model was, by one metric.

    Attributes
    ----------
    value, low, high : float
        With its interval of 95 %, NaN where there is none.
    events : int
        What it is a share or a mean of.
    reference : float
        The reference's; NaN where it has none.
    """

    value: float
    low: float
    high: float
    events: int
    reference: float


@dataclass(frozen=True, repr=False)
class ReplayResult:
    """Episodes of a replay, in the order in which they opened; printed, a line for each.

    Attributes
    ----------
    episodes : tuple of Episode
    events : int
        Rows that were counted.
    refused : int
        Rows that a worker would have refused; `notes` say why.
    tested : bool
        Whether anything was: without, that there is no episode says nothing.
    pane_seconds : float
    notes : tuple of str
        What was not tested, not counted, or may be wrong.
    metrics : dict of str to OutcomeMetric
        How right the model was in the last full window, by metric; empty where there are no
        outcomes. Of several versions the one whose window ends last.
    """

    episodes: tuple[Episode, ...]
    events: int
    refused: int
    tested: bool
    pane_seconds: float
    notes: tuple[str, ...]
    metrics: dict[str, OutcomeMetric]

    @property
    def alerts(self) -> list[AlertEvent]:
        """All alert events in their order."""
        found = [alert for episode in self.episodes for alert in episode.alerts]
        return sorted(found, key=lambda alert: alert.time)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self.episodes)

    def __len__(self) -> int:
        return len(self.episodes)

    def __getitem__(self, at: int) -> Episode:
        return self.episodes[at]

    def __repr__(self) -> str:
        found = counted(len(self), "episode") if self.tested or self.episodes else "nothing tested"
        head = f"{found} in {counted(self.events, 'event')}; pane {self.pane_seconds:g} s"
        return "\n".join([head, *(f"  {episode!r}" for episode in self.episodes), *self.notes])


def replay(
    data: Frame | str | os.PathLike[str],
    reference: Reference | str | os.PathLike[str] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    model: str | None = None,
    false_alarms_per_week: float | None = None,
    labels: Frame | str | os.PathLike[str] | None = None,
    label_time: str | None = None,
) -> ReplayResult:
    """Run both stages over rows in this process: what would have alerted?

    It decides what `driftstream replay` and workers do, with the same ids. Columns mean what they
    meant when the reference was fitted.

    Parameters
    ----------
    data : data frame, or path of a CSV, Parquet, Arrow or JSON lines file, or of a dump of events
        Rows, best in the order of their times.
    reference : Reference or path of one
        With the settings that a config has where it says nothing. Or give `config`:
    config : path
        A config whose model has a reference.
    model : str, optional
        Which model of the config, if it has several.
    false_alarms_per_week : float, optional
        Instead of 1, or of what the config says.
    labels : data frame or path, optional
        Truths that came later, joined with the predictions of `data` by id: columns of ids and
        truths with the names that the reference has for them. A column of truths in `data` is then
        passed by. Or a dump with events that have an actual alone.
    label_time : str, optional
        The column of `labels` that says when each was known; not of a dump.

    Raises
    ------
    ValueError
        If data or labels lack a column, neither or both of reference and config are given, or the
        model is one that is learned from the stream.

    Examples
    --------
    >>> import numpy as np
    >>> from driftstream import fit_reference
    >>> rng = np.random.default_rng(0)
    >>> def day(shift):
    ...     return {"ts": 60 * np.arange(1440) + 1.7e9, "x": rng.normal(shift, 1, 1440)}
    >>> reference = fit_reference(day(0.0), timestamp="ts")
    >>> [(episode.kind, episode.signals) for episode in replay(day(1.0), reference)]
    [('data_drift', ('x',))]
    """
    plan, hashing, said = _plan(reference, config, model)
    source = None if not isinstance(data, str | os.PathLike) else source_of(Path(data), said)
    if false_alarms_per_week is not None:
        plan = msgspec.structs.replace(plan, false_alarms_per_week=false_alarms_per_week)
    book, refused = PlanBook(), RowProblems("was refused", "were refused")
    book.add(plan)
    if labels is None and label_time is not None:
        raise ValueError("label_time= is of labels: give labels=, too.")
    left_out = RowProblems("of labels was left out", "of labels were left out")
    joined = None
    if labels is not None:
        dumped = source is not None
        joined = _labels(labels, label_time, plan, left_out, hashing, said, dumped=dumped)
    running = Replay(
        book,
        plan.topic,
        lambda record, why: refused.add(record.offset + 1, why.error, why.reason),
        None,
        hashing,
        source,
        joined,
    )
    revisions: dict[str, list[AlertEvent]] = {}
    early: list[str] = []
    events = _records(
        data, plan, refused, dumped=source is not None, labels_apart=joined is not None
    )
    for alert in running.run(events):
        known = revisions.setdefault(alert.data.episode, [])
        if alert.data.news == ["from_start"]:
            early += early_signals(alert, known[-1] if known else None)
        known.append(alert)
    at_end, stats = running.untested(), running.summariser.stats
    notes = [f"warning: {words}" for words in other_notes(plan)]
    notes += left_out.warnings()
    by_id = running.joined
    notes += lone_label_words(stats.actuals) if by_id is None else label_words(by_id)
    notes += limits_of_replay(stats, at_end, refused, early, time.time())
    return ReplayResult(
        tuple(map(_episode, revisions.values())),
        sum(stats.events.values()),
        refused.count,
        at_end.tested,
        plan.pane_ms / 1000,
        tuple(notes),
        _metrics(running),
    )


def _metrics(running: Replay) -> dict[str, OutcomeMetric]:
    views = [detection.outcomes_now() for _, detection in running.detections()]
    view = max((of for of in views if of is not None), key=lambda of: of.end_ms, default=None)
    if view is None:
        return {}
    return {
        name: OutcomeMetric(
            *now, usual.value if (usual := view.reference.get(name)) is not None else math.nan
        )
        for name, now in view.now.items()
    }


def _plan(
    reference: Reference | str | os.PathLike[str] | None,
    config: str | os.PathLike[str] | None,
    model: str | None,
) -> tuple[Plan, CategoryHash | None, SourceOptions | None]:
    if (reference is None) == (config is None):
        raise ValueError("give either a reference or config=.")
    if reference is not None:
        if model is not None:
            raise ValueError("model= chooses one of a config's; a reference is of one.")
        return readable(proposed_plan(as_reference(reference))), None, None
    assert config is not None
    read = load_config(Path(config))
    if model is None and len(read.models) > 1:
        names = ", ".join(each.name for each in read.models)
        raise ValueError(f"{config} has several models: {names}. Choose one: model=.")
    plan = read.plan(read.models[0] if model is None else read.model(model))
    if isinstance(plan, LearningPlan):
        raise ValueError(
            f"{plan.model} is learned from the stream and has no reference that says which column "
            "is what. Fit one, or use the command: driftstream replay."
        )
    return plan, read.hashing, read.sources.get(plan.topic)


def _mapping(plan: Plan) -> RowMapping:
    version = None if plan.version == "*" else plan.version
    # The events are the plan's: a reference of another model is said in the notes.
    return replace(RowMapping.of(plan.reference, version), model=plan.model)


def _records(
    data: Frame | str | os.PathLike[str],
    plan: Plan,
    refused: RowProblems,
    *,
    dumped: bool,
    labels_apart: bool,
) -> Iterator[FileRecord]:
    mapping = _mapping(plan)
    rows = EventRows(without_truth(mapping) if labels_apart else mapping)
    if not isinstance(data, str | os.PathLike):
        return records_of_rows(_batches(data, rows, "data"), rows, refused)
    path = Path(data)
    if dumped:
        return records_of_dump(path, plan.model)
    return records_of_rows(_file_batches(path, rows), rows, refused)


def _labels(
    labels: Frame | str | os.PathLike[str],
    time_column: str | None,
    plan: Plan,
    left_out: RowProblems,
    hashing: CategoryHash | None,
    said: SourceOptions | None,
    *,
    dumped: bool,
) -> FileLabels:
    mapping = _mapping(plan)
    source = None
    if isinstance(labels, str | os.PathLike):
        records, source = label_records(
            Path(labels), mapping, time_column, BY_CALL, left_out, said, dumped=dumped
        )
    else:
        rows = EventRows(label_mapping(mapping, time_column, BY_CALL, dumped=dumped))
        records = records_of_labels(_batches(labels, rows, "labels"), rows, left_out)
    return FileLabels.read(
        plan,
        records,
        source,
        hashing,
        lambda record, why: left_out.add(record.offset + 1, why.error, why.reason),
    )


def _batches(frame: Frame, rows: EventRows, what: str) -> Iterator[dict[str, list[object]]]:
    columns = columns_of(frame, what)
    for name in rows.wanted:
        if name not in columns:
            raise ValueError(f"{missing_column(name, columns, what)} The reference has it.")
    n = len(next(iter(columns.values()), ()))
    for start in range(0, n, _BATCH_ROWS):
        part = {name: column[start : start + _BATCH_ROWS] for name, column in columns.items()}
        yield plain_rows(part, rows.times)


def _file_batches(path: Path, rows: EventRows) -> Iterator[dict[str, list[object]]]:
    for number, batch in enumerate(read_batches(path, rows.mapping.reading, rows.times)):
        if not number:
            rows.check_columns(path, batch)
        yield batch


def _episode(alerts: list[AlertEvent]) -> Episode:
    first, last = alerts[0].data, alerts[-1].data
    fired = [alert.data for alert in alerts if alert.data.status == "firing"] or [last]
    told = [data for data in fired if data.news] or fired  # the others are reminders
    signals = dict.fromkeys(
        f"{signal.name} ({signal.segment})" if signal.segment else signal.name
        for data in fired
        for signal in data.signals
    )
    ended = None if last.ends_at == NOT_ENDED else datetime.fromisoformat(last.ends_at)
    return Episode(
        first.episode,
        first.labels.kind,
        last.status,
        max((data.severity for data in fired), key=SEVERITIES.index),
        datetime.fromisoformat(first.starts_at),
        ended,
        tuple(signals),
        told[-1].annotations.summary,
        tuple(alerts),
    )
