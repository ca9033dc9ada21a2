"""What a replay says of labels that were joined by id."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.figures import percent
from detectors.outcomes.of_model import ModelMetrics
from stream.replay.label_join import LabelJoin
from stream.stage1.truth_delays import BOUNDS_S
from stream.text.counted import counted
from stream.text.durations import duration
from stream.text.metric_words import LEADING_METRICS, metric_words, value_words

__all__ = ["label_words"]


def label_words(joined: LabelJoin) -> Iterator[str]:
    """Lines about a join at its end: what found its like, how right that was, and what did not."""
    n, plan = joined.counts, joined.plan
    wait = duration(plan.outcome_wait_ms)
    share = f" ({percent(n.labelled / n.predictions)})" if n.predictions else ""
    soon = f", {_half(joined)}" if n.labelled else ""
    yield (
        f"labels by id: {n.labelled:,} of {counted(n.predictions, 'prediction')} got one{share}"
        f"{soon}"
    )
    yield from _final(joined, wait)
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
    if not n.labelled and n.predictions and joined.unmatched:
        yield (
            "warning: no label has the id of a prediction. Do both files write the ids alike, and "
            "are labels later than their predictions?"
        )


def _half(joined: LabelJoin) -> str:
    """Within what time half of the labels came."""
    half = sum(joined.delays.counts) / 2.0
    below = 0
    for bound, count in zip(BOUNDS_S, joined.delays.counts, strict=False):
        below += count
        if below >= half:
            return f"half of them within {duration(round(bound * 1000))}"
    return f"half of them after {duration(round(BOUNDS_S[-1] * 1000))}"


def _final(joined: LabelJoin, wait: str) -> Iterator[str]:
    """How right the model was, by its predictions: those whose wait is over."""
    n, plan = joined.counts, joined.plan
    over = n.known + n.unknown
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
    yield f"{'; '.join([f'{known}, {rest}' if n.unknown else known, *shown])}"
