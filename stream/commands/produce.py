"""`driftstream produce`: a file's rows as prediction events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream.commands.mapping import column_options, event_rows
from stream.commands.shared import (
    RowProblems,
    config_option,
    data_argument,
    open_config,
    progress,
    say,
)

if TYPE_CHECKING:
    from stream.client import Message
    from stream.rows import EventRows

__all__ = ["command"]


@click.command("produce")
@data_argument
@config_option
@click.option("--model", required=True, help="The model of the config that the rows belong to.")
@column_options
@click.option("--version", help="Model version of the events. Default: that of the reference.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.")
@click.option("--loop", is_flag=True, help="Begin again at the end, the times moved on.")
def command(
    data: Path, config_path: Path, model: str, version: str | None, rate: float | None, loop: bool,
    **columns: Any,
) -> None:  # fmt: skip
    """Publish the rows of DATA, with the columns as the model's reference was fitted.

    Events keep the file's times; where the reference has no timestamp column, they get the
    time at which they are sent.
    """
    from stream.client import publish

    config = open_config(config_path)
    chosen = config.model(model)
    rows = event_rows(data, config.plan(chosen), columns, version)
    began = time.monotonic()
    sent = 0
    unsent = RowProblems("was not sent", "were not sent")

    with progress() as bar:
        task = bar.add_task(f"produce to {chosen.topic}", total=None, note="events")

        def show(count: int) -> None:
            nonlocal sent
            sent = count
            speed = count / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=count, note=f"events, {speed:,.0f}/s")

        try:
            messages = _paced(_messages(data, rows, loop, unsent), rate)
            publish(config.kafka, chosen.topic, messages, on_sent=show)
        except KeyboardInterrupt:
            say("interrupted")
    unsent.tell()
    say(f"{sent:,} events to {chosen.topic} in {time.monotonic() - began:.1f} s")


def _messages(data: Path, rows: EventRows, loop: bool, unsent: RowProblems) -> Iterator[Message]:
    from stream.data import DataError, read_batches
    from stream.events import EVENT_CONTENT_TYPE

    headers = [("content-type", EVENT_CONTENT_TYPE.encode())]
    stamp = rows.mapping.columns.timestamp
    shift = 0.0
    first, last = math.inf, -math.inf
    while True:
        count = number = 0
        for batch in read_batches(data, rows.numbers):
            if not count and (missing := rows.missing_columns(list(batch))):
                raise DataError(
                    f"{data}: the reference has the column {missing[0]!r}, the file has not. "
                    "Rename the column, or fit without it (--ignore)."
                )
            count += len(next(iter(batch.values())))
            if stamp is None:
                events = _now(rows, batch)
            else:
                events = rows.events(batch, shift=shift)
            for event in events:
                number += 1
                if event.problem:
                    unsent.add(number, event.problem, "bad_timestamp")
                    continue
                first, last = min(first, event.seconds), max(last, event.seconds)
                key = None if event.prediction_id is None else event.prediction_id.encode()
                yield key, event.value, headers
        if not loop or not count:
            return
        # The next round follows the last row at the file's mean distance.
        if stamp is not None and not shift:
            shift_step = (last - first) * count / max(count - 1, 1)
        shift = shift + shift_step if stamp is not None else 0.0


def _now(rows: EventRows, batch: dict[str, list[Any]]) -> Iterator[Any]:
    """Events one at a time, so that each gets the time at which it is asked for."""
    for i in range(len(next(iter(batch.values())))):
        one = {name: values[i : i + 1] for name, values in batch.items()}
        yield from rows.events(one, [time.time()])


def _paced(messages: Iterator[Message], rate: float | None) -> Iterator[Message]:
    """Hold messages back to a rate; in bursts of ten milliseconds, sleeping is not finer."""
    if rate is None:
        yield from messages
        return
    began = time.monotonic()
    for i, message in enumerate(messages):
        ahead = i / rate - (time.monotonic() - began)
        if ahead > 0.01:
            time.sleep(ahead)
        yield message
