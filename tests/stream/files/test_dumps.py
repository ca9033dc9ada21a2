"""Events are data too: `fit` and `replay` read dumps of a topic as a worker reads the topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from click.testing import CliRunner, Result

from detectors import ColumnMapping, Reference
from stream.cli import cli
from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
)
from stream.decode import NativeDecoder
from stream.decode.record import FileRecord
from stream.files.row_batches import packed
from stream.files.row_events import EventRows, RowMapping
from stream.plans.plan import Plan, PlanBook

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def must(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def columns(
    n: int, *, seed: int = 0, shift: float = 0.0, start: datetime = START
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    amount: list[Any] = (rng.gamma(2, 20, n) + shift).round(3).tolist()
    for i in range(0, n, 50):
        amount[i] = None
    return {
        "timestamp": [(start + timedelta(minutes=i)).isoformat() for i in range(n)],
        "amount": amount,
        "country": rng.choice(["DE", "FR", "12"], n).tolist(),
        "label": rng.choice(["ok", "no"], n, p=[0.9, 0.1]).tolist(),
        "score": rng.random(n).round(4).tolist(),
        "region": rng.choice(["eu", "us"], n).tolist(),
    }


def events(c: dict[str, Any], model: str = "m", version: str = "3") -> list[dict[str, Any]]:
    return [
        {
            "model": {"name": model, "version": version},
            "timestamp": c["timestamp"][i],
            "features": {"amount": c["amount"][i], "country": c["country"][i]},
            "prediction": {"label": c["label"][i], "score": c["score"][i]},
            "segments": {"region": c["region"][i]},
        }
        for i in range(len(c["timestamp"]))
    ]


def write_lines(path: Path, documents: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    return path


def write_events(path: Path, c: dict[str, Any]) -> Path:
    return write_lines(path, events(c))


def write_batches(path: Path, c: dict[str, Any]) -> Path:
    def part(rows: slice) -> dict[str, Any]:
        return {
            "model": {"name": "m", "version": "3"},
            "columns": {
                "timestamp": c["timestamp"][rows],
                "features": {name: c[name][rows] for name in ("amount", "country")},
                "prediction": {name: c[name][rows] for name in ("label", "score")},
                "segments": {"region": c["region"][rows]},
            },
        }

    n = len(c["timestamp"])
    return write_lines(path, [part(slice(i, i + 700)) for i in range(0, n, 700)])


def arrow_table(c: dict[str, Any]) -> Any:
    table = pa.table(
        {
            "timestamp": pa.array([datetime.fromisoformat(t) for t in c["timestamp"]]),
            "features.amount": pa.array(c["amount"], pa.float64()),
            "features.country": pa.array(c["country"]).dictionary_encode(),
            "prediction.label": c["label"],
            "prediction.score": c["score"],
            "segments.region": c["region"],
        }
    )
    return table.replace_schema_metadata({"model.name": "m", "model.version": "3"})


def write_stream(path: Path, c: dict[str, Any]) -> Path:
    table = arrow_table(c)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=900)
    return path


def write_ipc(path: Path, c: dict[str, Any]) -> Path:
    table = arrow_table(c)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table, max_chunksize=900)
    return path


def write_feather(path: Path, c: dict[str, Any]) -> Path:
    feather.write_feather(arrow_table(c), str(path), compression="lz4")
    return path


def write_rows(path: Path, c: dict[str, Any]) -> Path:
    """The same as rows of columns: what has long been read."""
    n = len(c["timestamp"])
    return write_lines(path, [{name: values[i] for name, values in c.items()} for i in range(n)])


FORMS = [
    ("events.jsonl", write_events),
    ("batches.ndjson", write_batches),
    ("stream.arrows", write_stream),
    ("file.arrow", write_ipc),
    ("file.feather", write_feather),
]
each_form = pytest.mark.parametrize(("name", "write"), FORMS, ids=[name for name, _ in FORMS])
Write = Callable[[Path, dict[str, Any]], Path]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a reference of rows, and rows that drift."""
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "january.jsonl", columns(3_000))
    must(
        "fit",
        folder / "january.jsonl",
        "--model",
        "m",
        "--version",
        "3",
        "--timestamp",
        "timestamp",
        "--prediction",
        "label",
        "--score",
        "score",
        "--segment",
        "region",
        "-o",
        folder / "m.json",
    )
    later = columns(3_000, seed=1, shift=15.0, start=START + timedelta(days=31))
    write_rows(folder / "february.jsonl", later)
    must(
        "replay",
        folder / "february.jsonl",
        "--reference",
        folder / "m.json",
        "--alerts",
        folder / "alerts.jsonl",
    )
    return folder


