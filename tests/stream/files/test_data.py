"""Files in: kinds inferred for `fit`, rows left as they are for the others."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detectors import Coded
from detectors.fitting import numbers
from stream.files import DataError, DataTable, Reading, parse_times, read_batches

A = Reading(values=frozenset({"a"}))
CSV = """ts,n,mixed,code,flag,empty,day
2026-01-01T00:00:00Z,1,1.5,007,true,,2026-01-01
2026-01-01T00:00:01Z,,2.5,008,FALSE,,2026-01-02
2026-01-01T00:00:02Z,3,x,009,,,2026-01-03
"""


def write(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_kinds_of_csv(tmp_path: Path) -> None:
    body = CSV + "".join(
        f"2026-01-01T00:01:{i:02d}Z,1,{i},010,True,,2026-01-04\n" for i in range(40)
    )
    table = DataTable(write(tmp_path, body))
    columns = table.columns
    assert {name: c.kind for name, c in columns.items()} == {
        "ts": "time",
        "n": "numeric",
        "mixed": "numeric",
        "code": "categorical",
        "flag": "categorical",
        "empty": "empty",
        "day": "time",
    }
    assert columns["n"].classes
    assert not columns["mixed"].classes
    assert columns["empty"].note == "no values"
    kinds = {"n": "numeric", "mixed": "numeric", "flag": "categorical", "code": "categorical"}
    (batch,) = table.batches(kinds, "ts")
    assert batch.rows == 43
    assert batch.times_ms[:2].tolist() == [1767225600_000, 1767225601_000]
    assert numbers(batch.columns["n"])[:3].tolist() == pytest.approx([1, math.nan, 3], nan_ok=True)
    assert numbers(batch.columns["mixed"])[:3].tolist() == [1.5, 2.5, -math.inf]
    assert rows_of(batch.columns["flag"])[:4] == [True, False, None, True]
    assert rows_of(batch.columns["code"])[:3] == ["007", "008", "009"]


def rows_of(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [None if c < 0 else column.values[c] for c in column.codes.tolist()]
    return list(column)


def test_rows_keep_categories_as_written(tmp_path: Path) -> None:
    batch = next(
        read_batches(
            write(tmp_path, CSV), Reading(values=frozenset({"n", "mixed", "flag"})), {"ts"}
        )
    )
    assert batch["code"] == ["007", "008", "009"]
    assert batch["n"] == [1.0, None, 3.0]
    assert batch["mixed"] == [1.5, 2.5, "x"]
    assert batch["flag"] == [True, False, None]
    assert batch["ts"][0] == "2026-01-01T00:00:00Z"


def test_formats_agree(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, None, 3.0], "b": ["x", None, "z"]})
    pq.write_table(table, tmp_path / "t.parquet")
    write(tmp_path, '{"a": 1.0, "b": "x"}\n{"b": null}\n{"a": 3, "b": "z"}\n', "t.jsonl")
    write(tmp_path, "a,b\n1,x\n,\n3,z\n", "t.csv")
    write(tmp_path, "a\tb\n1\tx\n\t\n3\tz\n", "t.tsv")
    for name in ("t.parquet", "t.jsonl", "t.csv", "t.tsv"):
        assert list(read_batches(tmp_path / name, A)) == [
            {"a": [1.0, None, 3.0], "b": ["x", None, "z"]}
        ], name
        table = DataTable(tmp_path / name)
        kinds = {name: column.kind for name, column in table.columns.items()}
        assert kinds == {"a": "numeric", "b": "categorical"}
        (batch,) = table.batches(kinds)
        assert numbers(batch.columns["a"]).tolist() == pytest.approx([1, math.nan, 3], nan_ok=True)
        assert rows_of(batch.columns["b"]) == ["x", None, "z"]
        assert batch.times_ms.tolist() == [0, 1000, 2000]


@pytest.mark.parametrize(
    ("values", "ms"),
    [
        (["2026-01-01 00:00:00", "2026-01-01 00:00:01"], [1767225600_000, 1767225601_000]),
        (["2026-01-01", "2026-01-02T00:00:00Z"], [1767225600_000, 1767312000_000]),
        (["2026-01-01T00:00:00.1234567Z"], [1767225600_123]),
        (["2026-01-01T01:00:00+01:00"], [1767225600_000]),
        (["1767225600", "1767225600500"], [1767225600_000, 1767225600_500]),
        ([1767225600, 1767225600500], [1767225600_000, 1767225600_500]),
        ([1767225600.25], [1767225600_250]),
        ([date(2026, 1, 1)], [1767225600_000]),
        ([datetime(2026, 1, 1, 0, 0, 0, 1500)], [1767225600_002]),
    ],
)
def test_times(values: list[Any], ms: list[int]) -> None:
    assert parse_times(pa.array(values)).tolist() == ms


def test_times_from_lists_and_mistakes() -> None:
    assert parse_times([1767225600, "2026-01-01T00:00:01Z"]).tolist() == [
        1767225600_000,
        1767225601_000,
    ]
    texts = pa.array(["2026-01-01T00:00:00.123+01:00", "soon"])
    with pytest.raises(DataError, match=r"a\.csv: t in row 12 is not a time; got 'soon'\. Use RFC"):
        parse_times(texts, "a.csv: t", 10)
    with pytest.raises(DataError, match=r"row 1 is not a time; got None \(2 such rows among 3\)"):
        parse_times(pa.array([None, 1e9, None], pa.float64()))
    with pytest.raises(DataError, match="row 1 is not a time; got inf"):
        parse_times(pa.array([math.inf]))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "x", "unknown kind of file. Use .csv"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "a,b\n", "there are no rows below the header"),
        ("a.csv", "a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("a.csv", "a,a\n1,2\n", "the header names 'a' twice"),
        ("a.jsonl", '{"a": \n', "JSON parse error"),
        ("a.parquet", "not parquet", "Parquet"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = write(tmp_path, text, name)
    with pytest.raises(DataError) as caught:
        DataTable(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_batches(tmp_path / "absent.csv"))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz", "t.csv.bz2", "t.jsonl.zst"])
def test_compressed_files(tmp_path: Path, name: str) -> None:
    text = "a,b\n1,x\n" if ".csv" in name else '{"a": 1, "b": "x"}\n'
    codec = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}[name.rsplit(".", 1)[1]]
    with pa.output_stream(str(tmp_path / name), compression=codec) as stream:
        stream.write(text.encode())
    assert list(read_batches(tmp_path / name, A)) == [{"a": [1.0], "b": ["x"]}]
    assert {c.kind for c in DataTable(tmp_path / name).columns.values()} == {
        "numeric",
        "categorical",
    }


def test_long_json_lines_are_cut_at_their_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.files.files._BLOCK", 50)
    rows = [f'{{"a": {i}, "b": "{"x" * (i % 90)}"}}' for i in range(40)]
    path = write(tmp_path, "\n".join(rows), "t.jsonl")
    batches = list(read_batches(path))
    assert len(batches) > 5
    assert [a for batch in batches for a in batch["a"]] == list(range(40))


def test_csv_booleans_are_those_of_events(tmp_path: Path) -> None:
    path = write(tmp_path, "b,t\nTrue,True\nFALSE,x\n,\n")
    reading = Reading(values=frozenset({"b"}))
    assert list(read_batches(path, reading)) == [
        {"b": [True, False, None], "t": ["True", "x", None]}
    ]


def test_texts_of_polars_may_stand_for_no_value(tmp_path: Path) -> None:
    views = pa.array(["DE", "NA", None, "FR"], pa.string_view())
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(path, pa.schema([("country", views.type)])) as file:
        file.write_table(pa.table({"country": views}))
    (batch,) = DataTable(path, Reading(missing=("NA",))).batches({"country": "categorical"}, None)
    assert rows_of(batch.columns["country"]) == ["DE", None, None, "FR"]
