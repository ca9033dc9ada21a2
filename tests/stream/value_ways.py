"""A column of values by every way in, and what each way counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from detectors import CategoricalBinning, Reference
from stream.commands.fit import command as fit_command
from stream.decode import NativeDecoder
from stream.files import read_batches
from stream.files.row_events import EventRows, RowMapping
from stream.plans.plan import Plan, PlanBook
from tests.stream.decode_tools import NOW, Rec

ROWS = 400
CSV, PARQUET, LINES = "csv", "parquet", "jsonl"
ARROW = (("content-type", b"application/vnd.apache.arrow.stream"),)


def spread(values: Sequence[Any], n: int = ROWS) -> list[Any]:
    """The values again and again, until there are n."""
    return [values[i % len(values)] for i in range(n)]


def stretched(array: Any, n: int = ROWS) -> Any:
    return pa.array([array[i % len(array)].as_py() for i in range(n)], array.type)


def write(folder: Path, form: str, values: Any, n: int = ROWS) -> Path:
    """A file with a column v of these values and one of numbers."""
    path = folder / f"a.{form}"
    x = np.random.default_rng(0).normal(size=n)
    if form == CSV:
        lines = [f"{x[i]},{value}" for i, value in enumerate(spread(values, n))]
        path.write_text("\n".join(["x,v", *lines]) + "\n", encoding="utf-8")
    elif form == PARQUET:
        pq.write_table(pa.table({"x": x, "v": stretched(values, n)}), path)
    else:
        rows = [{"x": float(x[i]), "v": value} for i, value in enumerate(spread(values, n))]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fit(folder: Path, form: str, values: Any, *options: str) -> tuple[Reference, str]:
    """A reference by the command, and what it said."""
    out = folder / "r.json"
    path = write(folder, form, values)
    result = CliRunner().invoke(fit_command, [str(path), "--model", "m", "-o", str(out), *options])
    assert result.exit_code == 0, result.output
    return Reference.from_json(out.read_bytes()), result.output


def counts_of(reference: Reference, records: Sequence[Rec]) -> list[int]:
    """Counts of signal v over its bins, as stage 1 decodes these records."""
    plans = PlanBook()
    plans.add(Plan(model="m", reference=reference))
    decoded = NativeDecoder(plans).decode(list(records))
    assert not decoded.rejects, decoded.rejects
    (group,) = decoded.groups
    layout = group.plan.layout
    at = [s.name for s in reference.signals].index("v")
    binning = reference.signals[at].binning
    if isinstance(binning, CategoricalBinning):
        bins = group.codes[:, layout.categorical.tolist().index(at)]
        bins = bins[bins >= 0]
    else:
        values = group.numeric[:, layout.numeric.tolist().index(at)]
        bins = binning.bin(values[~np.isposinf(values)])
    return np.bincount(bins, minlength=binning.n_bins).tolist()


def replayed(reference: Reference, path: Path) -> list[int]:
    """What `replay` counts of a file."""
    rows = EventRows(RowMapping.of(reference))
    records: Iterator[Rec] = (
        Rec(event.value, offset=i)
        for batch in read_batches(path, rows.mapping.reading, rows.times)
        for i, event in enumerate(rows.events(batch))
    )
    return counts_of(reference, list(records))


def events(reference: Reference, values: Sequence[Any]) -> list[int]:
    """What single events count."""
    documents = [
        {"model": {"name": "m"}, "timestamp": NOW, "features": {"v": value, "x": 0.5}}
        for value in spread(values)
    ]
    return counts_of(reference, [Rec(json.dumps(document).encode()) for document in documents])


def native_batch(reference: Reference, values: Sequence[Any]) -> list[int]:
    columns = {"timestamp": [NOW] * ROWS, "features": {"v": spread(values), "x": [0.5] * ROWS}}
    return counts_of(
        reference, [Rec(json.dumps({"model": {"name": "m"}, "columns": columns}).encode())]
    )


def arrow_batch(reference: Reference, array: Any) -> list[int]:
    table = pa.table(
        {
            "timestamp": [NOW] * ROWS,
            "features.v": stretched(array),
            "features.x": [0.5] * ROWS,
        }
    )
    table = table.replace_schema_metadata({"model.name": "m"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return counts_of(reference, [Rec(sink.getvalue().to_pybytes(), headers=ARROW)])
