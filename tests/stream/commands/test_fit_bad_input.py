"""Data that `driftstream fit` cannot take, or takes in a way that is documented."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from detectors import CategoricalBinning, NumericBinning, Reference, SignalReference
from stream.cli import cli

N = 600
FORMATS = ["csv", "jsonl", "parquet"]


def write(path: Path, form: str, columns: dict[str, list[Any]]) -> Path:
    path = path / f"data.{form}"
    rows = list(zip(*columns.values()))
    if form == "parquet":
        pq.write_table(pa.table(columns), path, row_group_size=250)
    elif form == "csv":
        text = [",".join("" if v is None else str(v) for v in row) for row in rows]
        path.write_text("\n".join([",".join(columns), *text]) + "\n")
    else:
        path.write_text("".join(json.dumps(dict(zip(columns, row))) + "\n" for row in rows))
    return path


def run(data: Path, *options: str) -> tuple[Result, Reference | None]:
    output = data.with_name("reference.json")
    result = CliRunner().invoke(
        cli, ["fit", str(data), "--model", "m", "-o", str(output), *options]
    )
    if not output.exists():
        assert result.exit_code != 0
        assert "Traceback" not in result.output
        return result, None
    assert result.exit_code == 0, result.output
    return result, Reference.from_json(output.read_bytes())


def fit(path: Path, form: str, **columns: list[Any]) -> tuple[Result, dict[str, SignalReference]]:
    fine = np.random.default_rng(0).normal(size=N).round(6).tolist()
    result, reference = run(write(path, form, {"fine": fine, **columns}))
    assert reference is not None, result.output
    return result, {signal.name: signal for signal in reference.signals}


def said(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.mark.parametrize("form", FORMATS)
def test_a_constant_column(tmp_path: Path, form: str) -> None:
    result, signals = fit(tmp_path, form, x=[7.5] * N)
    assert "not tested: x: the reference has one value only: psi has" in said(result)
    assert signals["x"].counts.tolist() == [0, N, 0, 0, 0]


@pytest.mark.parametrize("form", FORMATS)
def test_a_column_without_values(tmp_path: Path, form: str) -> None:
    result, signals = fit(tmp_path, form, x=[None] * N)
    assert "not tested: x: the reference has no value, so nothing can be compared" in said(result)
    assert signals["x"].counts[signals["x"].binning.missing] == N


@pytest.mark.parametrize("form", FORMATS)
def test_two_values(tmp_path: Path, form: str) -> None:
    _, signals = fit(tmp_path, form, x=[0, 1] * (N // 2), b=[True, False] * (N // 2))
    assert signals["x"].counts.tolist() == [0, N // 2, 0, N // 2, 0, 0, 0]
    binning = signals["b"].binning
    assert isinstance(binning, CategoricalBinning)
    assert binning.categories == ("false", "true")


@pytest.mark.parametrize("form", FORMATS)
def test_huge_integers(tmp_path: Path, form: str) -> None:
    huge = [2**63 - 1, -(2**63), 2**53 + 1] * (N // 3)
    _, signals = fit(tmp_path, form, x=huge)
    binning = signals["x"].binning
    assert isinstance(binning, NumericBinning)
    assert (binning.edges[0], signals["x"].counts[binning.missing]) == (-(2.0**63), 0)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_integers_beyond_a_float_are_missing(tmp_path: Path, form: str) -> None:
    _, signals = fit(tmp_path, form, x=[10**400, 10**30, 1] * (N // 3))
    assert signals["x"].counts[signals["x"].binning.missing] == N // 3
    assert signals["x"].quantiles["p95"] == 1e30


@pytest.mark.parametrize("form", FORMATS)
def test_infinities_are_missing(tmp_path: Path, form: str) -> None:
    _, signals = fit(tmp_path, form, x=[math.inf, -math.inf, 1.0, 2.0] * (N // 4))
    signal = signals["x"]
    assert signal.counts[signal.binning.missing] == N // 2
    assert signal.counts[signal.binning.invalid] == 0


@pytest.mark.parametrize("form", FORMATS)
def test_texts_in_a_numeric_column(tmp_path: Path, form: str) -> None:
    column: list[Any] = [0.5, 1.5, 2.5] * (N // 3)
    column[10] = column[-1] = "oops"
    if form == "parquet":
        column = [str(v) for v in column]
    result, signals = fit(tmp_path, form, x=column)
    if form == "parquet":  # a column has one type there, and its texts are texts
        assert signals["x"].kind == "categorical"
        return
    assert signals["x"].kind == "numeric"
    assert signals["x"].counts[signals["x"].binning.invalid] == 2
    assert "2 values are not numbers" in said(result)


@pytest.mark.parametrize("form", FORMATS)
def test_an_identifier_is_left_out(tmp_path: Path, form: str) -> None:
    n = 2_000
    x = np.random.default_rng(0).normal(size=n).tolist()
    data = write(tmp_path, form, {"x": x, "user": [f"u{i}" for i in range(n)]})
    result, reference = run(data)
    assert reference is not None
    assert reference.columns.ignored == ("user",)
    assert "2,000 different values, so an identifier" in said(result)


def test_a_million_categories(tmp_path: Path) -> None:
    """Kept as it was named as the prediction, but the reference stays small."""
    n = 1_100_000
    names = pa.array([f"item-{i:07d}" for i in range(1_000_000)])
    codes = np.arange(n) % 1_000_000
    codes[::8] = 0
    column = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), names)
    data = tmp_path / "data.parquet"
    pq.write_table(pa.table({"item": column.dictionary_decode()}), data, row_group_size=200_000)
    result, reference = run(data, "--prediction", "item")
    assert reference is not None
    (signal,) = reference.signals
    assert isinstance(signal.binning, CategoricalBinning)
    assert signal.binning.categories[0] == "item-0000000"
    assert signal.counts[0] >= n // 8
    assert signal.counts.sum() == n
    assert (tmp_path / "reference.json").stat().st_size < 300_000
    assert "item: has too many names (about" in said(result)


@pytest.mark.parametrize("form", FORMATS)
def test_ten_rows_are_refused_with_the_least_needed(tmp_path: Path, form: str) -> None:
    result, reference = run(write(tmp_path, form, {"x": list(range(10))}))
    assert reference is None
    assert result.exit_code == 1
    assert "a reference needs at least 300 rows, better 10,000; got 10." in said(result)


@pytest.mark.parametrize("form", FORMATS)
def test_times_out_of_order_are_sorted(tmp_path: Path, form: str) -> None:
    x = np.cumsum(np.random.default_rng(0).normal(size=2_000)).round(6)
    times = 1767225600 + np.arange(2_000) * 60
    straight, shuffled = tmp_path / "straight", tmp_path / "shuffled"
    rows = np.random.default_rng(1).permutation(2_000)
    phi = []
    for folder, order in ((straight, np.arange(2_000)), (shuffled, rows)):
        folder.mkdir()
        columns = {"t": times[order].tolist(), "x": x[order].tolist()}
        result, reference = run(write(folder, form, columns), "--timestamp", "t")
        assert reference is not None
        phi.append(reference.signals[0].calibration.phi)
        assert ("not in the order of time: sorted" in said(result)) == (folder == shuffled)
    assert phi[0] == phi[1] > 5


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_time_is_refused_with_its_row(tmp_path: Path, form: str) -> None:
    times = [1767225600.5 + i for i in range(N)]
    times[437] = None  # type: ignore[call-overload]
    data = write(tmp_path, form, {"t": times, "x": list(range(N))})
    result, reference = run(data, "--timestamp", "t")
    assert reference is None
    assert "t in row 438 is not a time; got None" in said(result)


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_the_same_values(tmp_path: Path, form: str) -> None:
    x = np.random.default_rng(5).normal(size=N).round(6).tolist()
    c = np.random.default_rng(6).choice(["a", "b"], N).tolist()
    other = np.random.default_rng(7).permutation(x).tolist()
    result, _ = fit(tmp_path, form, x=x, c=c, other=other, again=x, c2=c)
    assert "again: has the same values as x; both alarm together. Leave one out" in said(result)
    assert "c2: has the same values as c;" in said(result)
    assert "other: has the same values" not in said(result)


@pytest.mark.parametrize("form", FORMATS)
def test_a_column_named_twice_is_refused(tmp_path: Path, form: str) -> None:
    data = tmp_path / f"data.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, names=["x", "x"]), data)
    else:
        data.write_text({"csv": "x,x\n1,2\n", "jsonl": '{"x": 1, "x": 2}\n'}[form])
    result, reference = run(data)
    assert reference is None
    assert result.exit_code == 1
    assert "twice" in said(result)


def test_a_file_without_signals_is_refused(tmp_path: Path) -> None:
    times = [f"2026-01-01T00:{i // 60:02d}:{i % 60:02d}Z" for i in range(N)]
    result, reference = run(write(tmp_path, "csv", {"t": times}))
    assert reference is None
    assert "no column that can be a signal: what is left are times and identifiers" in said(result)
    users = [f"u{i}" for i in range(1_200)]
    result, reference = run(write(tmp_path, "csv", {"u": users}))
    assert reference is None
    assert "no column that can be a signal" in said(result)


def test_lists_and_objects_are_left_out(tmp_path: Path) -> None:
    result, signals = fit(tmp_path, "jsonl", v=[[1, 2]] * N, o=[{"a": 1}] * N)
    assert list(signals) == ["fine"]
    assert said(result).count("cannot be a signal") == 2


def test_json_lines_of_mixed_types_and_a_broken_line(tmp_path: Path) -> None:
    mixed = [i if i % 2 else f"n{i % 8}" for i in range(N)]
    _, signals = fit(tmp_path, "jsonl", c=mixed)
    assert signals["c"].kind == "categorical"
    data = tmp_path / "data.jsonl"
    data.write_text('{"x": 1}\n' * 400 + '{"x": 1\n' + '{"x": 2}\n' * 400)
    (tmp_path / "reference.json").unlink()
    result, reference = run(data)
    assert reference is None
    assert "JSON parse error in line 401" in said(result)
    data.write_text('{"x": 1}\n' * 400 + "[1, 2]\n")
    assert "line 401 must be a JSON object; got" in said(run(data)[0])


def test_kinds_come_from_the_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.files.table._PREVIEW_ROWS", 100)
    monkeypatch.setattr("stream.files.files._BLOCK", 500)
    column = [f"{v % 7}.5" for v in range(400)] + ["late"] * 200
    result, reference = run(write(tmp_path, "csv", {"x": column}))
    assert reference is not None
    signal = reference.signals[0]
    assert signal.kind == "numeric"
    assert signal.counts[signal.binning.invalid] == 200
    assert "200 values are not numbers" in said(result)


def test_a_reference_of_another_version_is_refused(tmp_path: Path) -> None:
    run(write(tmp_path, "csv", {"x": [i % 50 for i in range(N)]}))
    path = tmp_path / "reference.json"
    path.write_text(
        path.read_text().replace("driftstream.reference.v1", "driftstream.reference.v2")
    )
    replay = ["replay", str(tmp_path / "data.csv"), "--reference", str(path)]
    result = CliRunner().invoke(cli, replay)
    assert result.exit_code == 1
    assert "Fit it again" in said(result)
    assert "Traceback" not in result.output
