"""One value has one meaning by every way in: files, events, batches and Arrow count the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.stream import value_ways as ways
from tests.stream.value_ways import CSV, LINES, PARQUET

F16, F32 = np.float16, np.float32


@dataclass(frozen=True)
class Same:
    """Columns that hold the same values, by the way they come in."""

    name: str
    kind: str
    csv: Sequence[Sequence[str]] = ()
    parquet: Sequence[Any] = ()
    json: Sequence[Sequence[Any]] = ()  # of lines, events and batches
    live: Sequence[Sequence[Any]] = ()  # of events and batches alone
    arrow: Sequence[Any] = ()  # beside those of Parquet
    options: tuple[str, ...] = ()
    bins: tuple[str, ...] = field(default=())  # categories that there must be


SAME = [
    Same(
        "whole numbers as names",
        "categorical",
        csv=[
            ["1.0", "0.0", "2.0", ""],
            ["1", "0", "2", ""],
            ["1.00", "0.00", "2.00", "NA"],
            ["1", "0.0", "2.", "nan"],
            [" 1", "0 ", "2", " "],
        ],
        parquet=[
            pa.array([1, 0, 2, None], pa.int8()),
            pa.array([1, 0, 2, None], pa.uint64()),
            pa.array([1.0, 0.0, 2.0, None]),
            pa.array([1, 0, 2, math.nan], pa.float32()),
            pa.array(np.array([1, 0, 2, math.nan], F16)),
            pa.array([Decimal("1.00"), Decimal("0.00"), Decimal("2.00"), None]),
        ],
        json=[[1, 0, 2, None], [1.0, 0.0, 2.0, None]],
        live=[["1", "0", "2", None], [1, 0, 2, math.nan], [1, 0, 2, math.inf]],
        arrow=[pa.array(["1", "0", "2", None])],
        options=("--categorical", "v"),
        bins=("0", "1", "2"),
    ),
    Same(
        "postcodes",
        "categorical",
        csv=[["01067", "10115", "80331", ""]],
        parquet=[
            pa.array(["01067", "10115", "80331", None]),
            pa.array(["01067", "10115", "80331", None]).dictionary_encode(),
            pa.array(["01067", "10115", "80331", None], pa.large_string()),
        ],
        json=[["01067", "10115", "80331", None]],
        arrow=[pa.array(["01067", "10115", "80331", None], pa.string_view())],
        bins=("01067", "10115", "80331"),
    ),
    Same(
        "texts that look like numbers",
        "categorical",
        parquet=[pa.array(["12", "7.50", "1e3", None])],
        json=[["12", "7.50", "1e3", None]],
        bins=("12", "7.50", "1e3"),
    ),
    Same(
        "keys with underscores",
        "categorical",
        csv=[["12_3", "1_2", "7_7", ""]],
        parquet=[pa.array(["12_3", "1_2", "7_7", None])],
        json=[["12_3", "1_2", "7_7", None]],
        bins=("12_3", "1_2", "7_7"),
    ),
    Same(
        "digits of other scripts, hexadecimals",
        "categorical",
        csv=[["٣", "0x10", "１２", ""]],
        parquet=[pa.array(["٣", "0x10", "１２", None])],
        json=[["٣", "0x10", "１２", None]],
        bins=("٣", "0x10", "１２"),
    ),
    Same(
        "versions",
        "categorical",
        csv=[["1.10", "1.9", "2.0", ""]],
        parquet=[pa.array(["1.10", "1.9", "2.0", None])],
        json=[["1.10", "1.9", "2.0", None]],
        options=("--categorical", "v"),
        bins=("1.10", "1.9", "2.0"),
    ),
    Same(
        "Namibia",
        "categorical",
        csv=[["NA", "DE", "FR", ""]],
        parquet=[pa.array(["NA", "DE", "FR", None])],
        json=[["NA", "DE", "FR", None]],
        bins=("NA", "DE", "FR"),
    ),
    Same(
        "booleans",
        "categorical",
        csv=[
            ["True", "False", "True", ""],
            ["true", "false", "true", ""],
            ["TRUE", "FALSE", "TRUE", "NA"],
        ],
        parquet=[pa.array([True, False, True, None])],
        json=[[True, False, True, None]],
        live=[[1, 0, 1, None], [1.0, 0.0, 1.0, None]],
        arrow=[pa.array([1, 0, 1, None]), pa.array(["true", "false", "true", None])],
        bins=("true", "false"),
    ),
    Same(
        "levels of a float32",
        "numeric",
        csv=[
            ["0.1", "0.2", "0.7", ""],
            [".1", "2e-1", "+0.70", "NaN"],
            ['"0,1"', '"0,2"', '"0,7"', ""],
        ],
        parquet=[
            pa.array([0.1, 0.2, 0.7, None]),
            pa.array([0.1, 0.2, 0.7, None], pa.float32()),
            pa.array(np.array([0.1, 0.2, 0.7, math.nan], F16)),
            pa.array([Decimal("0.1"), Decimal("0.2"), Decimal("0.7"), None]),
        ],
        json=[[0.1, 0.2, 0.7, None], [float(F32(0.1)), float(F32(0.2)), float(F32(0.7)), None]],
        live=[[0.1, 0.2, 0.7, math.inf]],
        bins=(),
    ),
    Same(
        "fractions as names",
        "categorical",
        csv=[["0.1", "0.5", "0.7", ""]],
        parquet=[
            pa.array([0.1, 0.5, 0.7, None]),
            pa.array([0.1, 0.5, 0.7, None], pa.float32()),
            pa.array(np.array([0.1, 0.5, 0.7, math.nan], F16)),
            pa.array([Decimal("0.10"), Decimal("0.50"), Decimal("0.70"), None]),
        ],
        json=[[0.1, 0.5, 0.7, None], [float(F32(0.1)), 0.5, float(F32(0.7)), None]],
        options=("--categorical", "v"),
        bins=("0.1", "0.5", "0.7"),
    ),
    Same(
        "integers that no float holds, as names",
        "categorical",
        csv=[["9007199254740993", "9007199254740992", "18446744073709551615", ""]],
        parquet=[pa.array([2**53 + 1, 2**53, 2**64 - 1, None], pa.uint64())],
        json=[[2**53 + 1, 2**53, 2**64 - 1, None]],
        options=("--categorical", "v"),
        bins=("9007199254740993", "9007199254740992", "18446744073709551615"),
    ),
    Same(
        "dates as names",
        "categorical",
        csv=[["2026-03-01", "2026-03-02", "1969-12-31", ""]],
        parquet=[pa.array([date(2026, 3, 1), date(2026, 3, 2), date(1969, 12, 31), None])],
        json=[["2026-03-01", "2026-03-02", "1969-12-31", None]],
        options=("--categorical", "v"),
        bins=("2026-03-01", "2026-03-02", "1969-12-31"),
    ),
    Same(
        "times as names",
        "categorical",
        csv=[["2026-03-01T12:00:00Z", "2026-03-02T12:30:00Z", ""]],
        parquet=[
            pa.array([datetime(2026, 3, 1, 12), datetime(2026, 3, 2, 12, 30), None], unit)
            for unit in (pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns"))
        ],
        json=[["2026-03-01T12:00:00Z", "2026-03-02T12:30:00Z", None]],
        arrow=[
            pa.array(
                [
                    datetime(2026, 3, 1, 12, tzinfo=UTC),
                    datetime(2026, 3, 2, 12, 30, tzinfo=UTC),
                    None,
                ],
                pa.timestamp("s", "Europe/Berlin"),
            )
        ],
        options=("--categorical", "v"),
        bins=("2026-03-01T12:00:00Z", "2026-03-02T12:30:00Z"),
    ),
    Same(
        "numbers with gaps",
        "numeric",
        csv=[
            ["5", "6.5", "1e2", "", "inf"],
            ["5.0", " 6.5 ", "100", "NA", "-inf"],
            ["+5", "6.50", "1E+2", "NULL", "N/A"],
        ],
        parquet=[
            pa.array([5.0, 6.5, 100.0, None, math.inf]),
            pa.array([5.0, 6.5, 100.0, None, math.nan], pa.float32()),
            pa.array([Decimal("5.0"), Decimal("6.5"), Decimal("100.0"), None, None]),
        ],
        json=[[5, 6.5, 100, None, None]],
        live=[[5, 6.5, 1e2, math.nan, -math.inf]],
        bins=(),
    ),
    Same(
        "truth as a number",
        "numeric",
        csv=[["1", "0", "True", "false", ""]],
        json=[[1, 0, 1, 0, None]],
        live=[[True, False, True, False, None]],
        arrow=[pa.array([True, False, True, False, None])],
        options=("--numeric", "v"),
    ),
    Same(
        "texts among numbers",
        "numeric",
        csv=[[*map(str, range(19)), "x"]],
        json=[[*range(19), "x"]],
        live=[[*range(19), {"a": 1}], [*range(19), [1]], [*range(19), "7"]],
    ),
    Same(
        "objects among names",
        "categorical",
        json=[[*"abcdefghijklmnopqrs", {"a": 1}], [*"abcdefghijklmnopqrs", [1, 2]]],
        bins=tuple("abcs"),
    ),
    Same(
        "no value at all",
        "categorical",
        csv=[["", ""], ["NA", "nan"]],
        parquet=[
            pa.nulls(2),
            pa.array([None, None], pa.string()),
            pa.array([math.nan, None]).cast(pa.float64()),
        ][:2],
        json=[[None, None]],
    ),
]


def training(case: Same) -> list[tuple[str, Any]]:
    """Every file that the case can be in."""
    return [
        *((CSV, texts) for texts in case.csv),
        *((PARQUET, array) for array in case.parquet),
        *((LINES, values) for values in case.json),
    ]


@pytest.mark.parametrize("case", SAME, ids=[case.name for case in SAME])
def test_every_way_in_counts_the_same(case: Same, tmp_path: Path) -> None:
    files = training(case)
    first, _ = ways.fit(tmp_path, *files[0], *case.options)
    signal = next(s for s in first.signals if s.name == "v")
    assert signal.kind == case.kind
    if case.bins:
        assert set(case.bins) <= set(signal.binning.categories)
    wanted = signal.counts.tolist()
    assert sum(wanted) == ways.ROWS
    found = {}
    for i, (form, values) in enumerate(files):
        reference, _ = ways.fit(tmp_path, form, values, *case.options)
        fitted = next(s for s in reference.signals if s.name == "v")
        assert fitted.kind == case.kind, (form, values)
        found[f"fit {form} {i}"] = fitted.counts.tolist()
        path = ways.write(tmp_path, form, values)
        found[f"replay {form} {i}"] = ways.replayed(first, path)
        # By the reference of this file: the first one's file and all others count alike.
        found[f"replay {files[0][0]} under {form} {i}"] = ways.replayed(
            reference, ways.write(tmp_path, *files[0])
        )
    for i, values in enumerate([*case.json, *case.live]):
        found[f"event {i}"] = ways.events(first, values)
        found[f"batch {i}"] = ways.native_batch(first, values)
    for i, array in enumerate([*case.parquet, *case.arrow]):
        found[f"arrow {i}"] = ways.arrow_batch(first, array)
    assert found == dict.fromkeys(found, wanted)
