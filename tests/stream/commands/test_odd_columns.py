"""Odd columns go through `fit` and `replay` as docs/fit.md says, without a crash or an alarm."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from stream.commands.fit import command as fit
from stream.commands.replay import command as replay

N = 3_000


def write(
    path: Path, rng: np.random.Generator, first: int, constant: str = "7", mixed: bool = False
) -> None:
    """A file with every odd column there is, its rows out of the order of time if mixed."""
    number = [f"{v:.6g}" for v in rng.standard_normal(N)]
    texts = [v if rng.random() > 0.05 else "none" for v in number]
    infinite = [v if rng.random() > 0.1 else "inf" for v in number]
    columns = {
        "time": [str(1_700_000_000 + 60 * (first + i)) for i in range(N)],
        "constant": [constant] * N,
        "empty": [""] * N,
        "two": rng.choice(["0", "1"], N).tolist(),
        "huge": [str(2**62 + int(v)) for v in rng.integers(0, 2**61, N)],
        "infinite": infinite,
        "texts": texts,
        "names": [f"n{v}" for v in rng.zipf(1.3, N)],
        "twin": number,
        "again": number,
    }
    rows = list(zip(*columns.values(), strict=True))
    order = rng.permutation(N) if mixed else range(N)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        out.writerows(rows[i] for i in order)


def run(command: object, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.output


def test_odd_columns_are_fitted_with_words_and_replayed_in_silence(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    write(tmp_path / "a.csv", rng, 0, mixed=True)
    write(tmp_path / "b.csv", rng, N)
    write(tmp_path / "c.csv", rng, N, constant="8")
    reference = tmp_path / "r.json"
    said = run(fit, tmp_path / "a.csv", "--model", "m", "--timestamp", "time", "-o", reference)
    for words in ("not in the order of time: sorted", "same values", "one value only", "no value"):
        assert words in said
    calm = run(replay, tmp_path / "b.csv", "--reference", reference)
    assert "no episode" in calm
    alerts = tmp_path / "alerts"
    run(replay, tmp_path / "c.csv", "--reference", reference, "--alerts", alerts)
    first = json.loads(alerts.read_text().splitlines()[0])
    assert [s["name"] for s in first["data"]["signals"]] == ["constant"]


def test_whole_numbers_that_differ_beyond_the_digits_of_a_number_are_not_called_constant(
    tmp_path: Path,
) -> None:
    lines = [f"{1_700_000_000 + 60 * i},{10**21 + i},7" for i in range(N)]
    (tmp_path / "a.csv").write_text("\n".join(["time,key,seven", *lines]))
    out = tmp_path / "r.json"
    options = ("--model", "m", "--timestamp", "time", "-o", out)
    said = run(fit, tmp_path / "a.csv", *options)
    assert "key: is constant in its first 15 digits, and a number has no more. An id?" in said
    assert "not tested: key, seven: the reference has one value only" in said
    assert "constant in" not in run(fit, tmp_path / "a.csv", *options, "--ignore", "key")
