"""Fairness as the page and reports show it: rates by value, and how far two of them are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.report.words import minute
from stream.stage2.detection import Detection
from stream.stage2.fairness_tests import RateTest
from stream.stage2.fairness_view import shown_disparities, shown_rates
from stream.text.fairness_words import (
    disparity_words,
    interval_of_disparity,
    judged_words,
    rate_name,
    value_name,
)
from stream.text.metric_words import interval_words, value_words
from stream.text.printable import printable

__all__ = ["FAIRNESS", "FAIRNESS_HEADS", "FairnessRow", "FairnessTable", "fairness_tables"]

FAIRNESS: Final = (
    "Rates of the values of a protected column, over the same time for all of them. An alert takes "
    "a disparity beyond its limit that has grown since the reference."
)
#: Of the table of a `FairnessRow` each.
FAIRNESS_HEADS: Final = ("rate", "value", "now", "95 % interval", "reference", "events")


@dataclass(frozen=True)
class FairnessRow:
    """A rate of one value in words; `reference` is empty where there is none."""

    rate: str
    value: str
    now: str
    interval: str
    reference: str
    events: str


@dataclass(frozen=True)
class FairnessTable:
    """What was last judged by one protected column.

    `subject` is the model, where a report is of several; `notes` say how far values are apart, and
    what was not compared and why.
    """

    subject: str
    column: str
    rows: tuple[FairnessRow, ...]
    notes: tuple[str, ...]


def fairness_tables(detection: Detection, subject: str = "") -> tuple[FairnessTable, ...]:
    """A table for each column of which something was judged."""
    rates, disparities = list(shown_rates(detection)), list(shown_disparities(detection))
    found = []
    for column in dict.fromkeys(shown.test.of.column for shown in rates):
        rows = tuple(
            FairnessRow(
                rate_name(test.rate),
                value_name(scope),
                value_words(test.rate, now.value),
                interval_words(test.rate, now),
                "" if usual is None else value_words(test.rate, usual.value),
                f"{now.events:,}",
            )
            for test, scope, now, usual in rates
            if test.of.column == column
        )
        notes = [
            f"{disparity_words(name, now, (low, high))}; "
            f"95 % interval {interval_of_disparity(name, now)}, {_when(test)}"
            for test, name, now, low, high in disparities
            if test.of.column == column
        ]
        tests = {shown.test.rate: shown.test for shown in rates if shown.test.of.column == column}
        for test in tests.values():
            assert test.result is not None
            if words := judged_words(test.result):
                notes.append(f"{rate_name(test.rate)}: {words}")
        found.append(FairnessTable(subject, printable(column), rows, tuple(notes)))
    return tuple(found)


def _when(test: RateTest) -> str:
    start_ms, end_ms = test.span
    return f"{minute(start_ms)} to {minute(end_ms)} UTC"