def content(path: Path) -> dict[str, Any]:
    """What a reference says of its signals and times, whatever the order of the columns."""
    reference = Reference.from_json(path.read_bytes())
    document = json.loads(reference.to_json())
    signals = {signal["name"]: signal for signal in document.pop("signals")}
    return {
        "signals": signals,
        "version": reference.version,
        "events": reference.events,
        "rate": reference.events_per_week,
        "first": reference.first_ms,
        "segments": reference.segments,
        "columns": document["columns"],
    }


@each_form
def test_fit_gives_the_reference_of_the_same_rows(
    name: str, write: Write, rows: Path, tmp_path: Path
) -> None:
    dump = write(tmp_path / name, columns(3_000))
    out = tmp_path / "m.json"
    result = must("fit", dump, "--model", "m", "--segment", "region", "-o", out)
    assert "3,000 events, read as a worker reads them" in result.stderr
    assert content(out) == content(rows / "m.json")


def decisions(path: Path) -> list[dict[str, Any]]:
    alerts = [json.loads(line) for line in path.read_text().splitlines()]
    for alert in alerts:
        alert["data"].pop("offsets", None)
    return alerts


@each_form
def test_replay_decides_as_of_the_same_rows(
    name: str, write: Write, rows: Path, tmp_path: Path
) -> None:
    later = columns(3_000, seed=1, shift=15.0, start=START + timedelta(days=31))
    dump = write(tmp_path / name, later)
    out = tmp_path / "alerts.jsonl"
    result = must("replay", dump, "--reference", rows / "m.json", "--alerts", out)
    assert decisions(out) == decisions(rows / "alerts.jsonl")
    assert any(alert["data"]["status"] == "firing" for alert in decisions(out))
    assert "refused" not in result.stderr
    assert "3,000 events, " in result.stderr


def test_other_models_and_versions_are_left_out_with_a_word(tmp_path: Path) -> None:
    mixed = [
        *events(columns(2_000)),
        *events(columns(100), "other"),
        *events(columns(600, seed=4), version="4"),
    ]
    mixed.append(
        {
            "model": {"name": "m", "version": "3"},
            "timestamp": START.isoformat(),
            "actual": {"label": "ok"},
        }
    )
    dump = write_lines(tmp_path / "all.jsonl", mixed)
    with dump.open("a") as out:
        out.write('{"model": {"name": "m"}, "timestamp": "soon", "features": {}}\nnot JSON\n')
    reference = tmp_path / "r.json"
    said = must("fit", dump, "--model", "m", "-o", reference).stderr
    assert "of several versions: 3 (2,000), 4 (600). Choose one: --version" in said
    assert "left out are events of others: other (100)" in said
    assert "1 late actual is no row, and left out" in said
    assert "1 row was left out: bad_timestamp; row 2702: Expected RFC 3339" in said
    assert "1 row was left out: undecodable; row 2703: Not JSON" in said
    assert Reference.from_json(reference.read_bytes()).events == 2_600
    said = must("fit", dump, "--model", "m", "--version", "4", "-o", reference).stderr
    assert "m 3 (2,000)" in said
    found = Reference.from_json(reference.read_bytes())
    assert (found.events, found.version) == (600, "4")
    result = run("fit", dump, "--model", "none", "-o", reference)
    assert result.exit_code == 1
    assert "no event is of the model none. It has m (" in result.stderr
    said = must("replay", dump, "--reference", reference).stderr
    assert "100 rows were refused: unknown_model; first row 2001" in said
    assert "1 row was refused: undecodable; row 2703" in said


def test_bare_predictions_latency_and_names_that_meet(tmp_path: Path) -> None:
    documents = [
        {
            "model": {"name": "m"},
            "timestamp": 1_767_225_600 + 60 * i,
            "features": {"score": i % 7, "x": i % 5},
            "prediction": i / 400,
            "actual": "ok" if i % 3 else "no",
            "latency_seconds": 0.1 * (i % 9),
        }
        for i in range(400)
    ]
    del documents[7]["features"]
    dump = write_lines(tmp_path / "e.jsonl", documents)
    said = must("fit", dump, "--model", "m", "-o", tmp_path / "r.json").stderr
    assert "1 event has no features: they count as missing" in said
    found = Reference.from_json((tmp_path / "r.json").read_bytes())
    assert {s.name: (s.role, s.kind) for s in found.signals} == {
        "score": ("feature", "numeric"),
        "x": ("feature", "numeric"),
        "prediction.score": ("score", "numeric"),
        "actual": ("actual", "categorical"),
        "error": ("error", "categorical"),
        "latency": ("latency", "numeric"),
    }


