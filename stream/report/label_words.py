"""What a replay says of labels that were joined by id."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from detectors import CategoricalBinning
from detectors.figures import percent
from detectors.outcomes.of_model import ModelMetrics
from stream.replay.label_join import LabelJoin
from stream.stage1.truth_delays import BOUNDS_S, TruthDelays
from stream.text.counted import counted
from stream.text.durations import duration
from stream.text.metric_words import LEADING_METRICS, metric_words, value_words
from stream.text.printable import printable

__all__ = ["label_words", "lone_label_words"]

#: Labels of one class alone are asked about if chance would give them more seldom.
_BY_CHANCE: Final = 1e-6
#: Total variation between delays of classes from which the first labels are one-sided.
_UNEVEN: Final = 0.1


def lone_label_words(actuals: int) -> Iterator[str]:
    """A line about labels in the events themselves that nothing was joined with."""
    if actuals:
        came = counted(actuals, "actual came", "actuals came")
        yield (
            f"warning: {came} without a prediction and were left out. Give the file with --labels "
            "(labels=), too: they are then joined by prediction_id."
        )


def label_words(joined: LabelJoin) -> Iterator[str]:
    """Lines about a join at its end: what found its like, how right that was, and what did not."""
    n, plan = joined.counts, joined.plan
    wait = duration(plan.outcome_wait_ms)
    share = f" ({percent(n.labelled / n.predictions)})" if n.predictions else ""
    soon = f", half of them {_half(joined.delays.values())}" if n.labelled else ""
    yield (
        f"labels by id: {n.labelled:,} of {counted(n.predictions, 'prediction')} got one{share}"
        f"{soon}"
    )
    yield from _final(joined, wait)
    yield from _one_sided(joined)
    of_labels = joined.labels
    for count, one, several in (
        (joined.unmatched, f"label has no prediction of its id in the {wait} before it",
         f"labels have no prediction of their id in the {wait} before them"),
        (of_labels.nameless, "label has no id", "labels have no id"),
        (of_labels.empty, "label says no truth", "labels say no truth"),
        (joined.nameless, "prediction has no id, so no label finds it",
         "predictions have no id, so no label finds them"),
        (n.copies, "prediction has the id of another and was not joined",
         "predictions have the id of another and were not joined"),
        (n.corrected, "label corrects an earlier one: it does not count in windows",
         "labels correct earlier ones: they do not count in windows"),
    ):  # fmt: skip
        if count:
            yield f"warning: {counted(count, one, several)}"
    if plan.absent_class is None and (words := _uneven(joined)):
        yield f"warning: {words}."
    if not n.labelled and n.predictions and joined.unmatched:
        yield (
            "warning: no label has the id of a prediction. Do both files write the ids alike, and "
            "are labels later than their predictions?"
        )


def _one_sided(joined: LabelJoin) -> Iterator[str]:
    """Labels of one class where the reference has others: those that do not come may mean them."""
    plan = joined.plan
    labels = {name: sum(each.counts) for name, each in joined.delays.items() if any(each.counts)}
    if plan.outcome is None or plan.absent_class is not None or len(labels) != 1:
        return
    ((name, n),) = labels.items()
    cells = plan.outcome.cells
    signal = next(s for s in plan.monitored if s.name == cells.actual)
    if not isinstance(signal.binning, CategoricalBinning) or name not in cells.classes:
        return
    usual = float(signal.counts[signal.binning.bins_of_names[name]] / max(1, signal.counts.sum()))
    if usual**n > _BY_CHANCE:
        return
    others = [other for other in cells.classes if other != name]
    example = others[0] if len(others) == 1 else "CLASS"
    yield (
        f"warning: each of {n:,} labels is {printable(name)!r}, which usually {percent(usual)} "
        "are. If no label means another class, what is told here is not so: write "
        f'absent_means = "{example}" in [models.outcome]'
    )


def _half(delays: Iterable[TruthDelays]) -> str:
    """Within what time half of the labels came."""
    counts = np.sum([each.counts for each in delays], axis=0)
    at = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2.0))
    if at < len(BOUNDS_S):
        return f"within {duration(round(BOUNDS_S[at] * 1000))}"
    return f"after {duration(round(BOUNDS_S[-1] * 1000))}"


def _uneven(joined: LabelJoin) -> str:
    """Words about a class whose labels come at other times than all others; empty if none does."""
    most = _UNEVEN
    words: tuple[str, str, str] | None = None
    for name, delays in joined.delays.items():
        others = [each for of, each in joined.delays.items() if of != name]
        own, rest = np.array(delays.counts), np.sum([each.counts for each in others], axis=0)
        if not name or not own.sum() or not np.sum(rest):
            continue
        apart = float(np.abs(own / own.sum() - rest / rest.sum()).sum()) / 2.0
        # What chance alone does: by Cauchy-Schwarz, of so many labels in so many bins.
        apart -= 0.5 * math.sqrt(own.size * (1.0 / own.sum() + 1.0 / rest.sum()))
        if apart > most:
            most, words = apart, (f"{printable(name)!r}", _half([delays]), _half(others))
    if words is None:
        return ""
    late, half, rest = words
    return (
        f"labels of {late} come at another time than the rest: half of them {half}, of the rest "
        f"{rest}. What comes first is one-sided, and may open episodes that are none. Let that "
        "time pass first, or set outcome.absent_means"
    )


def _final(joined: LabelJoin, wait: str) -> Iterator[str]:
    """How right the model was, by its predictions: those whose wait is over."""
    n, plan = joined.counts, joined.plan
    over = n.known + n.unknown
    if not over and plan.absent_class is not None and n.predictions:
        yield (
            f"warning: no outcome was counted: no label means {plan.outcome_absent_means!r} only "
            f"when the wait of {wait} is over, and it is of no prediction. Shorten outcome.wait, "
            "or give more data"
        )
    if not over or plan.outcome is None:
        return
    metrics = ModelMetrics(plan.outcome, plan.monitored)
    now = metrics.of(joined.final_cells)
    shown = []
    for name in LEADING_METRICS[plan.outcome.cells.task]:
        if name in now:
            usual = metrics.reference.get(name)
            before = "" if usual is None else f", usually {value_words(name, usual.value)}"
            shown.append(f"{metric_words(name, now[name])}{before}")
    absent = plan.outcome_absent_means
    rest = f"the rest counts as {absent!r}" if absent else "the rest is unknown"
    known = (
        f"{n.known:,} of {counted(over, 'prediction')} whose wait of {wait} is over have a label"
    )
    yield "; ".join([f"{known}, {rest}" if n.unknown else known, *shown])
