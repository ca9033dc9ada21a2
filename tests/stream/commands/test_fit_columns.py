"""What `fit` makes of columns: options, separators, indexes, identifiers, orders that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from detectors import CategoricalBinning, Reference
from stream.commands.fit import command as fit_command
from stream.commands.replay import command as replay_command

N = 2_000
RNG = np.random.default_rng(0)


def frame(**columns: Any) -> pd.DataFrame:
    """Times, a number and a name, and more columns."""
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "ts": pd.date_range("2026-01-01", periods=N, freq="60s").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x": rng.normal(size=N).round(4),
            "c": rng.choice(list("abc"), N),
            **columns,
        }
    )


def run(command: Any, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit) or code
    return " ".join(result.output.split()) + str(result.exception or "")


def fit(data: Path, *options: object) -> tuple[dict[str, Any], str]:
    out = data.with_name("r.json")
    said = run(fit_command, data, "--model", "m", "-o", out, *options)
    reference = Reference.from_json(out.read_bytes())
    return {signal.name: signal for signal in reference.signals}, said


def replay(data: Path) -> str:
    return run(replay_command, data, "--reference", data.with_name("r.json"))


# ---- what separates and what is decimal


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("decimal", [",", "."])
def test_separators_and_decimal_commas_are_found(
    tmp_path: Path, delimiter: str, decimal: str
) -> None:
    data = tmp_path / "a.csv"
    text = "Köln, am Rhein"
    frame(t=[text] * N).to_csv(
        data, sep=delimiter, decimal=decimal, index=False, encoding="utf-8-sig"
    )
    signals, said = fit(data, "--timestamp", "ts")
    assert {name: s.kind for name, s in signals.items()} == {
        "x": "numeric",
        "c": "categorical",
        "t": "categorical",
    }
    assert ("decimal commas" in said) == (decimal == ",")
    assert signals["t"].binning.categories == (text,)
    assert "no episode" in replay(data)


def test_a_file_with_commas_is_replayed_by_a_reference_of_points(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    frame().to_csv(data, index=False)
    fit(data, "--timestamp", "ts")
    frame().to_csv(data, index=False, sep=";", decimal=",")
    assert "no episode" in replay(data)


def test_commas_that_may_part_thousands_are_asked_for(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    amounts = [f"{v // 1000},{v % 1000:03d}" for v in RNG.integers(1_000, 99_999, N)]
    frame(amount=amounts).to_csv(data, index=False)
    signals, said = fit(data, "--timestamp", "ts", "--keep", "amount")
    assert signals["amount"].kind == "categorical"
    assert "--decimal ','" in said
    signals, _ = fit(data, "--timestamp", "ts", "--decimal", ",")
    assert signals["amount"].kind == "numeric"
    assert signals["amount"].mean < 100


def test_a_delimiter_can_be_said(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    frame().to_csv(data, index=False, sep="^")
    signals, _ = fit(data, "--timestamp", "ts", "--delimiter", "^")
    assert list(signals) == ["x", "c"]
    assert "no episode" in replay(data)  # the reference remembers it
    run(fit_command, data, "--model", "m", "-o", data, "--delimiter", "::", code=2)


# ---- kinds, roles, missing


def test_kinds_and_roles_can_be_said(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    rng = np.random.default_rng(8)
    frame(
        zone=rng.integers(1, 5, N),
        took=rng.gamma(2, size=N).round(3),
        hour=[f"{v:02d}" for v in rng.integers(0, 24, N)],
        y=rng.integers(0, 2, N),
    ).to_csv(data, index=False)
    signals, said = fit(data, "--timestamp", "ts")
    assert signals["zone"].kind == "numeric"
    assert signals["hour"].kind == "categorical"
    assert "leading zeros" in said
    signals, _ = fit(
        data,
        "--timestamp",
        "ts",
        "--categorical",
        "zone",
        "--numeric",
        "hour",
        "--role",
        "took=latency",
        "--role",
        "y=label",
    )
    assert {name: (s.kind, s.role) for name, s in signals.items()} == {
        "x": ("numeric", "feature"),
        "c": ("categorical", "feature"),
        "zone": ("categorical", "feature"),
        "took": ("numeric", "latency"),
        "hour": ("numeric", "feature"),
        "y": ("categorical", "label"),
    }
    assert "no episode" in replay(data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--numeric", "c"], "the values there are no numbers"),
        (["--numeric", "cc"], "no column 'cc'. Did you mean c?"),
        (["--role", "c"], "must be COLUMN=ROLE"),
        (["--role", "c=labels"], "must be COLUMN=ROLE"),
        (["--role", "c=label", "--prediction", "x"], "two columns are named as label"),
        (["--role", "c=label", "--prediction", "c"], "named for two purposes"),
        (["--categorical", "c", "--numeric", "c"], "named for two purposes"),
        (["--categorical", "c", "--ignore", "c"], "named for two purposes"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: list[str], words: str) -> None:
    data = tmp_path / "a.csv"
    frame().to_csv(data, index=False)
    assert words in run(
        fit_command, data, "--model", "m", "-o", tmp_path / "r.json", *options, code=2
    )
    assert not (tmp_path / "r.json").exists()


def test_typed_texts_are_no_numbers_and_objects_no_names(tmp_path: Path) -> None:
    data = tmp_path / "a.parquet"
    frame(plz=[f"{v}" for v in RNG.choice([10115, 80331], N)], o=[{"a": 1}] * N).to_parquet(data)
    out = ["--model", "m", "-o", tmp_path / "r.json", "--timestamp", "ts"]
    said = run(fit_command, data, *out, "--numeric", "plz", code=2)
    assert "of a wrong type for a numeric signal" in said
    assert "cannot be a signal" in run(fit_command, data, *out, "--categorical", "o", code=2)
    signals, said = fit(data, "--timestamp", "ts")
    assert signals["plz"].kind == "categorical"
    assert "texts, though all look like numbers" in said
    assert "cannot be a signal" in said


def test_what_stands_for_no_value(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    country = np.where(np.arange(N) % 10 == 0, "NA", "DE")
    gone = np.where(np.arange(N) % 5 == 0, "N/A", "FR")
    code = np.where(np.arange(N) % 20 == 0, "-999", frame().x.astype(str))
    frame(country=country, gone=gone, code=code).to_csv(data, index=False)

    def missing(name: str) -> int:
        return int(signals[name].counts[signals[name].binning.missing])

    signals, said = fit(data, "--timestamp", "ts")
    assert (missing("country"), missing("gone"), missing("code")) == (0, N // 5, 0)
    assert "'NA' is a name (200 rows); no value? --missing NA" in said
    assert "'N/A' counts as missing (400 rows); a name? --missing ''" in said
    assert "code: -999 is far outside all other values: an error code?" in said
    signals, said = fit(data, "--timestamp", "ts", "--missing", "NA", "--missing", "-999")
    assert (missing("country"), missing("gone"), missing("code")) == (N // 10, 0, N // 20)
    assert "'NA' is a name" not in said
    assert "no episode" in replay(data)
    signals, _ = fit(data, "--timestamp", "ts", "--missing", "")
    assert (missing("country"), missing("gone")) == (0, 0)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_what_stands_for_no_value_in_typed_files(tmp_path: Path, form: str) -> None:
    data = tmp_path / f"a.{form}"
    odd = np.arange(N) % 10 == 0
    d = frame(country=np.where(odd, "NA", "DE"), t=np.where(odd, 999999.0, frame().x))
    d.to_parquet(data) if form == "parquet" else d.to_json(data, orient="records", lines=True)
    signals, _ = fit(data, "--timestamp", "ts", "--missing", "NA", "--missing", "999999")
    for name in ("country", "t"):
        assert signals[name].counts[signals[name].binning.missing] == N // 10
    assert "no episode" in replay(data)


# ---- codes, error codes


def test_codes_are_told_from_counts_and_amounts(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    stores = np.sort(rng.choice(np.arange(1000, 9000), 200, replace=False))
    d = frame(
        store=rng.choice(stores, N),
        plz=rng.choice(stores * 7 + 10_000, N),
        age=rng.integers(18, 90, N),
        visits=rng.poisson(60, N),
        salary=rng.integers(20, 99, N) * 500,
        customer_id=rng.integers(1, 100, N),
    )
    d.to_parquet(tmp_path / "a.parquet")
    signals, said = fit(tmp_path / "a.parquet", "--timestamp", "ts")
    for name in ("store", "plz", "customer_id"):
        assert signals[name].kind == "numeric"
        assert f"--categorical {name} finds those never seen before" in said
    for name in ("age", "visits", "salary"):
        assert f"--categorical {name}" not in said
    d.to_csv(tmp_path / "a.csv", index=False)
    signals, said = fit(tmp_path / "a.csv", "--timestamp", "ts", "--numeric", "store")
    assert signals["plz"].kind == "categorical"  # of one length, so maybe texts in events
    assert "numbers of 5 digits: names (--numeric plz)" in said
    assert signals["store"].kind == "numeric"
    assert "--categorical store" not in said
    signals, _ = fit(tmp_path / "a.parquet", "--timestamp", "ts", "--categorical", "store")
    d["store"] = np.where(rng.random(N) < 0.05, 5001, d["store"])
    d.to_parquet(tmp_path / "a.parquet")
    said = replay(tmp_path / "a.parquet")
    assert "'store'" in said
    assert "never seen before" in said


def test_spikes_are_named_and_tails_are_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    value = rng.normal(20, 4, N)
    columns = {
        "three": np.where(np.arange(N) % 700 == 0, 999999, value),
        "nines": np.where(np.arange(N) == 77, 99999, value),
        "below": np.where(np.arange(N) % 3 == 0, -999, value),
        "both": np.select([np.arange(N) % 50 == 0, np.arange(N) % 49 == 0], [-1e9, 1e9], value),
        "wide": np.where(np.arange(N) % 50 == 0, -999, rng.normal(100, 20, N)),
        "near": np.where(np.arange(N) % 50 == 0, 250, rng.normal(100, 20, N)),
        "heavy": rng.lognormal(0, 2, N),
        "pareto": rng.pareto(0.8, N),
        "capped": np.minimum(rng.lognormal(0, 1, N), 5.0),
        "two": rng.choice([0, 100000], N),
    }
    frame(**columns).to_csv(tmp_path / "a.csv", index=False)
    _, said = fit(tmp_path / "a.csv", "--timestamp", "ts")
    for words in (
        "three: 999999 is",
        "nines: 99999 is",
        "below: -999 is",
        "wide: -999 is",
        "both: -1000000000, 1000000000 is",
    ):
        assert words in said
    for name in ("near", "heavy", "pareto", "capped", "two", "x"):
        assert f"warning: {name}:" not in said


# ---- what follows the rows


INDEXES = [
    ("grows", np.arange(N)),
    ("grows with gaps", 700_000 + np.cumsum(RNG.integers(1, 9, N))),
    ("falls", -5 * np.arange(N)),
    ("seconds", 1_767_225_600 + 60 * np.arange(N)),
    ("by several writers", np.arange(N) + RNG.permutation(N) % 7),
    ("a clock of days", 20_454 + np.arange(N) // 40),
    ("shuffled", RNG.permutation(N) + 5),
    ("uuid", [f"{v:032x}" for v in RNG.integers(0, 2**62, N).tolist()]),
    ("fraction", np.arange(N) / 7),
]


@pytest.mark.parametrize(("name", "values"), INDEXES, ids=[name for name, _ in INDEXES])
def test_what_follows_the_rows_is_left_out(tmp_path: Path, name: str, values: Any) -> None:
    data = tmp_path / "a.csv"
    frame(number=values).to_csv(data, index=False)
    signals, said = fit(data, "--timestamp", "ts")
    assert list(signals) == ["x", "c"]
    assert "left out" in said
    signals, said = fit(data, "--timestamp", "ts", "--keep", "number")
    assert list(signals) == ["x", "c", "number"]
    assert "kept as an option says" in said


@pytest.mark.parametrize(
    "values",
    [
        np.cumsum(RNG.normal(size=N)),
        RNG.integers(0, 10**9, N),
        RNG.poisson(5, N),
        np.arange(N) / 500 + RNG.normal(size=N),
        np.where(np.arange(N) < N // 2, 1, 2),
        np.sin(np.arange(N) / 200).round(3),
    ],
)
def test_what_only_wanders_is_kept(tmp_path: Path, values: Any) -> None:
    data = tmp_path / "a.csv"
    frame(number=values).to_csv(data, index=False)
    assert list(fit(data, "--timestamp", "ts")[0]) == ["x", "c", "number"]


def test_identifiers_of_a_small_file_are_left_out(tmp_path: Path) -> None:
    d = frame(user=[f"u{v:x}" for v in RNG.integers(0, 2**40, N)])[:400]
    d.to_csv(tmp_path / "a.csv", index=False)
    assert list(fit(tmp_path / "a.csv", "--timestamp", "ts")[0]) == ["x", "c"]


@pytest.mark.parametrize(
    ("cities", "rows", "said_of"),
    [
        (300, 500, "of 500 values come once"),  # 19 %: on either side of a word
        (300, 300, "values come once in these rows, so about one event in 3 will have"),
        (300, 1_500, ""),
        (1_000, 1_000, "so about one event in 3 will have a name never seen before"),
        (10_000, 500, "different values, so an identifier"),
        (3_000, 1_000, "different values, so an identifier"),
    ],
)
def test_names_are_an_identifier_by_how_many_come_once(
    tmp_path: Path, cities: int, rows: int, said_of: str
) -> None:
    """However few they are; what is kept raises no alarm in the next rows of the same kind."""
    rng = np.random.default_rng(4)
    d = frame(city=[f"c{v}" for v in rng.integers(0, cities, N)])
    d[:rows].to_csv(tmp_path / "a.csv", index=False)
    signals, said = fit(tmp_path / "a.csv", "--timestamp", "ts")
    left_out = "identifier" in said_of
    assert ("city" in signals) != left_out
    if rows != 500 or left_out:
        assert said_of in said
        assert ("come once" in said) == ("come once" in said_of or "one event" in said_of)
    d[rows:].to_csv(tmp_path / "b.csv", index=False)
    assert "'city'" not in replay(tmp_path / "b.csv")


def test_a_column_with_few_values_is_no_identifier(tmp_path: Path) -> None:
    d = frame(note=["" if i % 100 else f"n{i}" for i in range(N)])[:500]
    d.to_csv(tmp_path / "a.csv", index=False)
    assert "note" in fit(tmp_path / "a.csv", "--timestamp", "ts")[0]


def test_the_index_of_a_frame_is_left_out(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv")
    signals, said = fit(tmp_path / "a.csv", "--timestamp", "ts")
    assert list(signals) == ["x", "c"]
    assert "(no name)" in said
    assert "no episode" in replay(tmp_path / "a.csv")
    pd.read_csv(tmp_path / "a.csv").sample(frac=1, random_state=1).to_csv(
        tmp_path / "a.csv", index=False
    )
    signals, said = fit(tmp_path / "a.csv", "--timestamp", "ts")
    assert list(signals) == ["x", "c"]
    assert "Unnamed: 0" in said
    frame().sample(frac=0.9, random_state=1).to_parquet(tmp_path / "a.parquet")
    signals, said = fit(tmp_path / "a.parquet", "--timestamp", "ts")
    assert list(signals) == ["x", "c"]
    assert "__index_level_0__" in said


# ---- orders that are none


@pytest.mark.parametrize("key", ["x", "c", "level"])
def test_sorted_rows_without_times_are_no_order_of_time(tmp_path: Path, key: str) -> None:
    d = frame(level=RNG.integers(0, 4, N)).drop(columns="ts")
    data = tmp_path / "a.csv"
    d.sort_values(key, ascending=key != "level").to_csv(data, index=False)
    signals, said = fit(data)
    assert f"warning: rows are sorted by {key}" in said
    assert all(s.calibration.batches == 0 for s in signals.values())
    d.to_csv(data, index=False)
    signals, said = fit(data)
    assert "sorted by" not in said
    assert all(s.calibration.batches for s in signals.values())


def test_a_drift_is_found_against_sorted_rows(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    d = frame().drop(columns="ts")
    d.sort_values("x").to_csv(data, index=False)
    fit(data)
    assert "no episode" in replay_of(tmp_path, d.sample(frac=1, random_state=2))
    said = replay_of(tmp_path, d.assign(x=d.x + 1.0).sample(frac=1, random_state=2))
    assert "'x'" in said
    assert "resolved" not in said


def replay_of(folder: Path, d: pd.DataFrame) -> str:
    d.to_csv(folder / "b.csv", index=False)
    return replay(folder / "b.csv")


# ---- what was not there before; what cannot be written


def test_a_column_that_was_empty_and_one_that_was_constant(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    frame(city=None, income=np.nan, seven=7, one="a").to_csv(data, index=False)
    signals, said = fit(data, "--timestamp", "ts")
    assert "no values" in said
    assert isinstance(signals["income"].binning, CategoricalBinning)
    assert "no episode" in replay(data)
    rng = np.random.default_rng(1)
    new = {
        "city": rng.choice(["Ulm", "Kiel"], N),
        "income": rng.gamma(3, size=N),
        "seven": 8,
        "one": "b",
    }
    for column, values in new.items():
        said = replay_of(tmp_path, pd.read_csv(data).assign(**{column: values}))
        assert f"'{column}'" in said
        assert "wrong type" not in said


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\tb"])
def test_what_could_not_be_read_is_not_written(tmp_path: Path, name: str) -> None:
    data = tmp_path / "a.jsonl"
    rows = [{name: float(v), "x": float(w)} for v, w in RNG.normal(size=(N, 2))]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "r.json"
    said = run(fit_command, data, "--model", "m", "-o", out, code=1)
    assert "such members of events cannot be read" in said
    assert not out.exists()
    run(fit_command, data, "--model", "m", "-o", out, "--ignore", name)
