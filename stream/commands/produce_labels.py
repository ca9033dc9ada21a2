"""The file of labels of `produce --labels`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import say
from stream.text.row_problems import RowProblems

if TYPE_CHECKING:
    from stream.client.records import TimedMessage
    from stream.files.row_events import EventRows
    from stream.plans.plan import AnyPlan

__all__ = ["with_labels"]


def with_labels(
    rows: EventRows, plan: AnyPlan, path: Path, time: str | None, kafka: Mapping[str, object]
) -> tuple[EventRows, list[TimedMessage]]:
    """The rows of predictions without their truths, and the labels in order of time."""
    from stream.client.records import TimedMessage
    from stream.contracts.errors import NotFoundError
    from stream.contracts.prediction_event import EVENT_CONTENT_TYPE
    from stream.files.labels import BY_COMMAND, label_records, without_truth
    from stream.files.row_events import EventRows
    from stream.kafka.topics import topic_partitions

    if not plan.outcome_labels:
        raise click.UsageError(
            f"{plan.model} joins no labels. Name their topic in [models.outcome], such as "
            f'labels = "{plan.model}-labels".'
        )
    if not topic_partitions(kafka, plan.outcome_labels):
        raise NotFoundError(
            f"topic {plan.outcome_labels} does not exist. Create it: driftstream topics --create."
        )
    refused = RowProblems("of labels was left out", "of labels were left out")
    records, source = label_records(path, rows.mapping, time, BY_COMMAND, refused)
    if source is not None:
        raise click.UsageError(
            f"{path} holds events, whose times as records are not known. Give a table."
        )
    headers = [("content-type", EVENT_CONTENT_TYPE.encode())]
    labels = [
        TimedMessage(None, record.value, headers, plan.outcome_labels, record.timestamp)
        for record in records
        if record.value is not None
    ]
    for words in refused.warnings():
        say(words)
    return EventRows(without_truth(rows.mapping)), sorted(
        labels, key=lambda label: label.timestamp_ms
    )
