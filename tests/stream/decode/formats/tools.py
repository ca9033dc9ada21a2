"""One way to hold a format to the native form: through the worker's stage 1, and through a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream.commands.file_records import FileRecords
from stream.contracts.summary_message import Source
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.plans.plan import PlanBook
from stream.replay import Replay
from stream.stage1.summarise import Summariser
from stream.text.row_problems import RowProblems
from tests.stream.decode_tools import Rec, book, plan

__all__ = ["Counted", "by_file", "by_worker", "rec"]

#: What stage 1 made of records: its messages, what it refused with reason and words, events.
Counted = tuple[list[tuple[bytes, bytes]], list[tuple[int, str, str]], int]


def rec(document: Any, *headers: tuple[str, bytes], **fields: Any) -> Rec:
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Rec(value, headers=headers, **fields)


def by_worker(
    records: Sequence[Any], source: SourceOptions | None = None, plans: PlanBook | None = None
) -> Counted:
    """The counts of the records of a partition, as stage 1 of a worker publishes them."""
    plans = plans or book()
    decoder = FormatDecoder(NativeDecoder(plans), source)
    stage = Summariser(Source("id", "predictions", 0, 1), plans, decoder)
    numbered = [
        Rec(one.value, i, one.timestamp, headers=one.headers) for i, one in enumerate(records)
    ]
    flushes = stage.add(numbered)
    if (last := stage.flush_idle()) is not None:
        flushes.append(last)
    summaries = [message for flush in flushes for message in flush.summaries]
    rejects = [
        (record.offset, reject.reason, reject.error)
        for flush in flushes
        for record, reject in flush.rejects
    ]
    return summaries, rejects, sum(stage.stats.events.values())


def by_file(path: Path, lines: Sequence[bytes], source: SourceOptions | None = None) -> Counted:
    """The counts of the same as lines of a file, as `replay` reads it."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    one = plan()
    records = FileRecords(path, one, {}, source)
    rejects: list[tuple[int, str, str]] = []
    plans = book(one)
    replay = Replay(
        plans,
        on_reject=lambda record, reject: rejects.append(
            (record.offset, reject.reason, reject.error)
        ),
        source=records.source,
    )
    summaries: list[tuple[bytes, bytes]] = []
    add = replay.summariser.add

    def keep(block: Any) -> Any:
        flushes = add(block)
        summaries.extend(message for flush in flushes for message in flush.summaries)
        return flushes

    replay.summariser.add = keep  # type: ignore[method-assign,assignment]
    last = replay.summariser.flush_idle
    replay.summariser.flush_idle = lambda: _kept(last(), summaries)  # type: ignore[method-assign]
    list(replay.run(records.read(RowProblems("", ""), lambda n: None)))
    return summaries, rejects, sum(replay.summariser.stats.events.values())


def _kept(flush: Any, summaries: list[tuple[bytes, bytes]]) -> Any:
    if flush is not None:
        summaries.extend(flush.summaries)
    return flush
