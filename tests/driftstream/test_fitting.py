"""A reference from a frame is the one that `driftstream fit` makes of the same table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from driftstream import InvalidReferenceError, Reference, Seasons, fit_reference
from driftstream.fitting import as_reference
from stream.cli import cli
from tests.driftstream.conftest import Made


def by_command(frame: Any, folder: Path, *options: str) -> Reference:
    frame.to_parquet(folder / "rows.parquet")
    path = folder / "by_command.json"
    command = ["fit", str(folder / "rows.parquet"), "--model", "m", "-o", str(path), *options]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    return as_reference(path)


def test_it_is_what_the_command_makes(made: Made, tmp_path: Path) -> None:
    frame = made(3_000, 1)
    theirs = by_command(frame, tmp_path, "--timestamp", "ts", "--prediction", "label")
    ours = fit_reference(frame, model="m", timestamp="ts", prediction="label")
    assert ours.to_json() == theirs.to_json()


def test_it_is_what_the_command_makes_of_rows_without_times(made: Made, tmp_path: Path) -> None:
    frame = made(3_000, 1).drop(columns="ts")
    frame["sorted"] = np.sort(frame.amount)
    frame["zip"] = np.random.default_rng(3).choice([10115, 20095, 80331, 50667], 3_000)
    options = ("--ignore", "age", "--segment", "country", "--categorical", "zip")
    theirs = by_command(frame, tmp_path, *options)
    ours = fit_reference(
        frame, model="m", ignore=["age"], segments=["country"], kinds={"zip": "categorical"}
    )
    assert [s.name for s in ours.signals] == [s.name for s in theirs.signals]
    for mine, other in zip(ours.signals, theirs.signals, strict=True):
        assert mine.kind == other.kind
        assert mine.counts.tolist() == other.counts.tolist()
        assert mine.calibration.batches == other.calibration.batches
    assert ours.columns == theirs.columns
    assert ours.ordered == theirs.ordered


def test_what_is_no_signal_is_left_out_with_a_word(made: Made, tmp_path: Path) -> None:
    frame = made(3_000, 1)
    frame["user"] = [f"u{i}" for i in range(3_000)]
    frame["row"] = np.arange(3_000)
    frame["made"] = frame.ts
    reference = fit_reference(frame, model="m", timestamp="ts")
    theirs = by_command(frame, tmp_path, "--timestamp", "ts")
    names = [signal.name for signal in reference.signals]
    assert names == [signal.name for signal in theirs.signals]
    assert set(frame) - set(names) == {"ts", "user", "row", "made"}
    for name in ("user", "row", "made"):
        assert any(words.startswith(f"{name}: left out: ") for words in reference.warnings), name
        assert name in reference.columns.ignored
    kept = fit_reference(frame, timestamp="ts", kinds={"row": "numeric"})
    assert "row" in {signal.name for signal in kept.signals}
    assert any("row: it grows" in words for words in kept.warnings)


def test_seasons_are_fitted_by_a_time_zone() -> None:
    hours = np.arange(60 * 24 * 6)
    times = pd.date_range("2026-01-01", periods=hours.size, freq="10min", tz="UTC")
    load = np.sin(2 * np.pi * hours / 144) + np.random.default_rng(0).normal(0, 0.3, hours.size)
    frame = pd.DataFrame({"load": load}, index=times)
    assert fit_reference(frame).calendar is None
    calendar = fit_reference(frame, seasons=Seasons("auto", "Europe/Berlin")).calendar
    assert calendar is not None
    assert calendar.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timestamp": "tss"}, "frame has no column 'tss'. Did you mean 'ts'?"),
        ({"prediction": "nothing"}, "frame has no column 'nothing'. It has 'ts', 'amount'"),
        ({"prediction": "label", "actual": "label"}, "'label' is named for two purposes"),
        ({"timestamp": "ts", "ignore": ["ts"]}, "'ts' is named for two purposes"),
        ({"kinds": {"ts": "numeric"}, "timestamp": "ts"}, "'ts' is named for two purposes"),
        ({"kinds": {"age": "number"}}, 'must be "numeric" or "categorical"; got \'number\''),
        ({"kinds": {"country": "numeric"}}, "'country' holds texts, .* Convert them to numbers"),
        ({"timestamp": "country"}, "column 'country' in row 1 is not a time; got"),
    ],
)
def test_wrong_use_is_answered_in_words(made: Made, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_reference(made(400, 1), **options)


def test_too_little_is_refused(made: Made) -> None:
    with pytest.raises(InvalidReferenceError, match="at least 300 rows, better 10,000; got 299"):
        fit_reference(made(299, 1))
    with pytest.raises(InvalidReferenceError, match="no column that can be a signal: ts: left out"):
        fit_reference(made(400, 1)[["ts"]])
    with pytest.raises(InvalidReferenceError, match="no column that can be a signal"):
        fit_reference({})
    with pytest.raises(InvalidReferenceError, match="no column that can be a signal: id: left out"):
        fit_reference({"id": [f"u{i}" for i in range(400)]})
