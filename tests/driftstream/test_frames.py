"""Frames of all kinds mean the same, and what is none is refused in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from detectors import Coded
from driftstream import compare, fit_reference, replay
from driftstream.frames import columns_of
from tests.driftstream.conftest import Made


def _views(table: pa.Table) -> pa.Table:
    """A table as polars makes them: categories are dictionaries of views."""
    at = table.column_names.index("country")
    coded = table["country"].combine_chunks()
    names = coded.dictionary.cast(pa.string_view())
    return table.set_column(at, "country", pa.DictionaryArray.from_arrays(coded.indices, names))


def forms(frame: Any) -> dict[str, Any]:
    """The same rows in every form."""
    structured = frame.assign(
        ts=frame.ts.dt.tz_localize(None), country=frame.country.astype(object)
    )
    categories = frame.astype({"country": "category"})
    codes = np.asarray(categories.country.cat.codes, np.int32)
    return {
        "arrow": pa.table(frame),
        "lists": {name: frame[name].tolist() for name in frame},
        "arrays": {name: frame[name].to_numpy() for name in frame if name != "ts"}
        | {"ts": frame.ts.dt.tz_localize(None).to_numpy()},
        "indexed": frame.set_index("ts"),
        "categories": categories,
        "views": _views(pa.table(categories)),
        "coded": {name: frame[name].to_numpy() for name in frame if name != "ts"}
        | {"ts": frame.ts.to_list(), "country": Coded(codes, ["DE", "FR"])},
        "nullable": frame.convert_dtypes(),
        "objects": frame.astype(object),
        "structured": structured.to_records(index=False).view(np.ndarray),
        "seconds": frame.assign(
            ts=frame.ts.astype("int64") // 10**9
            if frame.ts.dt.unit == "s"
            else frame.ts.dt.as_unit("s").astype("int64")
        ),
    }


FORMS = [
    "arrow",
    "lists",
    "arrays",
    "indexed",
    "categories",
    "views",
    "coded",
    "nullable",
    "objects",
    "structured",
    "seconds",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_means_what_a_data_frame_does(made: Made, form: str) -> None:
    train, now = made(3_000, 1), made(1_500, 2, shift=0.6, day=20)
    reference = fit_reference(train, timestamp="ts", prediction="label")
    assert fit_reference(forms(train)[form], timestamp="ts", prediction="label").hash == (
        reference.hash
    )
    theirs = forms(now)[form]
    assert compare(reference, theirs).columns == compare(reference, now).columns
    found = replay(now, reference)
    assert found.episodes
    assert replay(theirs, reference).episodes == found.episodes


def test_all_forms_are_tried(made: Made) -> None:
    assert sorted(forms(made(5, 1))) == sorted(FORMS)


def test_what_is_missing_is_missing_in_every_form() -> None:
    values = {
        "numbers": [1.0, None, np.nan, 2.5],
        "array": np.array([1.0, np.nan, np.nan, 2.5]),
        "mixed": [1, None, float("nan"), "x"],
        "texts": pd.Series(["a", None, np.nan, "b"], dtype=object),
        "nullable": pd.Series([1, None, None, 2], dtype="Int64"),
        "decimals": [Decimal("1.5"), None, None, Decimal(2)],
        "times": pd.Series(pd.to_datetime(["2026-01-01", None, None, "2026-01-02"])),
    }
    for name, column in columns_of(values).items():
        there = column if isinstance(column, list) else column.to_pylist()
        assert [value is None for value in there] == [False, True, True, False], name


def test_an_index_of_times_is_a_column_and_another_index_is_not() -> None:
    times = pd.date_range("2026-01-01", periods=3)
    assert list(columns_of(pd.DataFrame({"x": [1, 2, 3]}, index=times))) == ["", "x"]
    named = pd.DataFrame({"x": [1, 2, 3]}, index=times.rename("when"))
    assert list(columns_of(named)) == ["when", "x"]
    assert list(columns_of(pd.DataFrame({"x": [1, 2, 3]}, index=["a", "b", "c"]))) == ["x"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((3, 2)), r"got ndarray. Name its columns: dict\(zip\(names, array.T\)\)"),
        (pd.Series([1, 2]), r"got Series. Of one column make a frame: series.to_frame\(\)"),
        ([1, 2, 3], "must be a data frame .* got list"),
        ("train.csv", "must be a data frame .* got str"),
        (None, "got NoneType"),
        ({"x": 1.0}, r"frame\['x'\] must be an array or a list; got float"),
        ({"x": "abc"}, r"frame\['x'\] must be an array or a list; got str"),
        ({"x": np.zeros((2, 2))}, r"frame\['x'\] must have one dimension; .* shape \(2, 2\)"),
    ],
)
def test_what_is_no_frame_is_refused_in_words(frame: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        columns_of(frame)


def test_lengths_and_names_must_agree() -> None:
    with pytest.raises(ValueError, match=r"of one length; got 3 rows in 'a' and 2 in 'b'"):
        columns_of({"a": [1, 2, 3], "b": [1, 2]})
    with pytest.raises(ValueError, match=r"two columns 'x'. Rename one"):
        columns_of(pd.DataFrame([[1, 2]], columns=["x", "x"]))
