"""Files as people and spreadsheets write them: what is not read as it is meant is said."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from detectors import Reference
from stream.cli import cli as main
from stream.files import DataTable, Reading
from stream.files.formatted import formatted_note

N = 900


def amounts() -> list[float]:
    return [round(float(v), 2) for v in np.random.default_rng(0).lognormal(3.0, 0.6, N)]


def fit(path: Path, *options: str) -> tuple[Result, Reference | None]:
    out = path.with_suffix(".reference.json")
    result = CliRunner().invoke(main, ["fit", str(path), "--model", "m", "-o", str(out), *options])
    return result, Reference.from_json(out.read_bytes()) if result.exit_code == 0 else None


def csv_of(path: Path, texts: list[str]) -> Path:
    path.write_text("x\ty\n" + "".join(f"{t}\t{i % 7}\n" for i, t in enumerate(texts)))
    return path


FORMATS: dict[str, Callable[[float], str]] = {
    "$24.71": lambda v: f"${v:,.2f}",
    "24.71 €": lambda v: f"{v:.2f} €",
    "EUR 24.71": lambda v: f"EUR {v:.2f}",
    "US$24.71": lambda v: f"US${v:.2f}",
    "24.7%": lambda v: f"{v:.1f}%",
    "24.7 kg": lambda v: f"{v:.1f} kg",
    "24ms": lambda v: f"{v:.0f}ms",
    "24 km/h": lambda v: f"{v:.0f} km/h",
    "24 712 (no-break space)": lambda v: f"{v * 1e3:,.0f}".replace(",", "\u00a0"),
    "24'712.00": lambda v: f"{v * 1e3:,.2f}".replace(",", "'"),
    "(24.71)": lambda v: f"({v})",
    "minus sign": lambda v: f"−{v}",
    "00:24:42": lambda v: f"00:{int(v) % 60:02d}:42",
    "timedelta of pandas": lambda v: f"0 days 00:{int(v) % 60:02d}:42",
}


@pytest.mark.parametrize("form", FORMATS)
def test_formatted_numbers_are_asked_about(form: str, tmp_path: Path) -> None:
    texts = [FORMATS[form](v) for v in amounts()]
    result, _ = fit(csv_of(tmp_path / "a.csv", texts))
    assert result.exit_code == 0, result.output
    row = next(line for line in result.stdout.splitlines() if line.startswith("x "))
    assert "numbers? Write them as 12.5, in events too" in row  # also where it is left out
    pq.write_table(pa.table({"x": texts}), tmp_path / "a.parquet")
    table = DataTable(tmp_path / "a.parquet", Reading())
    assert "numbers? Write them as 12.5" in table.columns["x"].note


@pytest.mark.parametrize(
    "texts",
    [
        [f"Q{i}" for i in range(60)],
        [f"SKU-{i}" for i in range(60)],
        [f"{i}{'abcd'[i % 4]}" for i in range(60)],  # numbers of houses
        [f"10.0.{i}.{i * 3 % 256}" for i in range(60)],
        [f"{i}.{i % 12 + 1}.2026" for i in range(1, 29)],
        [f"{i}-{i + 5}" for i in range(60)],
        [f"SW{i} {i % 9}AA" for i in range(60)],
        ["7 %", "19 %", "0 %"],
        [str(i) for i in range(60)],
        ["red", "green"],
    ],
)
def test_names_with_digits_are_not(texts: list[str]) -> None:
    assert formatted_note(texts, [10] * len(texts)) == ""


def test_numbers_with_a_mark_for_none_are_asked_about_and_both_answers_work(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", ["-" if v < 10 else str(v) for v in amounts()])
    none = sum(v < 10 for v in amounts())
    result, _ = fit(path)
    assert f"'-' ({none} rows) is not: names. No value? --missing '-'" in result.stdout
    answers = {"missing": ("--missing", "-"), "invalid": ("--numeric", "x")}
    for where, options in answers.items():
        result, reference = fit(path, *options)
        assert reference is not None, result.output
        signal = next(s for s in reference.signals if s.name == "x")
        assert signal.kind == "numeric"
        assert signal.counts[getattr(signal.binning, where)] == none


def test_sizes_of_clothes_with_few_numbers_are_not_asked_about(tmp_path: Path) -> None:
    texts = (["36", "38", "40", "S", "M"] * N)[:N]
    result, _ = fit(csv_of(tmp_path / "a.csv", texts))
    assert "are numbers" not in result.stdout


@pytest.mark.parametrize("first", ["sep=;\n", "\ufeffsep=;\r\n", '"SEP=;"\n'])
def test_the_separator_that_a_spreadsheet_says(first: str, tmp_path: Path) -> None:
    rows = "x;y\n" + "".join(f"{v};{i % 3}\n" for i, v in enumerate(amounts()))
    (tmp_path / "plain.csv").write_text(rows)
    (tmp_path / "said.csv").write_text(first + rows, newline="")
    _, plain = fit(tmp_path / "plain.csv")
    result, said = fit(tmp_path / "said.csv")
    assert said is not None, result.output
    assert plain is not None
    assert said.to_json() == plain.to_json()
    replay = CliRunner().invoke(
        main,
        [
            "replay",
            str(tmp_path / "said.csv"),
            "--reference",
            str(tmp_path / "said.reference.json"),
        ],
    )
    assert f"{N} events" in replay.stderr, replay.output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "x,y\né,1\n".encode("utf-16"), "UTF-16 text. Save it as UTF-8"),
        ("a.tsv", "x\ty\né\t1\n".encode("utf-16-be").join((b"\xfe\xff", b"")), "UTF-16 text"),
        ("a.csv", "x,y\nÖl,1\n".encode("cp1252"), "not UTF-8 text; spreadsheets often"),
        ("a.csv", "Größe,y\n1,1\n".encode("cp1252"), "not UTF-8 text; spreadsheets often"),
        ("a.csv", b"PK\x03\x04rest", "a zip file or a workbook, not text"),
        ("a.csv", b"PAR1rest", "it is Parquet, not text. Name it *.parquet"),
        ("a.jsonl", b"PAR1rest", "it is Parquet, not text. Name it *.parquet"),
        ("a.csv", b"\x1f\x8b\x08rest", "it is gzip, not text. Name it *.gz"),
        ("a.json", b'[{"x":1},{"x":2}]', "Write one object a line: in pandas"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    result, reference = fit(tmp_path / name)
    assert reference is None
    assert result.exit_code == 1
    assert words in result.stderr


def test_one_time_for_all_rows_is_not_no_times(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-05T00:00:00Z,{v}\n" for v in amounts())
    (tmp_path / "a.csv").write_text("ts,x\n" + rows)
    result, _ = fit(tmp_path / "a.csv", "--timestamp", "ts")
    assert "rows have all the same time: events count as independent" in result.stderr
    assert "no times" not in result.stderr


def test_rows_of_one_hour_of_each_day_are_not_dates(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-{i // 40 + 1:02d}T02:00:00Z,{v}\n" for i, v in enumerate(amounts()))
    (tmp_path / "a.csv").write_text("ts,x\n" + rows)
    result, _ = fit(tmp_path / "a.csv", "--timestamp", "ts")
    assert "the times are one a day: a pane of one day (1d) is proposed" in result.stderr
    assert 'pane = "1d"' in result.stderr


def test_the_proposed_config_is_toml_whatever_the_model_is_called(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "a.csv", [str(v) for v in amounts()])
    name = 'a "b"\\c\n\x1b😀\U000e0001é'
    result = CliRunner().invoke(
        main, ["fit", str(path), "--model", name, "-o", str(tmp_path / "r.json")]
    )
    assert result.exit_code == 0, result.output
    config = result.stderr.partition("for the config:\n")[2].partition("wrote")[0]
    assert tomllib.loads(config)["models"][0]["name"] == name


def semicolons(path: Path, change: Callable[[list[str]], None] = lambda _: None) -> Path:
    lines = ["ts;x;label"]
    lines += [
        f"2026-01-01T{i // 60:02d}:{i % 60:02d}:00Z;{i % 97}.5;{'ab'[i % 2]}" for i in range(N)
    ]
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


def add_field(lines: list[str]) -> None:
    lines[6] += ";oops"


def test_a_csv_with_semicolons_is_read(tmp_path: Path) -> None:
    """And a replay of it against a reference of a file with commas, and the other way round."""
    path = semicolons(tmp_path / "a.csv")
    result, reference = fit(path, "--timestamp", "ts", "--prediction", "label")
    assert reference is not None, result.output
    assert [signal.name for signal in reference.signals] == ["x", "label"]
    commas = tmp_path / "b.csv"
    commas.write_text(path.read_text().replace(";", ","))
    made = path.with_suffix(".reference.json")
    for data in (path, commas):
        done = CliRunner().invoke(main, ["replay", str(data), "--reference", str(made)])
        assert done.exit_code == 0, done.output
        assert f"{N:,} events" in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add_field, "Separated by ';', line 7 has 4 fields and most have 3: "),
        (
            lambda lines: lines.insert(0, "Report of January"),
            "Separated by ';', line 1 has 1 field and most have 3: ",
        ),
    ],
)
def test_lines_of_other_lengths_are_named(
    change: Callable[[list[str]], None], words: str, tmp_path: Path
) -> None:
    path = semicolons(tmp_path / "a.csv", change)
    for options in ((), ("--timestamp", "ts")):
        result, _ = fit(path, *options)
        assert result.exit_code != 0
        said = " ".join(result.output.split())
        assert "ll of a line was read as one field." in said
        assert words in said
        assert "(fit --delimiter)" in said
    good = semicolons(tmp_path / "good.csv")
    assert fit(good, "--timestamp", "ts")[0].exit_code == 0
    made = str(good.with_suffix(".reference.json"))
    done = CliRunner().invoke(main, ["replay", str(path), "--reference", made])
    assert done.exit_code == 1
    assert words in done.stderr


def test_a_line_far_below_that_is_shorter_is_shown(tmp_path: Path) -> None:
    path = semicolons(tmp_path / "a.csv", lambda lines: lines.append("sum;12"))
    assert "Expected 3 columns, got 2: sum;12" in fit(path)[0].output


def test_a_file_of_one_column_is_no_case_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "".join(f"{v}\n" for v in amounts()))
    result, _ = fit(path, "--timestamp", "when")
    assert "has no column 'when'. It has: 'x'." in result.output
    assert "Separated by" not in result.output


def test_the_column_that_replay_misses_is_guessed_among_those_it_does_not_know(
    tmp_path: Path,
) -> None:
    path = semicolons(tmp_path / "a.csv")
    assert fit(path, "--timestamp", "ts", "--prediction", "label")[0].exit_code == 0
    made = str(path.with_suffix(".reference.json"))
    for header, words in (
        ("ts;x;lable", "'label', the file has not. Did you mean lable?"),
        ("ts;x;zzz", "'label', the file has not. It has: 'ts', 'x', 'zzz'."),
    ):
        other = tmp_path / "other.csv"
        other.write_text(path.read_text().replace("ts;x;label", header))
        done = CliRunner().invoke(main, ["replay", str(other), "--reference", made])
        assert done.exit_code == 1
        assert words in done.stderr


@pytest.mark.parametrize("index", ["numbers", "times"])
def test_an_index_of_pandas_is_left_out_and_told(index: str, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": amounts(), "c": ["a", "b", "c"] * (N // 3)})
    if index == "times":
        frame.index = pd.date_range("2026-01-01", periods=N, freq="min")
    frame.to_csv(tmp_path / "a.csv")
    result, reference = fit(tmp_path / "a.csv")
    assert reference is not None, result.output
    assert [signal.name for signal in reference.signals] == ["x", "c"]
    row = next(line for line in result.stdout.splitlines() if line.startswith("(no name)"))
    assert "left out: " in row
    assert ("to_csv(index_label='ts')" in row) == (index == "times")
