"""Prediction events as a table that `fit` reads: what the worker's own decoder takes, flattened."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.counting.ids import NO_ID
from stream.contracts.moments import INFINITY
from stream.contracts.roles import ROLES, keys_of
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.columns import Columns, Reject
from stream.decode.envelope import decode_envelope
from stream.decode.record import FileRecord
from stream.decode.schemaless_values import NOT_SENT, SchemalessValues
from stream.files.dumps import Dumped, dump_records
from stream.files.files import DataError
from stream.plans.plan import Learn, LearningPlan, PlanBook

__all__ = ["EventTable", "flattened"]

_POLL: Final = 4_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Column of the event's time.
_TIME: Final = "timestamp"
#: Role by its key in `prediction`.
_PREDICTED: Final = keys_of("prediction")


@dataclass
class EventTable:
    """Events as rows of a file.

    Attributes
    ----------
    path : Path
        JSON lines, for as long as it is needed.
    columns : dict of role to column
        What is no feature, as far as events have it.
    versions : Counter
        Events by model version.
    featureless : int
        Events without features: theirs are missing.
    actuals : int
        Late actuals, which are no rows.
    joined, alone : int
        Truths that repeat their prediction: of a row with the same `prediction_id`, or of none.
    rejects : list of (number, Reject)
        What a worker would refuse, by line or row.
    others : Counter
        Events of other models.
    segments : set of str
        Those of the wanted ones that at least one row has.
    """

    path: Path
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    featureless: int = 0
    actuals: int = 0
    joined: int = 0
    alone: int = 0
    rejects: list[tuple[int, Reject]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    segments: set[str] = field(default_factory=set)


@contextmanager
def flattened(
    path: Path,
    model: str,
    version: str = "",
    segments: Sequence[str] = (),
    source: SourceOptions | None = None,
) -> Iterator[EventTable]:
    """The events of a model as a table, while the context lasts.

    Parameters
    ----------
    path : Path
        A dump, as `dump_records` reads it.
    model : str
        Its name.
    version : str
        Only events of this version; all if empty.
    segments : sequence of str
        Segments of the events that become columns.
    source : SourceOptions, optional
        The format of the dump; native by default.

    Raises
    ------
    DataError
        If no event is of the model or has one of the segments, or a segment has the name of
        another column.
    """
    with TemporaryDirectory(prefix="driftstream-") as folder:
        table = EventTable(Path(folder) / f"{path.name.split('.')[0]}.jsonl")
        truths = _Truths()
        with table.path.open("wb") as out:
            _write(out, table, truths, path, model, version, tuple(segments), source)
        truths.join(table)
        if not table.rows:
            others = ", ".join(f"{name} ({n:,})" for name, n in table.others.most_common(5))
            of = f" of version {version}" if version else ""
            found = f" It has {others}." if others else ""
            raise DataError(
                f"{path}: no event is of the model {model}{of}.{found} Correct --model or "
                "--version."
            )
        for name in segments:
            if name not in table.segments:
                raise DataError(
                    f"{path}: no event of the model {model} has the segment {name!r}. Correct "
                    "--segment or --protected, or send it in events."
                )
        yield table


def _write(
    out: BinaryIO,
    table: EventTable,
    truths: _Truths,
    path: Path,
    model: str,
    version: str,
    segments: tuple[str, ...],
    source: SourceOptions | None,
) -> None:
    book = PlanBook()
    book.add(LearningPlan(model=model, learn=Learn(), segments=segments))
    decoder = FormatDecoder(NativeDecoder(book, max_ahead_ms=INFINITY), source)
    records = dump_records(path, model)
    while some := list(islice(records, _POLL)):
        decoded = decoder.decode([_record(one) for one in some])
        table.actuals += decoded.actuals
        for reject in decoded.rejects:
            _left_out(table, some[reject.index], reject)
        lines: dict[int, bytes] = {}
        ids = np.full(len(decoded.time_ms), NO_ID)
        for whole in decoded.groups:
            group = truths.taken(whole, version)
            if group.ids is not None:
                ids[group.rows] = group.ids
            for row, of, line in _rows_of(group, decoded.time_ms, segments, table, version):
                if line:
                    table.versions[of] += 1
                    lines[row] = line
                else:
                    table.others[f"{model} {of}".strip()] += 1
        table.rows += len(lines)
        out.writelines(lines[row] + b"\n" for row in sorted(lines))
        truths.ids.append(ids[sorted(lines)])


class _Truths:
    """Truths that repeat their predictions: they are no rows, but known of rows with their id."""

    def __init__(self) -> None:
        self.ids: list[npt.NDArray[np.int64]] = []  # of the rows, as they were written
        self._known: dict[int, Any] = {}  # the last that came
        self._alone = 0

    def taken(self, group: Columns, version: str) -> Columns:
        """Take the truths out of a group; the rest."""
        if (truths := group.truths) is None:
            return group
        n = len(group.rows)
        versions = [group.versions] * n if isinstance(group.versions, str) else group.versions
        ids = np.full(n, NO_ID) if group.ids is None else group.ids
        for i in np.flatnonzero(truths).tolist():
            if not version or versions[i] == version:
                known = dict(_others(group.segments[-1][i])).get("actual")
                if ids[i] == NO_ID or known is None:
                    self._alone += 1
                else:
                    self._known[int(ids[i])] = known
        kept = np.flatnonzero(~truths)
        rest = group.take(kept, "")
        rest.versions = [versions[i] for i in kept.tolist()]
        return rest

    def join(self, table: EventTable) -> None:
        """Write the truths into the rows of their predictions."""
        table.alone = self._alone
        if not self._known:
            return
        ids = np.concatenate(self.ids).tolist() if self.ids else []
        column = table.columns.get("actual", "")
        found: set[int] = set()
        whole = table.path.with_suffix(".joined.jsonl")
        with table.path.open("rb") as rows, whole.open("wb") as out:
            for identity, line in zip(ids, rows, strict=True):
                if identity in self._known:
                    found.add(identity)
                    row = msgspec.json.decode(line)
                    column = column or _column(table, "actual", row)
                    row[column] = self._known[identity]
                    line = _encode(row) + b"\n"
                out.write(line)
        whole.replace(table.path)
        table.joined = len(found)
        table.alone += len(self._known) - len(found)


def _record(one: Dumped) -> FileRecord:
    return FileRecord(one.number, 0, one.value, headers=one.headers)


def _left_out(table: EventTable, one: Dumped, reject: Reject) -> None:
    if reject.reason != "unknown_model":
        table.rejects.append((one.number + 1, reject))
        return
    try:
        table.others[decode_envelope(one.value).model.name] += 1
    except (ValueError, TypeError):
        table.others["another model"] += 1


def _rows_of(
    group: Columns, time_ms: Any, segments: tuple[str, ...], table: EventTable, version: str
) -> Iterator[tuple[int, str, bytes]]:
    """Number, version and line of each event; no line if it is of another version."""
    *texts, values = group.segments
    n = len(group.rows)
    versions = [group.versions] * n if isinstance(group.versions, str) else group.versions
    for i, (row, of) in enumerate(zip(group.rows.tolist(), versions, strict=True)):
        if version and of != version:
            yield row, of, b""
            continue
        event: SchemalessValues = values[i]
        features = event.features or {}
        table.featureless += event.features is None
        line: dict[str, Any] = dict(features)
        for role, value in _others(event):
            line[_column(table, role, features)] = value
        for name, column in zip(segments, texts, strict=True):
            if name in line:
                raise DataError(f"the segment {name!r} and a column of that name. Rename one.")
            line[name] = column[i]
            if column[i] is not None:
                table.segments.add(name)
        line[_TIME] = (_EPOCH + timedelta(milliseconds=int(time_ms[row]))).isoformat()
        yield row, of, _encode(line)


def _others(event: SchemalessValues) -> Iterator[tuple[str, Any]]:
    """What is no feature, by role: a bare number is the score, as a worker takes it."""
    prediction = event.prediction
    if isinstance(prediction, dict):
        for key, role in _PREDICTED.items():
            if key in prediction:
                yield role, prediction[key]
    elif prediction is not None:
        yield "label" if isinstance(prediction, str | bool) else "score", prediction
    if event.actual is not None:
        bare = not isinstance(event.actual, dict)
        yield "actual", event.actual if bare else event.actual.get("label")
    if event.latency is not NOT_SENT:
        yield "latency", event.latency


def _column(table: EventTable, role: str, features: dict[str, Any]) -> str:
    """The column of a role: its own name, unless the first event that has it has such a feature."""
    if role not in table.columns:
        table.columns[role] = ROLES[role].path if role in features else role
    name = table.columns[role]
    if name in features:
        raise DataError(f"the feature {name!r} and the {role} have one name. Rename the feature.")
    return name


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(line)  # NaN and infinities become null: missing
    except (OverflowError, TypeError, ValueError):  # an integer of more than 64 bits
        return json.dumps({name: _plain(value) for name, value in line.items()}).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value) if abs(value) >= 2**63 else value
        except OverflowError:
            return None
    return None if isinstance(value, float) and not math.isfinite(value) else value
