"""`fit --protected`: outcomes by value in the reference, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from detectors import InvalidReferenceError, OutcomeOptions, Reference
from detectors import fit_reference as fit_columns
from detectors.references.segments import MAX_VALUES, OTHER_VALUES
from driftstream import fit_reference
from stream.cli import cli
from tests.census import census_or_skip

N = 3_000


def rows(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.random(N)
    return {
        "ts": 1_700_000_000 + np.arange(N),
        "score": score,
        "truth": np.where(rng.random(N) < score, "y", "n"),
        "sex": rng.choice(["f", "m", ""], N, p=[0.6, 0.38, 0.02]),
        "code": rng.choice([1, 2], N),
    }


def fit(tmp_path: Path, frame: dict[str, np.ndarray], *options: str) -> tuple[Result, Path]:
    path, out = tmp_path / "rows.csv", tmp_path / "m.json"
    lines = [",".join(frame), *(",".join(map(str, row)) for row in zip(*frame.values()))]
    path.write_text("\n".join(lines) + "\n")
    words = ["fit", str(path), "--model", "m", "--timestamp", "ts", "-o", str(out)]
    return CliRunner().invoke(cli, [*words, *options]), out


BINARY = ("--score", "score", "--actual", "truth")


def naive(
    score: np.ndarray, truth: np.ndarray, column: Sequence[str], value: str
) -> tuple[int, int, int, int]:
    """Negatives that were right and wrong, positives that were wrong and right."""
    of = np.asarray(column) == value
    said, yes = score[of] >= 0.5, truth[of]
    return (
        int((~said & ~yes).sum()),
        int((~said & yes).sum()),
        int((said & ~yes).sum()),
        int((said & yes).sum()),
    )


def counted(reference: Reference, column: str, value: str) -> tuple[int, ...]:
    assert reference.outcome is not None
    (protected,) = (p for p in reference.outcome.protected if p.column == column)
    cells = protected.counts[protected.scopes.index(f"{column}={value}")]
    return tuple(cells[[0, 1, 3, 4]].tolist())


def test_the_reference_holds_outcomes_by_value(tmp_path: Path) -> None:
    frame = rows()
    result, out = fit(tmp_path, frame, *BINARY, "--protected", "sex", "--protected", "code")
    assert result.exit_code == 0, result.output
    reference = Reference.from_json(out.read_bytes())
    assert reference.segments == reference.protected == ("sex", "code")
    truth = frame["truth"] == "y"
    for column, values in (("sex", ("f", "m")), ("code", ("1", "2"))):
        for value in values:
            own = frame[column].astype(str)
            assert counted(reference, column, value) == naive(frame["score"], truth, own, value)
        assert counted(reference, column, OTHER_VALUES) == (0, 0, 0, 0)  # none is missing or other
    assert {s.name for s in reference.signals} == {"score", "truth", "error"}
    assert "fairness by 'sex': predicted positive" in result.output
    for value in ("f", "m"):
        assert f"(sex={value})" in result.output
    assert Reference.from_json(reference.to_json()).hash == reference.hash


def test_a_frame_gives_the_same_as_a_file(tmp_path: Path) -> None:
    frame = rows()
    _, out = fit(tmp_path, frame, *BINARY, "--protected", "code")
    of_file = Reference.from_json(out.read_bytes())
    of_frame = fit_reference(
        {**frame, "ts": frame["ts"].astype("datetime64[s]")},
        timestamp="ts", score="score", actual="truth", protected=("code",),
    )  # fmt: skip
    assert of_frame.segments == ("code",)
    for value in ("1", "2"):
        assert counted(of_frame, "code", value) == counted(of_file, "code", value)


def test_combinations_have_outcomes_of_their_own(tmp_path: Path) -> None:
    frame = rows()
    _, out = fit(tmp_path, frame, *BINARY, "--protected", "code", "--protected", "sex, code")
    of_file = Reference.from_json(out.read_bytes())
    assert of_file.segments == of_file.protected == ("code", ("sex", "code"))
    assert {s.name for s in of_file.signals} == {"score", "truth", "error"}
    of_frame = fit_reference(
        {**frame, "ts": frame["ts"].astype("datetime64[s]"),
         "sex": np.where(frame["sex"] == "", None, frame["sex"])},
        timestamp="ts", score="score", actual="truth", protected=["code", ["sex", "code"]],
    )  # fmt: skip
    assert of_frame.segments == of_frame.protected == of_file.protected
    truth = frame["truth"] == "y"
    pair = np.char.add(np.char.add(frame["sex"], "+"), frame["code"].astype(str))
    for reference in (of_file, of_frame):
        assert reference.outcome is not None
        protected = reference.outcome.protected[1]
        found = {
            scope: tuple(row[[0, 1, 3, 4]].tolist())
            for scope, row in zip(protected.scopes, protected.counts, strict=True)
        }
        assert found == {
            f"sex={sex}, code={code}": naive(frame["score"], truth, pair, f"{sex}+{code}")
            for sex in ("f", "m")
            for code in (1, 2)
        } | {"sex, code=__other__": (0, 0, 0, 0)}  # without a sex is in no combination
    assert Reference.from_json(of_file.to_json()).hash == of_file.hash


def test_a_column_with_a_comma_in_its_name_is_itself(tmp_path: Path) -> None:
    frame = rows()
    path, out = tmp_path / "rows.csv", tmp_path / "m.json"
    header = 'ts,score,truth,sex,code,"sex,code"'
    lines = (",".join(map(str, (*row, row[3]))) for row in zip(*frame.values(), strict=True))
    path.write_text("\n".join([header, *lines]) + "\n")
    words = ["fit", str(path), "--model", "m", "-o", str(out), "--segment", "sex,code", *BINARY]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert Reference.from_json(out.read_bytes()).segments == ("sex,code",)


def test_what_is_beyond_the_most_frequent_values_is_counted_as_one() -> None:
    rng = np.random.default_rng(1)
    score = rng.random(N)
    truth = np.where(rng.random(N) < score, "y", "n")
    group = np.minimum(rng.geometric(0.15, N), 40)
    names = np.array([f"g{k}" for k in group])
    reference = fit_columns(
        {"score": score, "truth": truth, "group": names.tolist()},
        model="m",
        roles={"score": "score", "truth": "actual"},
        outcome=OutcomeOptions(protected=("group",)),
    )
    assert reference.outcome is not None
    (protected,) = reference.outcome.protected
    often = {n: int((names == n).sum()) for n in np.unique(names)}
    assert set(protected.values) == set(sorted(often, key=lambda n: (-often[n], n))[:MAX_VALUES])
    rest = ~np.isin(names, protected.values)
    assert int(protected.counts[-1].sum()) == int(rest.sum()) > 50
    assert int(protected.counts.sum()) == N


def test_few_outcomes_of_a_value_are_said(tmp_path: Path) -> None:
    frame = rows()
    frame["sex"] = np.where(np.arange(N) % 60 == 0, "x", "m")
    result, _ = fit(tmp_path, frame, *BINARY, "--protected", "sex")
    assert "warning: fewer than 100 outcomes, so not compared: sex=x" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--score", "score", "--protected", "sex"), "the rows need a truth"),
        (("--prediction", "score", "--actual", "code", "--numeric", "code", "--protected", "sex"),
         "fairness is that of classes"),
        ((*BINARY, "--protected", "six"), "no column 'six'"),
        ((*BINARY, "--protected", "sex", "--ignore", "sex"), "two purposes"),
        ((*BINARY, "--protected", "sex,six"), "no column 'six'"),
        ((*BINARY, "--segment", "sex,code", "--ignore", "code"), "two purposes"),
        ((*BINARY, "--segment", "sex,"), "got '' in ['sex', '']"),
        ((*BINARY, "--segment", "code,sex", "--protected", "sex,code"),
         "got ['sex', 'code'] beside ['code', 'sex']"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    result, out = fit(tmp_path, rows(), *options)
    assert result.exit_code != 0
    assert words in result.output
    assert not out.exists()


def test_a_frame_refuses_the_same_combination_twice() -> None:
    with pytest.raises(ValueError, match="got \\['sex', 'code'\\] beside \\['code', 'sex'\\]"):
        fit_reference(
            rows(), score="score", actual="truth",
            segments=[["code", "sex"]], protected=[["sex", "code"]],
        )  # fmt: skip


def test_columns_must_be_there() -> None:
    frame = rows()
    with pytest.raises(InvalidReferenceError, match="must have the column 'sex'"):
        fit_columns(
            {"score": frame["score"], "truth": frame["truth"]},
            model="m",
            roles={"score": "score", "truth": "actual"},
            outcome=OutcomeOptions(protected=("sex",)),
        )


@pytest.mark.parametrize("column", ["sex", "race"])
def test_the_census_to_the_row(column: str) -> None:
    known = census_or_skip().reference
    values = getattr(known, column)
    reference = fit_columns(
        {
            "score": known.score,
            "employed": [str(e) for e in known.employed.tolist()],
            column: values.tolist(),
        },
        model="employment",
        roles={"score": "score", "employed": "actual"},
        outcome=OutcomeOptions(positive="1", protected=(column,)),
    )
    for value in np.unique(values).tolist():
        expected = naive(known.score, known.employed == 1, values, value)
        assert counted(reference, column, value) == expected
