"""Files in: kinds inferred for `fit`, rows left as they are for the others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.data import DataError, parse_times, read_batches, read_columns, seconds_of

CSV = """ts,n,mixed,code,flag,empty,day
2026-01-01T00:00:00Z,1,1.5,007,true,,2026-01-01
2026-01-01T00:00:01Z,,2.5,008,false,,2026-01-02
2026-01-01T00:00:02Z,3,x,009,,,2026-01-03
"""


def write(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_kinds_of_csv(tmp_path: Path) -> None:
    body = CSV + "".join(
        f"2026-01-01T00:01:{i:02d}Z,1,{i},010,true,,2026-01-04\n" for i in range(40)
    )
    columns = {c.name: c for c in read_columns(write(tmp_path, body))}
    assert columns["n"].kind == "numeric"
    assert np.isnan(columns["n"].values[1])
    assert columns["mixed"].kind == "numeric"
    assert columns["mixed"].note == "1 values are not numbers"
    assert columns["mixed"].values[2] == "x"
    assert (columns["flag"].kind, columns["flag"].values[:3]) == (
        "categorical",
        ["true", "false", None],
    )
    assert columns["empty"].note == "no values"
    assert (columns["ts"].kind, columns["day"].kind) == ("time", "time")
    assert columns["day"].note == "dates without a time"


def test_rows_keep_categories_as_written(tmp_path: Path) -> None:
    batch = next(read_batches(write(tmp_path, CSV), {"n", "mixed", "ts"}))
    assert batch["code"] == ["007", "008", "009"]
    assert batch["n"] == [1.0, None, 3.0]
    assert batch["mixed"] == [1.5, 2.5, "x"]
    assert batch["flag"] == ["true", "false", None]
    assert batch["ts"][0] == "2026-01-01T00:00:00Z"


def test_formats_agree(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, None, 3.0], "b": ["x", None, "z"]})
    pq.write_table(table, tmp_path / "t.parquet")
    write(tmp_path, '{"a": 1.0, "b": "x"}\n{"b": null}\n{"a": 3, "b": "z"}\n', "t.jsonl")
    write(tmp_path, "a,b\n1,x\n,\n3,z\n", "t.csv")
    write(tmp_path, "a\tb\n1\tx\n\t\n3\tz\n", "t.tsv")
    for name in ("t.parquet", "t.jsonl", "t.csv", "t.tsv"):
        assert list(read_batches(tmp_path / name, {"a"})) == [
            {"a": [1.0, None, 3.0], "b": ["x", None, "z"]}
        ], name
        a, b = read_columns(tmp_path / name)
        assert (a.kind, b.kind) == ("numeric", "categorical")
        assert b.values == ["x", None, "z"]


def test_times(tmp_path: Path) -> None:
    (column,) = read_columns(write(tmp_path, "t\n2026-01-01 00:00:00\n2026-01-01 00:00:01\n"))
    assert parse_times(Path("a.csv"), column).tolist() == [1767225600_000, 1767225601_000]
    (column,) = read_columns(write(tmp_path, "t\n1767225600\n1767225600500\n"))
    assert parse_times(Path("a.csv"), column).tolist() == [1767225600_000, 1767225600_500]
    (column,) = read_columns(write(tmp_path, "t\n2026-01-01T00:00:00.123+01:00\nsoon\n"))
    with pytest.raises(DataError, match=r"t in row 2 is not a time; got 'soon' \(1 such rows\)"):
        parse_times(Path("a.csv"), column)
    assert seconds_of("2026-01-01T01:00:00+01:00") == 1767225600
    assert math.isnan(seconds_of("never"))
    assert math.isnan(seconds_of(None))


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
        read_columns(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_batches(tmp_path / "absent.csv"))
