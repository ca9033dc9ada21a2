"""One table of times, by every way in: event, batch, Arrow and file give one millisecond each."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from detectors import ColumnMapping
from stream.cli import cli
from stream.contracts.event_time import END_MS, as_time, numbers_ms, time_text, times_ms
from stream.contracts.prediction_event import ARROW_CONTENT_TYPE, BATCH_CONTENT_TYPE
from stream.decode.arrow_times import column_ms
from stream.files import DataError, DataTable, Reading, parse_times, read_batches
from stream.files.row_events import EventRows, RowMapping
from tests.stream.decode_tools import Rec, book, decode, plan

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z
MIDNIGHT = NOON - 43_200_000
BAD, SMALL, EARLY, LATE = "bad_timestamp", "small", "before_1970", "too_far_ahead"

#: what is written, and the milliseconds it means or why it is refused
TEXTS: list[tuple[str, int | str]] = [
    ("2026-03-01T12:00:00Z", NOON),
    ("2026-03-01t12:00:00z", NOON),
    ("2026-03-01 12:00:00", NOON),
    ("2026-03-01 12:00:00Z", NOON),
    ("2026-03-01T12:00:00", NOON),
    ("2026-03-01T12:00", NOON),
    ("2026-03-01T12:00Z", NOON),
    ("2026-03-01T12", NOON),
    ("20260301T120000Z", NOON),
    ("20260301T1200", NOON),
    ("2026-03-01T13:00:00+01", NOON),
    ("2026-03-01T13:00:00+0100", NOON),
    ("2026-03-01T13:00:00+01:00", NOON),
    ("2026-03-01T06:30:00-05:30", NOON),
    ("2026-03-01T06:30-0530", NOON),
    ("2026-03-01T12:00:00.25Z", NOON + 250),
    ("2026-03-01T12:00:00,25Z", NOON + 250),
    ("2026-03-01T12:00:00.0004Z", NOON),
    ("2026-03-01T12:00:00.0005Z", NOON + 1),
    ("2026-03-01T12:00:00.0015Z", NOON + 2),
    ("2026-03-01T12:00:00.123456789Z", NOON + 123),
    ("2026-03-01T11:59:59.9999999Z", NOON),
    (" 2026-03-01T12:00:00Z ", NOON),
    ("2026-03-01", MIDNIGHT),
    ("20260301", MIDNIGHT),
    ("1772366400", NOON),
    ("1772366400.5", NOON + 500),
    ("1.7723664e9", NOON),
    ("1772366400500", NOON + 500),
    ("1772366400500000", NOON + 500),
    ("1772366400500000000", NOON + 500),
    ("2026-02-30", BAD),
    ("20260230", BAD),
    ("20261301", BAD),
    ("2026-03-01T24:00:00Z", BAD),
    ("2026-03-01T12:00:00+01:60", BAD),
    ("2026-03-01T12:00:00+24:00", BAD),
    ("2026-0301", BAD),
    ("2026-03-01Z", BAD),
    ("2026-W09-7", BAD),
    ("01.03.2026", BAD),
    ("03/01/2026", BAD),
    ("yesterday", BAD),
    ("1_772_366_400", BAD),
    ("١٧٧٢٣٦٦٤٠٠", BAD),
    ("0x69a1", BAD),
    ("nan", BAD),
    ("infinity", BAD),
    ("", BAD),
    ("1970-01-01", 0),
    ("1985-06-01", 486_432_000_000),
    ("1969-12-31T23:59:59Z", EARLY),
    ("-1", EARLY),
    ("1900-01-01", EARLY),
    ("9999-12-31", LATE),
    ("9999-12-31T23:59:59Z", LATE),
    ("2200-01-01", LATE),
    ("20260301120000", LATE),  # as milliseconds it is of 2612
    ("202603", SMALL),
    ("46082.5", SMALL),
    ("202603011200", SMALL),  # as milliseconds it is of 1976
    ("260301120000", SMALL),
]
NUMBERS: list[tuple[int | float, int | str]] = [
    (1772366400, NOON),
    (1772366400.0, NOON),
    (1772366400.0015, NOON + 2),
    (1772366400500, NOON + 500),
    (1772366400000.5, NOON + 1),
    (1772366400500000, NOON + 500),
    (1772366400500000000, NOON + 500),
    (20260301, MIDNIGHT),
    (20260301.0, MIDNIGHT),
    (19700101, 0),
    (0, 0),
    (20260230, BAD),
    (21991231, END_MS - 86_400_000),
    (7258118399, END_MS - 1000),
    (7258118400, LATE),
    (99999999999, LATE),
    (253402300799, LATE),  # 9999-12-31 in seconds: as milliseconds it would be of 1978
    (253402214400, LATE),
    (253402300799000, LATE),
    (253402300799000000, LATE),
    ("253402300799", LATE),
    (-1, EARLY),
    (-1772366400000, EARLY),
    (631152000, 631_152_000_000),
    (631151999, SMALL),
    (202603, SMALL),
    (19700100, SMALL),
    (21991232, SMALL),
    (46082, SMALL),
    (20260301.5, SMALL),
    (202603011200, SMALL),
    (631_151_999_999, SMALL),
    (631_152_000_000, 631_152_000_000),
    (486_432_000_000_000, SMALL),  # 1985 in microseconds
    (486_432_000_000_000_000, SMALL),
    (math.nan, BAD),
    (math.inf, BAD),
]

BOOK = book(plan(columns={"label": None, "country": None}))
ALL = [pytest.param(v, e, id=repr(v)) for v, e in [*TEXTS, *NUMBERS]]


def verdict(decoded: Any) -> int | str:
    """The time of the one row, or why it was refused."""
    if decoded.rejects:
        return str(decoded.rejects[0].reason)
    return int(decoded.time_ms[0])


def live(expected: int | str, value: Any) -> int | str:
    """What a worker says: numbers that are small are seconds of long ago."""
    if expected != SMALL:
        return expected
    number = float(value)
    for bound, factor in ((1e11, 1000), (1e14, 1), (1e17, 1e-3)):
        if number < bound:
            return round(number * factor)
    return round(number * 1e-6)


@pytest.mark.parametrize(("value", "expected"), ALL)
def test_events_and_batches(value: Any, expected: int | str) -> None:
    model = {"name": "fraud", "version": "3"}
    event = {"model": model, "timestamp": value, "features": {"amount": 1.0}}
    batch = {"model": model, "columns": {"timestamp": [value], "features": {"amount": [1.0]}}}
    for document, kind in ((event, ""), (batch, BATCH_CONTENT_TYPE)):
        headers = (("content-type", kind.encode()),) if kind else ()
        record = Rec(json.dumps(document).encode(), timestamp=-1, headers=headers)
        assert verdict(decode(record, plans=BOOK)) == live(expected, value), kind


def as_arrow(column: Any) -> Rec:
    table = pa.table({"timestamp": column, "features.amount": pa.array([1.0] * len(column))})
    table = table.replace_schema_metadata({"model.name": "fraud", "model.version": "3"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    headers = (("content-type", ARROW_CONTENT_TYPE.encode()),)
    return Rec(sink.getvalue().to_pybytes(), timestamp=-1, headers=headers)


def arrow_columns(value: Any) -> list[Any]:
    if isinstance(value, str):
        kinds: list[Any] = [pa.string(), pa.large_string(), pa.string_view()]
        return [pa.array([value], kind) for kind in kinds] + [pa.array([value]).dictionary_encode()]
    columns = [pa.array([float(value)], pa.float64())]
    if isinstance(value, int):
        columns += [pa.array([value], pa.int64())]
        columns += [pa.array([value], pa.uint64())] if value >= 0 else []
        columns += [pa.array([Decimal(value)], pa.decimal128(30, 2))]
    return columns


@pytest.mark.parametrize(("value", "expected"), ALL)
def test_arrow(value: Any, expected: int | str) -> None:
    for column in arrow_columns(value):
        found = verdict(decode(as_arrow(column), plans=BOOK))
        assert found == live(expected, value), column.type


def fitted(path: Path) -> int | str:
    """The time of the one row as `fit` reads it, or what it says."""
    try:
        (batch,) = DataTable(path).batches({"amount": "numeric"}, "t")
    except DataError as error:
        return str(error)
    return int(batch.times_ms[0])


def of_file(path: Path) -> tuple[int | str, int | str]:
    """The time of the one row as `fit` and as `replay` read it, "refused" if they do not."""
    fit = fitted(path)
    if isinstance(fit, str):
        assert "t in row 1 is not a time" in fit
        fit = "refused"
    columns = ColumnMapping(timestamp="t")
    mapping = RowMapping("fraud", "3", {"amount": "feature"}, Reading(), columns)
    rows = EventRows(mapping)
    (event,) = rows.events(next(read_batches(path, rows.mapping.reading, rows.times)))
    if event.problem:
        assert event.problem.startswith("t is not a time")
        return fit, "refused"
    return fit, verdict(decode(Rec(event.value, timestamp=-1), plans=BOOK))


@pytest.mark.parametrize(("value", "expected"), ALL)
def test_files(value: Any, expected: int | str, tmp_path: Path) -> None:
    wanted = "refused" if isinstance(expected, str) else expected
    for i, column in enumerate(arrow_columns(value)):
        path = tmp_path / f"{i}.parquet"
        pq.write_table(pa.table({"t": column, "amount": [1.0]}), path)
        assert of_file(path) == (wanted, wanted), column.type
    path = tmp_path / "a.jsonl"
    text = json.dumps(value)
    path.write_text(f'{{"t": {text}, "amount": 1}}\n')
    if text not in ("NaN", "Infinity"):
        assert of_file(path) == (wanted, wanted)
    mixed = tmp_path / "mixed.jsonl"  # a column of several types is read value by value
    mixed.write_text(f'{{"t": {text}, "amount": 1}}\n{{"t": true, "amount": "x"}}\n')
    first = next(read_batches(mixed))["t"][:1]
    try:
        assert parse_times(first).tolist() == [expected]
    except DataError:
        assert wanted == "refused"
    path = tmp_path / "a.csv"
    path.write_text(f't,amount\n"{value}",1\n')
    assert of_file(path) == (wanted, wanted)


@pytest.mark.parametrize(
    ("column", "ms"),
    [
        (pa.array([1772366400], pa.timestamp("s")), NOON),
        (pa.array([NOON], pa.timestamp("ms", "Europe/Berlin")), NOON),
        (pa.array([NOON * 1000 + 1500], pa.timestamp("us", "UTC")), NOON + 2),
        (pa.array([NOON * 10**6 + 499_000], pa.timestamp("ns")), NOON),
        (pa.array([NOON * 10**6 + 499_000], pa.timestamp("ns", "+05:30")), NOON),
        (pa.array([date(2026, 3, 1)], pa.date32()), MIDNIGHT),
        (pa.array([date(2026, 3, 1)], pa.date64()), MIDNIGHT),
        (pa.array([date(9999, 12, 31)], pa.date32()), LATE),
        (pa.array([datetime(9999, 12, 31)], pa.timestamp("us")), LATE),
        (pa.array([2**62], pa.timestamp("us")), LATE),
        (pa.array([date(1900, 1, 1)], pa.date32()), EARLY),
        (pa.array([0], pa.timestamp("ms")), 0),
        (pa.array([20_260_301_000], pa.timestamp("ms")), 20_260_301_000),  # August 1970 is said
        (pa.array([None], pa.timestamp("ms")), BAD),
        (pa.array([None], pa.null()), BAD),
        (pa.array([1], pa.duration("s")), BAD),
        (pa.array([1], pa.time32("s")), BAD),
        (pa.array([True]), BAD),
        (pa.array([b"2026-03-01"]), BAD),
    ],
    ids=lambda v: str(getattr(v, "type", v)),
)
def test_typed_columns(column: Any, ms: int | str, tmp_path: Path) -> None:
    assert verdict(decode(as_arrow(column), plans=BOOK)) == ms
    if isinstance(ms, str) and not str(column.type).startswith(("date", "timestamp")):
        return
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"t": column, "amount": [1.0]}), path)
    wanted = "refused" if isinstance(ms, str) else ms
    assert of_file(path) == (wanted, wanted)


def test_many_forms_in_one_column() -> None:
    good = [(value, ms) for value, ms in TEXTS if isinstance(ms, int)]
    texts = [text for text, _ in good]
    assert parse_times(pa.array(texts)).tolist() == [ms for _, ms in good]
    mixed = [*texts, 1772366400.5, 1772366400500, 20260301]
    expected = [ms for _, ms in good] + [NOON + 500, NOON + 500, MIDNIGHT]
    assert parse_times(mixed).tolist() == expected
    numbers = [value for value, ms in NUMBERS if isinstance(ms, int)]
    wanted = [ms for _, ms in NUMBERS if isinstance(ms, int)]
    assert numbers_ms(np.array(numbers, np.float64)).tolist() == wanted
    (group,) = (
        decoded := decode(
            *[
                Rec(
                    json.dumps(
                        {"model": {"name": "fraud"}, "timestamp": t, "features": {}}
                    ).encode(),
                    timestamp=-1,
                )
                for t in mixed
            ],
            plans=BOOK,
        )
    ).groups
    assert len(group.rows) == len(mixed)
    assert decoded.time_ms.tolist() == expected


zones = st.none() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))


a_size = st.sampled_from([2.5e7, 1.7e9, 9.9e10, 1e11, 1.7e12, 1e14, 1.7e15, 1e17, 1.7e18])
a_number = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.0, 20260301.0, 20260231.0]),
    st.builds(lambda size, part: size * part, a_size, st.floats(-2, 2)),
)


@given(st.lists(a_number, max_size=6))
def test_numbers_together_mean_what_each_means(numbers: list[float]) -> None:
    together = numbers_ms(np.array(numbers, np.float64))
    alone = [numbers_ms(np.array([number], np.float64)) for number in numbers]
    assert together.tobytes() == b"".join(ms.tobytes() for ms in alone)
    for number, ms in zip(numbers, together.tolist(), strict=True):
        size = abs(number)
        if number != number or number in (20260301, 20260231):
            assert ms == MIDNIGHT if number == 20260301 else ms != ms
        elif not (size.is_integer() and 19_700_101 <= number <= 21_991_231):
            unit = next(
                u
                for end, u in ((1e11, 1e3), (1e14, 1), (1e17, 1e-3), (math.inf, 1e-6))
                if size < end
            )
            if unit < 1e3 and 253_370_764_800 <= size * unit < 253_402_300_800:
                continue  # the year 9999 in a smaller unit: a case of its own
            assert abs(ms - number * unit) <= 0.501 + size * unit * 1e-15


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.timestamp("ms"), pa.float64()])
def test_arrow_numbers_beside_a_null(kind: Any) -> None:
    for column in (whole := pa.array([NOON, None, NOON + 1], kind)), pa.chunked_array([whole]):
        ms = column_ms(column)
        assert ms is not None
        assert repr(ms.tolist()) == repr([float(NOON), math.nan, float(NOON + 1)])
        without = column_ms(column.drop_null())
        assert without is not None
        assert without.tolist() == [NOON, NOON + 1]


@given(st.datetimes(datetime(1970, 1, 3), datetime(2199, 12, 29), timezones=zones))
def test_a_moment_in_any_writing_is_that_moment(moment: datetime) -> None:
    """The oracle counts in whole numbers."""
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    us = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    ms = (us + 500) // 1000
    iso = moment.isoformat()
    zone = iso[19 + 7 * ("." in iso) :] if moment.tzinfo else ""
    compact = moment.strftime("%Y%m%dT%H%M%S.%f") + zone.replace(":", "")
    for text in (iso, iso.replace("T", " "), iso.replace("T", "t"), iso.replace(".", ","), compact):
        time = as_time(text)
        assert time is not None, text
        assert times_ms([time]).tolist() == [ms], text
        found = column_ms(pa.array([text]))
        assert found is not None
        assert found.tolist() == [ms], text
    assert times_ms([moment, 0.0]).tolist() == [ms, 0]
    if us >= 10**17 // 1000 * 1000 and us < 9 * 10**15:
        assert numbers_ms(np.array([us * 1000.0])).tolist() == [ms]
    if us >= 10**14:
        assert numbers_ms(np.array([float(us)])).tolist() == [ms]


@given(st.text(alphabet="0123456789-+:.,TtZz eE ", max_size=32))
def test_arrow_takes_no_text_for_a_time_that_is_none(text: str) -> None:
    """The fast way through whole columns accepts nothing but the table, and means the same."""
    column = column_ms(pa.array([text]))
    assert column is not None
    time = as_time(text)
    if time is None:
        assert np.isnan(column[0]) or column[0] < 0  # the year 0000 is before 1970 all the same
    else:
        assert column.tolist() == pytest.approx(times_ms([time]).tolist(), nan_ok=True)


@pytest.mark.parametrize("form", [pa.array, lambda values: pa.array(map(str, values)), list])
def test_dates_with_an_hour_are_not_taken_for_seconds(form: Any) -> None:
    """2026010100 would be 14 March 2034. Of true seconds one in a hundred looks like that."""
    hours = [2026010100 + hour for hour in range(24)]
    with pytest.raises(DataError, match=r"got '?2026010100'?, .* it may be a date with an hour"):
        parse_times(form(hours))
    seconds = [2026010100 + 7 * step for step in range(24)]
    assert parse_times(form(seconds)).tolist() == [second * 1000 for second in seconds]


def test_words_of_a_wrong_time_in_a_file() -> None:
    def words(values: Any) -> str:
        with pytest.raises(DataError) as raised:
            parse_times(values, "a.csv: t", 10)
        return str(raised.value)

    assert words(pa.array([1772366400, 202603])) == (
        "a.csv: t in row 12 is not a time: got 202603, which since the epoch is 1970-01-03 "
        "08:16:43 UTC; numbers of before 1990 are not read (write such times as text). Use RFC "
        "3339 (2026-03-01T12:00:00Z), a date (2026-03-01 or 20260301), or a number since the epoch "
        "(seconds to nanoseconds)."
    )
    assert "got '9999-12-31'; it must be from 1970 to 2199 (2 such rows among 3)" in words(
        pa.array(["2026-01-01", "9999-12-31", "1900-01-01"])
    )
    assert "row 11 is not a time that events have: got '-1e9'" in words(pa.array(["-1e9"]))
    assert "got '20260230'" in words(pa.array(["20260230"]))


def test_times_for_people() -> None:
    assert time_text(NOON) == "2026-03-01 12:00:00"
    assert time_text(1e18) == "a time beyond the year 9999"
    assert time_text(-1e18) == "a time before the year 1"


@pytest.fixture(scope="module")
def minutes() -> list[str]:
    """A row a minute for fourteen days, from midnight to midnight."""
    rng = np.random.default_rng(3)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        f"{(start + timedelta(minutes=i)).strftime('%Y-%m-%dT%H:%M:%SZ')},{x:.3f}"
        for i, x in enumerate(rng.normal(size=14 * 1440 + 1))
    ]


def said_by_fit(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(["ts,x", *lines]) + "\n")
    out = path.with_suffix(".json")
    result = CliRunner().invoke(
        cli, ["fit", str(path), "--model", "m", "--timestamp", "ts", "-o", str(out)]
    )
    return f"{result.exit_code} {result.output}"


@pytest.mark.parametrize("wrong", ["1970-01-01T00:00:00Z", "0", "2099-12-31", "20991231"])
def test_fit_names_the_row_of_another_year(wrong: str, minutes: list[str], tmp_path: Path) -> None:
    lines = list(minutes)
    lines[777] = f"{wrong},0.1"
    said = said_by_fit(tmp_path / "a.csv", lines)
    assert said.startswith("0 ")
    year = "1970-01-01" if wrong[0] in "01" else "2099-12-31"
    assert f"1 row has a time far from the others: row 778 ({year} 00:00:00)" in said
    assert 'pane = "1h"' in said
    assert 'max_age = "2d"' in said
    assert "from 2026-01-01 00:00:00 to 2026-01-15 00:00:00 UTC" in said


@pytest.mark.parametrize("wrong", ["9999-12-31", "1900-01-01", "202601", "20260230", ""])
def test_fit_refuses_what_is_no_time_with_its_row(
    wrong: str, minutes: list[str], tmp_path: Path
) -> None:
    lines = list(minutes)
    lines[777] = f"{wrong},0.1"
    said = said_by_fit(tmp_path / "a.csv", lines)
    assert said.startswith("1 ")
    assert "ts in row 778 is not a time" in said
    assert not (tmp_path / "a.json").exists()


def test_from_midnight_to_midnight_is_not_dates(minutes: list[str], tmp_path: Path) -> None:
    said = said_by_fit(tmp_path / "a.csv", minutes)
    assert 'pane = "1h"' in said
    assert "dates without a time" not in said
    dates = [f"{line[:10]},{line[21:]}" for line in minutes]
    said = said_by_fit(tmp_path / "b.csv", dates)
    assert 'pane = "1d"' in said
    assert "dates without a time of day" in said


def test_rows_without_times_are_never_taken_for_dates() -> None:
    """They are seconds from 1970 on; as a number, row 19,700,101 would be a date."""
    rows = EventRows(RowMapping("fraud", "3", {"amount": "feature"}, frozenset(), ColumnMapping()))
    for row in (0, 19_700_100, 20_260_300, 99_999_998):
        rows.rows = row
        events = list(rows.events({"amount": [1.0, 2.0, 3.0]}))
        found = decode(*[Rec(event.value, timestamp=-1) for event in events], plans=BOOK)
        assert found.time_ms.tolist() == [(row + i) * 1000 for i in range(3)]