def test_a_dump_may_begin_with_blank_lines(tmp_path: Path) -> None:
    path = write_events(tmp_path / "a.jsonl", columns(400))
    path.write_text("\n \n" + path.read_text())
    assert (
        "400 events, read as" in must("fit", path, "--model", "m", "-o", tmp_path / "r.json").output
    )


def test_options_that_name_columns_are_for_files_of_columns(rows: Path, tmp_path: Path) -> None:
    dump = write_events(tmp_path / "e.jsonl", columns(400))
    out = tmp_path / "r.json"
    must("fit", dump, "--model", "m", "--timestamp", "timestamp", "-o", out)
    result = run("fit", dump, "--model", "m", "--timestamp", "when", "-o", out)
    assert result.exit_code == 2
    assert "which say themselves what is what. Leave --timestamp out" in result.stderr


def test_combinations_of_segments_are_columns_of_events(tmp_path: Path) -> None:
    dump, out = tmp_path / "e.jsonl", tmp_path / "r.json"
    c = columns(600)
    write_events(dump, c)
    lines = [json.loads(line) for line in dump.read_text().splitlines()]
    for i, event in enumerate(lines):
        event["segments"]["tier"] = "gold" if i % 3 else "free"
    dump.write_text("".join(json.dumps(event) + "\n" for event in lines))
    must("fit", dump, "--model", "m", "--segment", "region,tier", "-o", out)
    reference = Reference.from_json(out.read_bytes())
    assert reference.segments == (("region", "tier"),)
    assert not {"region", "tier"} & {s.name for s in reference.signals}
    metrics = tmp_path / "m.jsonl"
    must("replay", dump, "--reference", out, "--metrics", metrics)
    found = {json.loads(line)["segment"] for line in metrics.read_text().splitlines()}
    assert found <= {"", *(f"region={r}, tier={t}" for r in ("eu", "us") for t in ("gold", "free"))}
    result = run("fit", dump, "--model", "m", "--segment", "region,teir", "-o", out)
    assert result.exit_code == 1
    assert "no event of the model m has the segment 'teir'" in result.stderr


def test_a_file_that_only_looks_like_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(b"no Arrow at all")
    result = run("fit", path, "--model", "m", "-o", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "is no Arrow IPC file or stream" in result.stderr


@pytest.mark.parametrize("form", ["native", "batch", "arrow"])
def test_packed_rows_count_as_single_events_do(form: str, rows: Path) -> None:
    """Whatever the form: texts among numbers, ids, actuals and latencies that some rows lack."""
    reference = Reference.from_json((rows / "m.json").read_bytes())
    n = 2_500
    c = columns(n, seed=7)
    c["amount"][1_700] = "none"  # Arrow has no column for it
    mapping = RowMapping(
        "m",
        "3",
        {"amount": "feature", "country": "feature", "label": "label", "score": "score"},
        frozenset({"amount", "score"}),
        ColumnMapping("timestamp", "id", "label", "score", "truth"),
        ("region",),
    )
    c |= {"id": [f"r{i}" for i in range(n)], "truth": [None if i < 900 else "ok" for i in range(n)]}
    found = list(packed(EventRows(mapping).events(c), form))
    kinds = {kind for _, _, kind in found}
    assert (
        kinds
        == {
            "native": {EVENT_CONTENT_TYPE},
            "batch": {BATCH_CONTENT_TYPE},
            "arrow": {ARROW_CONTENT_TYPE, BATCH_CONTENT_TYPE},
        }[form]
    )
    assert [len(events) for events, _, _ in found] == (
        [1] * n if form == "native" else [900, 1000, 600]
    )
    book = PlanBook()
    book.add(Plan(model="m", reference=reference, segments=("region",)))

    def decoded(messages: Any) -> Any:
        records = [
            FileRecord(i, 0, value, headers=(("content-type", kind.encode()),))
            for i, (_, value, kind) in enumerate(messages)
        ]
        return NativeDecoder(book, max_ahead_ms=2**62).decode(records)

    one, other = decoded(packed(EventRows(mapping).events(c), "native")), decoded(found)
    assert not one.rejects
    assert not other.rejects
    assert one.time_ms.tolist() == other.time_ms.tolist()
    (a,), (b,) = one.groups, other.groups
    assert a.numeric.tobytes() == b.numeric.tobytes()
    assert a.codes.tobytes() == b.codes.tobytes()
    assert a.segments == b.segments
