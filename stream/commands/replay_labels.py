"""The file of labels of `replay --labels`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.shared import say
from stream.text.row_problems import RowProblems

if TYPE_CHECKING:
    from stream.commands.file_records import FileRecords
    from stream.decode import SourceOptions
    from stream.plans.plan import AnyPlan
    from stream.plans.privacy import CategoryHash
    from stream.replay import FileLabels

__all__ = ["read_labels"]


def read_labels(
    path: Path,
    time: str | None,
    plan: AnyPlan,
    records: FileRecords,
    hashing: CategoryHash | None,
    source: SourceOptions | None,
) -> FileLabels:
    """The labels of a file; what is wrong with some of them is said."""
    from stream.files.labels import BY_COMMAND, label_records
    from stream.files.row_events import RowMapping
    from stream.plans.plan import LearningPlan
    from stream.replay import FileLabels

    if isinstance(plan, LearningPlan):
        raise click.UsageError(
            f"--labels needs a reference, and {plan.model} learns its own. Fit one first: "
            "driftstream fit."
        )
    version = None if plan.version == "*" else plan.version
    mapping = replace(RowMapping.of(plan.reference, version), model=plan.model)
    refused = RowProblems("of labels was left out", "of labels were left out")
    dumped = records.source is not None
    found, form = label_records(path, mapping, time, BY_COMMAND, refused, source, dumped=dumped)
    labels = FileLabels.read(
        plan,
        found,
        form,
        hashing,
        lambda record, why: refused.add(record.offset + 1, why.error, why.reason),
    )
    for words in refused.warnings():
        say(words)
    return labels
