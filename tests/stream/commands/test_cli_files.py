"""The commands that need no Kafka: fit, replay, and how failures look."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from detectors import Reference
from stream.cli import COMMANDS, cli
from stream.config.load import load_config
from stream.contracts.alert_event import decode_alert


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def write_rows(path: Path, n: int, *, start: str, shift: float = 0.0, seed: int = 0) -> Path:
    """A CSV of a small fraud model; `shift` moves the log of the amount."""
    rng = np.random.default_rng(seed)
    times = np.datetime64(start, "s") + np.arange(n)
    log_amount = rng.normal(3 + shift, 1, n)
    amount = np.exp(log_amount).round(2)
    age = rng.integers(18, 80, n).astype(str)
    age[rng.random(n) < 0.03] = ""
    country = rng.choice(["DE", "FR", "PL"], n, p=[0.5, 0.3, 0.2])
    score = (1 / (1 + np.exp(3 - log_amount))).round(4)
    label = np.where(score > 0.7, "fraud", "ok")
    rows = [
        f"{t}Z,r{i},{a},{g},{c},{la},{s}"
        for i, (t, a, g, c, la, s) in enumerate(zip(times, amount, age, country, label, score))
    ]
    path.write_text("\n".join(["ts,request,amount,age,country,label,p", *rows]) + "\n")
    return path


FIT = (
    "--model",
    "fraud",
    "--version",
    "3",
    "--timestamp",
    "ts",
    "--id",
    "request",
    "--prediction",
    "label",
    "--score",
    "p",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_rows(folder / "january.csv", 6000, start="2026-01-01T00:00:00")
    write_rows(folder / "same.csv", 4000, start="2026-02-01T00:00:00", seed=1)
    write_rows(folder / "changed.csv", 4000, start="2026-02-01T00:00:00", seed=2, shift=0.6)
    result = run("fit", folder / "january.csv", *FIT, "-o", folder / "fraud.json")
    assert result.exit_code == 0, result.output
    return folder


def test_fit(folder: Path) -> None:
    result = run("fit", folder / "january.csv", *FIT, "-o", folder / "again.json")
    assert result.exit_code == 0, result.output
    assert "fraud 3: 6,000 rows" in result.stdout
    assert 'name = "fraud"' in result.stderr
    reference = Reference.from_json((folder / "again.json").read_bytes())
    assert {s.name: (s.role, s.kind) for s in reference.signals} == {
        "amount": ("feature", "numeric"),
        "age": ("feature", "numeric"),
        "country": ("feature", "categorical"),
        "label": ("label", "categorical"),
        "p": ("score", "numeric"),
    }
    assert reference.columns.id == "request"
    assert reference.hash == Reference.from_json((folder / "fraud.json").read_bytes()).hash


def test_fit_sorts_by_time_and_says_so(folder: Path, tmp_path: Path) -> None:
    head, *rows = (folder / "january.csv").read_text().splitlines()
    (tmp_path / "backwards.csv").write_text("\n".join([head, *rows[::-1]]) + "\n")
    result = run("fit", tmp_path / "backwards.csv", *FIT, "-o", tmp_path / "r.json")
    assert "rows were not in the order of time: sorted" in result.stderr
    ours = Reference.from_json((tmp_path / "r.json").read_bytes())
    theirs = Reference.from_json((folder / "fraud.json").read_bytes())
    assert [s.calibration.phi for s in ours.signals] == [s.calibration.phi for s in theirs.signals]


def test_fit_of_dates_proposes_a_pane_of_a_day(tmp_path: Path) -> None:
    days = np.datetime64("2024-01-01") + np.arange(400)
    values = np.random.default_rng(0).normal(size=400)
    rows = "\n".join(f"{d},{v:.4f}" for d, v in zip(days, values))
    (tmp_path / "d.csv").write_text(f"day,v\n{rows}\n")
    result = run(
        "fit", tmp_path / "d.csv", "--model", "m", "--timestamp", "day", "-o", tmp_path / "r.json"
    )
    assert result.exit_code == 0, result.output
    assert "dates without a time of day: a pane of one day (1d) is proposed" in result.stderr
    assert 'pane = "1d"' in result.stderr


def test_fit_proposes_slots_where_a_season_shows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minutes = np.arange(0, 7 * 1440, 2)
    times = np.datetime64("2026-01-01T00:00:00", "s") + minutes * 60
    day = 3 * np.sin(minutes / 1440 * 2 * np.pi) + rng.normal(size=minutes.size)
    noise = rng.normal(size=minutes.size)
    rows = "\n".join(f"{t}Z,{d:.3f},{n:.3f}" for t, d, n in zip(times, day, noise))
    (tmp_path / "d.csv").write_text(f"t,warm,noise\n{rows}\n")
    fit = ("fit", tmp_path / "d.csv", "--model", "m", "--timestamp", "t", "-o", tmp_path / "r")
    proposed = " ".join(run(*fit).stderr.split())
    assert "a season shows" in proposed
    assert "of the variance of 'warm'" in proposed
    assert "--slots auto --time-zone UTC" in proposed
    assert "variance of 'noise'" not in proposed
    for taken in (("--slots", "auto", "--time-zone", "Europe/Berlin"), ("--cycle", "24h")):
        said = " ".join(run(*fit, *taken).stderr.split())
        assert "slots, every day by the clock of" in said
        assert "Mon-Sun: 0-" in said
        assert "a season shows" not in said
        assert "7 days have one weekend or two only" in said
        assert Reference.from_json((tmp_path / "r").read_bytes()).calendar is not None
    assert "season" not in run(*fit, "--slots", "off").stderr


def test_fit_leaves_identifiers_and_times_out(tmp_path: Path) -> None:
    rows = "\n".join(f"u{i},2026-01-01T00:00:{i % 60:02d}Z,{i % 7},{i % 2}" for i in range(3000))
    (tmp_path / "d.csv").write_text(f"user,seen,v,said\n{rows}\n")
    result = run(
        "fit", tmp_path / "d.csv", "--model", "m", "--prediction", "said", "-o", tmp_path / "r.json"
    )
    assert "3,000 different values, so an identifier (see --id)" in result.stdout
    assert "times are no signal" in result.stdout
    reference = Reference.from_json((tmp_path / "r.json").read_bytes())
    assert [(s.name, s.kind) for s in reference.signals] == [
        ("v", "numeric"),
        ("said", "categorical"),
    ]
    assert reference.columns.ignored == ("user", "seen")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--timestamp", "tss"), 2, "has no column 'tss'. Did you mean ts?"),
        (("--prediction", "label", "--score", "label"), 2, "is named for two purposes"),
        (("--cycle", "soon"), 2, "is not a duration. Use 24h or 7d"),
        (("--cycle", "7d", "--slots", "auto"), 2, "say the same: leave --cycle out"),
        (("--slots", "auto"), 2, "--slots needs times. Name their column with --timestamp"),
        (("--timestamp", "ts", "--slots", "auto"), 1, "rows are of fewer than 4 days"),
        (("--time-zone", "Berlin"), 2, "such as Europe/Berlin"),
        (("--timestamp", "country"), 1, "country in row 1 is not a time"),
    ],
)
def test_fit_mistakes(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("fit", folder / "january.csv", "--model", "m", *arguments, "-o", tmp_path / "r")
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())


def test_replay_without_and_with_a_change(folder: Path, tmp_path: Path) -> None:
    quiet = run("replay", folder / "same.csv", "--reference", folder / "fraud.json")
    assert quiet.exit_code == 0, quiet.output
    assert quiet.stdout == ""
    assert "4,000 events, no episode" in quiet.stderr

    out = tmp_path / "alerts.jsonl"
    loud = run(
        "replay", folder / "changed.csv", "--reference", folder / "fraud.json", "--alerts", out
    )
    assert loud.exit_code == 0, loud.output
    alerts = [decode_alert(line) for line in out.read_bytes().splitlines()]
    kinds = {alert.data.labels.kind for alert in alerts}
    assert kinds == {"data_drift", "prediction_drift"}
    assert alerts[0].data.signals[0].name == "amount"
    assert alerts[0].data.labels.model_version == "3"
    assert "Data drift: median of 'amount' 19.6 -> 34.9" in loud.stdout


def test_replay_is_the_same_by_config(folder: Path, tmp_path: Path) -> None:
    config = folder / "config.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "localhost:1"\n[worker]\nenvironment = "default"\n'
        '[[models]]\nname = "fraud"\nreference = "fraud.json"\n'
    )
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for how, out in ((("--reference", folder / "fraud.json"), a), (("-c", config), b)):
        assert run("replay", folder / "changed.csv", *how, "--alerts", out).exit_code == 0
    assert a.read_bytes() == b.read_bytes()


def test_replay_says_what_went_wrong_with_rows(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "same.csv").read_text().splitlines()
    lines[5] = lines[5].replace("2026-02-01T", "yesterday")
    lines[-1] = lines[-1].replace("2026-02-01", "2026-01-31")
    (tmp_path / "odd.csv").write_text("\n".join(lines) + "\n")
    result = run("replay", tmp_path / "odd.csv", "--reference", folder / "fraud.json")
    assert result.exit_code == 0, result.output
    assert "4,000 events" in result.stderr
    assert "1 row was refused: bad_timestamp; row 5: ts is not a time" in result.stderr
    assert "1 event came too late to be counted. Sort the rows by their time." in result.stderr


def test_replay_mistakes(folder: Path, tmp_path: Path) -> None:
    reference = folder / "fraud.json"
    assert run("replay", folder / "same.csv").exit_code == 2
    (tmp_path / "b.csv").write_text("ts,request\n1,2\n")
    wrong = run("replay", tmp_path / "b.csv", "--reference", reference)
    assert wrong.exit_code == 1
    assert "the reference has the column 'amount', the file has not" in wrong.stderr
    broken = tmp_path / "broken.json"
    broken.write_text(reference.read_text().replace('"events":6000', '"events":6001'))
    wrong = run("replay", folder / "same.csv", "--reference", broken)
    assert wrong.exit_code == 1
    assert "hash must be" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    (tmp_path / "c.toml").write_text("[kafka]\nbootstrap_servers = 'x:1'\n[[model]]\n")
    wrong = run("replay", folder / "same.csv", "-c", tmp_path / "c.toml")
    assert wrong.exit_code == 2
    assert "c.toml: model is not a known key. Did you mean models?" in wrong.stderr


def test_check_offline(folder: Path) -> None:
    config = folder / "check.toml"
    text = '[kafka]\nbootstrap_servers = "localhost:1"\n[[models]]\nname = "fraud"\n'
    config.write_text(text + 'reference = "fraud.json"\n')
    good = run("check", "-c", config, "--offline")
    assert good.exit_code == 0, good.output
    assert "5 signals of 6,000 rows" in good.stdout
    config.write_text(text + 'reference = "absent.json"\n')
    wrong = run("check", "-c", config, "--offline")
    assert wrong.exit_code == 1
    assert "models[0].reference cannot be read" in wrong.stdout
    config.write_text(text + 'reference = "fraud.json"\n[models.signals.amuont]\npublic = true\n')
    wrong = run("check", "-c", config, "--offline")
    assert wrong.exit_code == 1
    assert "signals.amuont is not in the reference" in wrong.stdout


@pytest.mark.parametrize(
    ("of", "said", "words"),
    [
        (("loans", "1"), ("loans", "1"), ""),
        (("loans", "1"), ("loans", "*"), ""),
        (("loans", ""), ("loans", "3"), ""),
        (("fraud", "1"), ("loans", "*"), "of model 'fraud', not 'loans'"),
        (("loans", "1"), ("loans", "3"), "of version '1', not '3'"),
    ],
)
def test_check_of_a_reference_of_another_model_or_version(
    folder: Path, tmp_path: Path, of: tuple[str, str], said: tuple[str, str], words: str
) -> None:
    done = run(
        "fit",
        folder / "january.csv",
        *FIT,
        "--model",
        of[0],
        "--version",
        of[1],
        "-o",
        tmp_path / "it.json",
    )
    assert done.exit_code == 0, done.output
    config = tmp_path / "check.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "localhost:1"\n[[models]]\n'
        f'name = "{said[0]}"\nversion = "{said[1]}"\nreference = "it.json"\n'
    )
    checked = run("check", "-c", config, "--offline")
    assert checked.exit_code == (1 if words else 0), checked.output
    assert ("reference says that it is" in checked.stdout) == bool(words)
    assert words in checked.stdout


def test_produce_of_a_version_without_a_plan_sends_nothing(folder: Path) -> None:
    """It does not even look for Kafka."""
    config = folder / "versions.toml"
    model = '[[models]]\nname = "fraud"\nreference = "fraud.json"\n'
    config.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n' + model + 'version = "3"\n')
    produce = ("produce", folder / "same.csv", "-c", config, "--model", "fraud")
    wrong = run(*produce, "--version", "9")
    assert wrong.exit_code == 2
    assert "no plan is for version '9' of fraud" in wrong.stderr
    assert "The config has '3'." in wrong.stderr
    for fine in (None, "3"):
        assert load_config(config).model_for("fraud", fine).version == "3"
    config.write_text(config.read_text() + model)
    assert load_config(config).model_for("fraud", "9").version == "*"
    assert load_config(config).model_for("fraud", "3").version == "3"


def test_every_command_explains_itself() -> None:
    assert run("--help").exit_code == 0
    for name in COMMANDS:
        result = run(name, "--help")
        assert result.exit_code == 0, result.output
    assert run("nonsense").exit_code == 2


def test_no_kafka_is_one_line(folder: Path) -> None:
    config = folder / "nowhere.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "127.0.0.1:1"\n'
        '[[models]]\nname = "fraud"\nreference = "fraud.json"\n'
    )
    result = run("check", "-c", config)
    assert result.exit_code == 1
    assert "no Kafka at 127.0.0.1:1" in result.stdout


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json\nfrom stream.cli import cli\n"
        "try:\n    cli(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & {"numpy", "numba", "pyarrow", "kafka", "aiokafka", "faust", "rich"}


COLUMNS = ("--timestamp", "ts", "--id", "request", "--prediction", "label", "--score", "p")


def learning_config(folder: Path, settings: str = "") -> Path:
    path = folder / "learning.toml"
    path.write_text(
        '[kafka]\nbootstrap_servers = "localhost:9092"\n[[models]]\nname = "fraud"\n'
        f'signals = "auto"\nwarm_up = 4000\n{settings}'
    )
    return path


def test_replay_learns_and_finds_and_writes_a_reference_that_replays(tmp_path: Path) -> None:
    calm = write_rows(tmp_path / "calm.csv", 9000, start="2026-01-01T00:00:00")
    changed = write_rows(tmp_path / "c.csv", 4000, start="2026-01-01T02:30:00", shift=0.6, seed=2)
    both = tmp_path / "both.csv"
    both.write_text(calm.read_text() + changed.read_text().partition("\n")[2])
    config, saved = learning_config(tmp_path), tmp_path / "learned.json"
    result = run(
        "replay",
        both,
        "-c",
        config,
        *COLUMNS,
        "--save-reference",
        saved,
        "--report",
        tmp_path / "r.html",
    )
    assert result.exit_code == 0, result.output
    assert "nothing is tested while the reference is learned" in result.stderr
    assert "fraud: reference learned from 4,000 events, 5 signals; tested from " in result.stderr
    assert "2026-01-01T02:" in result.stdout.splitlines()[0]  # not before the change
    assert "amount" in result.stdout
    assert "<html" in (tmp_path / "r.html").read_text()
    reference = Reference.from_json(saved.read_bytes())
    assert {s.name: s.role for s in reference.signals} == {
        "age": "feature",
        "amount": "feature",
        "country": "feature",
        "label": "label",
        "p": "score",
    }
    again = run("replay", calm, "--reference", saved)
    assert again.exit_code == 0, again.output
    assert "9,000 events, no episode" in again.stderr


def test_replay_says_what_is_missing_where_it_could_not_learn(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "few.csv", 3000, start="2026-01-01T00:00:00")
    result = run(
        "replay",
        rows,
        "-c",
        learning_config(tmp_path),
        *COLUMNS,
        "--ignore",
        "country",
        "--save-reference",
        tmp_path / "no.json",
    )
    assert result.exit_code == 0, result.output
    assert "learned from 3,000 of 4,000 events so far, in the second half" in result.stderr
    assert "no.json was not written" in result.stderr
    assert not (tmp_path / "no.json").exists()


def test_columns_are_named_only_where_no_reference_says_them(folder: Path) -> None:
    result = run(
        "replay", folder / "same.csv", "--reference", folder / "fraud.json", "--timestamp", "ts"
    )
    assert result.exit_code == 2
    assert "--timestamp is for models without a reference" in result.output
    wrong = run("replay", folder / "same.csv", "-c", learning_config(folder), "--timestamp", "time")
    assert wrong.exit_code == 2
    assert "has no column 'time'" in wrong.output


def test_check_says_how_a_reference_is_learned(tmp_path: Path) -> None:
    result = run("check", "-c", learning_config(tmp_path, 'calibrate = "3h"\n'), "--offline")
    assert result.exit_code == 0
    assert "fraud: all signals that come; the reference is learned from 4,000" in result.stdout
    assert "at least 3h of event time" in result.stdout


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m stream.cli replay changed.csv --reference fraud.json | true"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True)
    assert "Broken pipe" not in done.stderr
    assert "Traceback" not in done.stderr
