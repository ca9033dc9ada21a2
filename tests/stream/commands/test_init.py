"""`driftstream init`: from a file to a reference and a config that decides as `replay` does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from detectors import Reference
from stream.cli import cli
from stream.config.load import load_config
from stream.contracts.alert_event import decode_alert


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def init(*arguments: object) -> str:
    result = run("init", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: object) -> str:
    result = run("init", *arguments)
    assert result.exit_code == 2, result.output
    assert not list(Path().glob("*.toml"))
    return " ".join(result.output.split())


def write(
    name: str,
    columns: dict[str, list[object]] | None = None,
    n: int = 1_500,
    *,
    seed: int = 0,
    shift: float = 0.0,
    start: str | None = "2026-01-01T00:00:00",
) -> None:
    """A CSV of one row a minute, of a moved value, names with gaps, and other columns."""
    rng = np.random.default_rng(seed)
    stamps = [] if start is None else np.datetime64(start) + np.arange(n) * np.timedelta64(60, "s")
    frame: dict[str, list[object]] = {} if start is None else {"when": [f"{t}Z" for t in stamps]}
    frame["value"] = [f"{v:.3f}" for v in rng.normal(shift, 1, n)]
    frame["city"] = [
        "" if rng.random() < 0.05 else str(rng.choice(["Rome", "Oslo"])) for _ in range(n)
    ]
    frame |= columns or {}
    rows = zip(*frame.values(), strict=True)
    Path(name).write_text("\n".join(",".join(map(str, row)) for row in [list(frame), *rows]) + "\n")


def decisions(*arguments: object) -> list[tuple[object, ...]]:
    result = run("replay", "later.csv", *arguments, "--alerts", "alerts.jsonl")
    assert result.exit_code == 0, result.output
    alerts = map(decode_alert, Path("alerts.jsonl").read_bytes().splitlines())
    return [(a.id, a.time, a.data.episode, a.data.annotations.summary) for a in alerts]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--version", "3", "--segment", "city"),
        ("--hash", "city", "--hash-key-file", "key"),
    ],
)
def test_the_config_decides_as_replay_does(options: tuple[str, ...]) -> None:
    write("january.csv", {"score": list(np.arange(1_500) % 7 / 7)})
    write(
        "later.csv",
        {"score": list(np.arange(1_500) % 7 / 7)},
        seed=1,
        shift=0.8,
        start="2026-02-01T00:00:00",
    )
    Path("key").write_text("a key of more than sixteen letters")
    init("january.csv", "--model", "fraud", *options)
    ours = decisions("-c", "driftstream.toml")
    assert ours
    assert ours == decisions("--reference", "fraud.json", "--hash-key-file", "key")


def test_settings_that_are_commented_out_are_the_defaults() -> None:
    write("january.csv", {"odd 'name' [x]": [1.5] * 750 + [2.5] * 750})
    init(
        "january.csv",
        "--model",
        'a "b"/c',
        "-c",
        "conf/x.toml",
        "-o",
        "references/r.json",
        "--bootstrap-servers",
        "kafka:9093",
        "--topic",
        "events",
    )
    text = Path("conf/x.toml").read_text()
    config = load_config("conf/x.toml")
    assert config.kafka["bootstrap_servers"] == "kafka:9093"
    assert (config.models[0].name, config.models[0].topic) == ('a "b"/c', "events")
    ours = config.plan(config.models[0])
    assert ours.hash
    settings, _, notify = text.partition("#[[notify]]")
    other = r"^#(importance|tests|segments) .*$"  # which are examples, not defaults
    settings = re.sub(r"^#(?=\w+ =)", "", re.sub(other, "", settings, flags=re.M), flags=re.M)
    assert len(settings) < len(text) - len(notify)
    Path("conf/all.toml").write_text(settings)
    all_said = load_config("conf/all.toml")
    assert all_said.plan(all_said.models[0]).hash == ours.hash
    assert (all_said.worker, all_said.topics) == (config.worker, config.topics)
    examples = re.sub(r"^#(?=\w+ =|\[\[)", "", text, flags=re.M)
    Path("conf/examples.toml").write_text(examples)
    assert len(load_config("conf/examples.toml").notify) == 1
    assert ours.hash != load_config("conf/examples.toml").plans()[0].hash


def test_combinations_of_segments_stand_in_the_config_as_it_reads_them() -> None:
    write("january.csv", {"tier": ["gold", "free", "free"] * 500})
    said = init("january.csv", "--model", "m", "--segment", "tier", "--segment", "city,tier")
    assert "\n  segments    tier; city, tier\n" in said
    path = Path("driftstream.toml")
    path.write_text(re.sub("^#(?=segments)", "", path.read_text(), flags=re.M))
    config = load_config(path)
    assert config.models[0].settings["segments"] == ("tier", ("city", "tier"))
    assert config.plans()[0].segments == ("tier", ("city", "tier"))


def test_what_it_says() -> None:
    write(
        "january.csv",
        {
            "id": list(range(1_500)),
            "prediction": ["a", "b", "b"] * 500,
            "target": ["a", "b"] * 750,
            "same": [7] * 1_500,
        },
    )
    said = init("january.csv")
    assert "january.csv: 1,500 rows, 2026-01-01 00:00:00 to 2026-01-02 00:59:00 UTC" in said
    assert re.search(r"times +when \(the only column of times\)", said)
    assert re.search(r"prediction +prediction \(names\)", said)
    assert "if it is not: --role prediction=feature" in said
    assert re.search(r"numbers +value, same", said)
    assert re.search(r"names +city \(\d\.\d% missing\), target", said)
    assert "--actual target" in said
    assert re.search(r"left out +id: it grows", said)
    assert re.search(r"not tested: .*same", said)
    assert "wrote january.json" in said
    for line in (
        "driftstream replay NEW -c driftstream.toml",
        "broker start --port 9092",
        "topics -c driftstream.toml --create",
        "check -c driftstream.toml",
        "worker -c driftstream.toml",
        "page: http://127.0.0.1:9464/",
        "produce NEW -c driftstream.toml --model january",
        "alerts -c driftstream.toml --follow",
    ):
        assert line in said
    roles = {s.name: s.role for s in Reference.from_json(Path("january.json").read_bytes()).signals}
    assert roles["prediction"] == "label"
    assert roles["target"] == "feature"
    assert not run("check", "-c", "driftstream.toml", "--offline").exit_code


def test_a_wide_table_is_told_in_a_few_lines() -> None:
    values = np.random.default_rng(1).normal(size=(20, 1_500)).round(3).tolist()
    numbers = {f"number{i}": some for i, some in enumerate(values)}
    write("d.csv", {**numbers, **{f"id{i}": list(range(1_500)) for i in range(20)}})
    lines = init("d.csv").splitlines()
    left_out = [line for line in lines if line.startswith("  left out ")]
    assert len(left_out) == 13
    assert left_out[-1].endswith("8 more: `driftstream fit` lists every column")
    assert any(line.startswith("  numbers ") and line.endswith("and 9 more") for line in lines)


def test_a_season_is_proposed_and_taken() -> None:
    minutes = np.arange(0, 7 * 1440, 5)
    times = np.datetime64("2026-01-01T00:00:00") + minutes * np.timedelta64(60, "s")
    warm = 3 * np.sin(minutes / 720 * np.pi) + np.random.default_rng(0).normal(size=minutes.size)
    rows = "\n".join(f"{t}Z,{v:.3f}" for t, v in zip(times, warm, strict=True))
    Path("d.csv").write_text(f"t,warm\n{rows}\n")
    assert "--slots auto --time-zone UTC" in " ".join(init("d.csv").split())
    said = init("d.csv", "--slots", "auto", "--time-zone", "Europe/Rome", "--force")
    assert "by the clock of Europe/Rome" in " ".join(said.split())
    config = load_config("driftstream.toml")
    assert config.plan(config.models[0]).reference.calendar is not None


def test_nothing_is_written_over_without_force() -> None:
    write("january.csv", seed=5)
    init("january.csv")
    before = Path("january.json").read_bytes()
    Path("driftstream.toml").write_text("mine")
    write("january.csv", seed=6)
    for there, options in (
        ("driftstream.toml and january.json are", ()),
        ("january.json is", ("-c", "new.toml")),
    ):
        if options:
            Path("driftstream.toml").rename("kept")
        result = run("init", "january.csv", *options)
        assert result.exit_code == 2
        assert f"{there} there already. Write over with --force" in " ".join(result.output.split())
    assert Path("january.json").read_bytes() == before
    assert Path("kept").read_text() == "mine"
    assert not Path("new.toml").exists()
    init("january.csv", "--force")
    assert Path("january.json").read_bytes() != before
    assert "one name" not in run("init", "january.csv", "-c", "x", "-o", "y").output
    assert "-c and -o name one file" in run("init", "january.csv", "-c", "x", "-o", "x").output


@pytest.mark.parametrize("name", ["time", "event_ts", "createdAt"])
def test_epoch_numbers_are_times_by_their_names(name: str) -> None:
    write("d.csv", {name: list(range(1_767_225_600, 1_767_225_600 + 1_500))}, start=None)
    assert re.search(rf"times +{name} \(by its name and its numbers\)", init("d.csv"))


def test_numbers_that_are_no_times_are_none() -> None:
    since = list(np.random.default_rng(0).integers(0, 90_000, 1_500))
    write("d.csv", {"Time": since, "big": [1_767_225_600 + int(s) for s in since]}, start=None)
    assert "no column has times: rows count as one a second" in init("d.csv")
    columns = Reference.from_json(Path("d.json").read_bytes()).columns
    assert columns.timestamp is None


def test_times_in_the_index_of_a_data_frame() -> None:
    write("plain.csv")
    Path("d.csv").write_text(Path("plain.csv").read_text().removeprefix("when"))
    said = init("d.csv", "--model", "m")
    assert "times       the column without a name (the only column of times)" in said
    init("plain.csv", "--model", "m", "-c", "other.toml", "-o", "other.json")
    references = Path("m.json"), Path("other.json")
    ours, theirs = (Reference.from_json(path.read_bytes()) for path in references)
    assert ours.columns.timestamp == ""
    assert (ours.first_ms, ours.last_ms) == (theirs.first_ms, theirs.last_ms)
    for name, text in (("later.csv", "d.csv"), ("named.csv", "plain.csv")):
        Path(name).write_text(Path(text).read_text().replace("2026-01-01", "2026-02-01"))
    result = run("replay", "later.csv", "-c", "driftstream.toml")
    assert "1,500 events, no episode" in result.output
    assert run("replay", "named.csv", "-c", "other.toml").output == result.output


def test_an_index_without_a_name_is_left_out_and_is_no_id() -> None:
    write("plain.csv")
    head, *rows = Path("plain.csv").read_text().splitlines()
    lines = [f",{head}", *(f"{i % 750},{row}" for i, row in enumerate(rows))]
    Path("d.csv").write_text("\n".join(lines) + "\n")
    said = init("d.csv")
    assert "left out    (no name): it has no name, as an index" in said
    # Two halves that were joined: their numbers come twice, and are no ids of predictions.
    assert "duplicates" not in run("replay", "d.csv", "-c", "driftstream.toml").output


def test_several_columns_of_times_are_asked_about() -> None:
    write("d.csv", {"sold at": ["2026-01-05"] * 1_500})
    assert "several columns of times: 'when', 'sold at'" in refused("d.csv")
    assert "times       sold at" in init("d.csv", "--timestamp", "sold at")


def test_a_file_that_is_not_there() -> None:
    write("january.csv")
    Path("empty").mkdir()
    Path("nothing.csv").touch()
    Path("head.csv").write_text("a,b\n")
    assert "janury.csv: no such file. Did you mean january.csv?" in refused("janury.csv")
    assert "there are head.csv, january.csv, nothing.csv" in refused("x.parquet")
    assert "There is no folder data either" in refused("data/january.csv")
    assert "No file in" in refused("empty/x.csv")
    assert ". is a folder. Name one of its files: head.csv" in refused(".")
    assert "empty is a folder. Name a file" in refused("empty")
    assert "nothing.csv: the file is empty" in refused("nothing.csv")
    result = run("init", "head.csv")
    assert result.exit_code == 1
    assert "there are no rows below the header" in result.output
    assert "janury.csv: no such file. Did you mean january.csv?" in " ".join(
        run("fit", "janury.csv", "--model", "m", "-o", "r.json").output.split()
    )


def test_columns_of_outcomes_are_followed_from_the_first_command_on() -> None:
    rng = np.random.default_rng(3)
    score = rng.random(2_000).round(4)
    truth = np.where(rng.random(2_000) < score, "yes", "no")
    lines = [
        f"2026-01-01T{i // 60 % 24:02}:{i % 60:02}:{i // 1_440:02},{s},{t}"
        for i, (s, t) in enumerate(zip(score, truth, strict=True))
    ]
    Path("data.csv").write_text("\n".join(["at,score,truth", *lines]) + "\n")
    said = init("data.csv", "--model", "m", "--score", "score", "--actual", "truth")
    assert "outcomes (two classes, 'yes' is positive and meant from a score of 0.5 on)" in said
    assert "accuracy" in said
    reference = load_config(Path("driftstream.toml")).model("m").reference
    assert Reference.from_json(Path(str(reference)).read_bytes()).outcome is not None
    assert run("replay", "data.csv", "-c", "driftstream.toml").exit_code == 0
