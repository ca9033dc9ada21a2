"""What `fit` does with a dump of events, and says about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.commands.fit_options import segments_of_options
from stream.commands.shared import say
from stream.contracts.roles import OUTPUTS
from stream.text.counted import counted
from stream.text.row_problems import RowProblems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.decode import SourceOptions
    from stream.files.event_table import EventTable

__all__ = ["open_dump", "version_of"]


def open_dump(
    data: Path,
    model: str,
    version: str,
    segments: Sequence[str],
    named: dict[str, str | None],
    config_path: Path | None = None,
) -> EventTable | None:
    """The events of a dump as a table, until the command ends; None if DATA has columns.

    `segments` are as options name them; `named` has the options that name columns: events say
    themselves what is what.
    """
    from detectors.references.segments import columns_of_segments
    from stream.files.dumps import source_of
    from stream.files.event_table import flattened

    source = source_of(data, None if config_path is None else _said(config_path, model))
    if source is None:
        return None
    wanted = columns_of_segments(segments_of_options(segments, ()))
    opened = flattened(data, model, version, wanted, source)
    table = click.get_current_context().with_resource(opened)
    ours = {role.option: table.columns.get(role.name) for role in OUTPUTS}
    ours["timestamp"] = "timestamp"
    for option, column in named.items():
        if column and column != ours.get(option):
            raise click.UsageError(
                f"{data} holds events, which say themselves what is what. Leave --{option} out."
            )
    _tell(table, data, source)
    return table


def _said(config_path: Path, model: str) -> SourceOptions | None:
    from stream.commands.shared import open_config

    config = open_config(config_path)
    return config.sources.get(config.model(model).topic)


def version_of(table: EventTable, version: str) -> str:
    """The version of the reference: the one asked for, or the only one there is."""
    if version or len(table.versions) > 1:
        return version
    return next(iter(table.versions))


def _tell(table: EventTable, data: Path, source: SourceOptions) -> None:
    form = "" if source.format == "native" else f" of the format {source.format}"
    say(f"{data}: {counted(table.rows, 'event')}{form}, read as a worker reads them")
    if len(table.versions) > 1:
        each = ", ".join(f"{name or 'none'} ({n:,})" for name, n in table.versions.most_common(10))
        say(f"note: they are of several versions: {each}. Choose one: --version")
    if table.others:
        each = ", ".join(f"{name} ({n:,})" for name, n in table.others.most_common(10))
        say(f"note: left out are events of others: {each}")
    if table.actuals:
        late = counted(table.actuals, "late actual is no row", "late actuals are no rows")
        say(f"note: {late}, and left out")
    if table.joined or table.alone:
        joined = counted(table.joined, "truth came later and was", "truths came later and were")
        say(f"{joined} joined to the row with the same prediction_id")
    if table.alone:
        alone = counted(table.alone, "truth is", "truths are")
        say(f"warning: {alone} of no row here, or without a prediction_id, and left out")
    if table.featureless:
        bare = counted(table.featureless, "event has", "events have")
        say(f"warning: {bare} no features: they count as missing")
    refused = RowProblems("was left out", "were left out")
    for number, reject in table.rejects:
        refused.add(number, reject.error, reject.reason)
    for words in refused.warnings():
        say(words)
