"""How right a model was, as its page and reports show it: a table, and what came by score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.figures import figures, percent
from detectors.outcomes.intervals import wilson
from stream.report.words import minute
from stream.stage2.outcome_view import OutcomeView
from stream.text.counted import counted
from stream.text.metric_words import interval_words, metric_name, value_words
from stream.text.printable import printable

__all__ = [
    "ESTIMATED",
    "HEADS",
    "OutcomeRow",
    "Outcomes",
    "Reliability",
    "Score",
    "outcomes_of",
    "score_words",
]

ESTIMATED: Final = (
    "Estimated is of all events of the window, from their scores alone: right if the truth follows "
    "the score as in the reference. Where what is now leaves it, that has changed."
)
#: Of the table of an `OutcomeRow` each.
HEADS: Final = ("metric", "now", "95 % interval", "reference", "estimated")
#: Groups of scores that are drawn.
_GROUPS: Final = 10


@dataclass(frozen=True)
class OutcomeRow:
    """A metric in words; empty where there is none. `interval` is of 95 %, of what is now."""

    name: str
    now: str
    interval: str
    reference: str
    estimated: str


@dataclass(frozen=True)
class Score:
    """A group of scores: what came of its events, as shares.

    `window` and its interval of 95 % are None where the window has no outcome in the group, and
    `reference` where the reference has none.
    """

    name: str
    reference: float | None
    window: float | None
    low: float | None
    high: float | None
    events: int


@dataclass(frozen=True)
class Reliability:
    """What came by score, from low scores to high ones; `marks` are the values between groups."""

    what: str
    scores: tuple[Score, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of the last full window of the whole stream.

    `subject` is the model, where a report is of several, and `lead` of which events it is.
    """

    subject: str
    lead: str
    rows: tuple[OutcomeRow, ...]
    reliability: Reliability | None


def outcomes_of(view: OutcomeView, subject: str = "") -> Outcomes:
    """What is shown of a window."""
    names = [*view.reference, *(name for name in view.now if name not in view.reference)]
    return Outcomes(
        subject,
        f"{counted(view.known, 'truth')} in a window of {counted(view.events, 'event')}, of "
        f"{minute(view.start_ms)} to {minute(view.end_ms)} UTC.",
        tuple(_row(view, name) for name in names),
        _reliability(view),
    )


def _row(view: OutcomeView, name: str) -> OutcomeRow:
    now, reference, estimated = (
        metrics.get(name) for metrics in (view.now, view.reference, view.estimated)
    )
    likely = ""
    if estimated is not None:
        likely = value_words(name, estimated.value)
        if interval := interval_words(name, estimated):
            likely = f"{likely} ({interval})"
    return OutcomeRow(
        printable(metric_name(name)),
        "" if now is None else value_words(name, now.value),
        "" if now is None else interval_words(name, now),
        "" if reference is None else value_words(name, reference.value),
        likely,
    )


def _reliability(view: OutcomeView) -> Reliability | None:
    """Groups of about as many of the reference's events each."""
    usual, now, edges = view.usual[:-2], view.calibration[:-2], view.edges
    if edges is None or not usual.any():
        return None
    upto = np.cumsum(usual.sum(axis=1))
    wanted = upto[-1] * np.arange(1, _GROUPS) / _GROUPS
    # A group ends behind a bin; the last bins but one, as no value is an edge behind the last.
    ends = np.unique(np.minimum(np.searchsorted(upto, wanted) + 1, edges.size))
    starts = np.concatenate([[0], ends])
    of_usual, of_now = (np.add.reduceat(counts, starts, axis=0) for counts in (usual, now))
    texts = figures(*edges[ends - 1].tolist())
    shown = () if view.private else texts
    scores = []
    for group, (before, after) in enumerate(zip(of_usual.tolist(), of_now.tolist(), strict=True)):
        events = sum(after)
        share = after[1] / events if events else None
        low, high = (None, None) if share is None else wilson(share, events / view.phi)
        reference = before[1] / sum(before) if sum(before) else None
        scores.append(Score(_named(group, shown), reference, share, low, high, events))
    return Reliability(_what(view), tuple(scores), shown)


def _named(group: int, marks: tuple[str, ...]) -> str:
    if not marks:
        return f"group {group + 1}"
    if group == 0:
        return f"under {marks[0]}"
    return f"from {marks[group - 1]}" + (f" to {marks[group]}" if group < len(marks) else "")


def _what(view: OutcomeView) -> str:
    if view.cells.task == "multiclass":
        return "was right"
    return "was positive" if view.private else f"was '{printable(view.cells.classes[1])}'"


def score_words(score: Score) -> str:
    """A group in words: `under 0.1: 4 % → 9 % (7 to 12)`."""
    before = "–" if score.reference is None else percent(score.reference)
    if score.window is None or score.low is None or score.high is None:
        return f"{score.name}: {before} → no event"
    low, high = figures(100.0 * score.low, 100.0 * score.high, scale=100.0)
    return f"{score.name}: {before} → {percent(score.window)} ({low} to {high})"
