"""`driftstream replay --labels`: labels of another file count as truths that repeat predictions."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from driftstream import fit_reference, replay
from stream.cli import cli

N = 8_000
START = 1_700_006_400
STEP = 25
HOUR = 3_600

Row = dict[str, Any]


def rows_of(task: str, seed: int, *, turned: bool) -> list[Row]:
    """Predictions with their truths, which turn after half of the time or do not."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    turns = turned & (np.arange(N) >= N // 2)
    rows: list[Row] = []
    score = 1 / (1 + np.exp(-1.5 * x))
    yes = (rng.random(N) < score) ^ turns
    noise = rng.normal(size=N)
    for i in range(N):
        row: Row = {"ts": START + i * STEP, "id": f"p{i}", "x": round(float(x[i]), 4)}
        if task == "regression":
            said = round(3.0 * float(x[i]), 3)
            row |= {"said": said, "truth": round(said + float(noise[i]) + 1.5 * turns[i], 3)}
        elif task == "multiclass":
            at = int(np.digitize(x[i], [-0.5, 0.5]))
            right = rng.random() < (0.4 if turns[i] else 0.8)
            row |= {"said": "abc"[at], "p": round(0.6 + 0.3 * float(score[i]), 4)}
            row["truth"] = "abc"[at] if right else "bca"[at]
        else:
            row |= {"p": round(float(score[i]), 5), "truth": "yes" if yes[i] else "no"}
        rows.append({**row, "region": "eu" if i % 3 else "us", "device": "ab"[i % 2]})
    return rows


def labels_of(rows: list[Row], hours: float = 6.0) -> list[Row]:
    """Their labels, so much later."""
    after = [{"id": r["id"], "known": r["ts"] + hours * HOUR, "truth": r["truth"]} for r in rows]
    order = np.random.default_rng(5).permutation(len(after))  # a file of labels has any order
    return [after[i] for i in order.tolist()]


def without_truths(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "truth"} for row in rows]


def write(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def repeated(path: Path, rows: list[Row], labels: list[Row]) -> Path:
    """Both files as one of events whose truths repeat their predictions."""
    by_id = {row["id"]: row for row in rows}
    events = []
    for row in rows:
        events.append((row["ts"], 0, _event(row, row["ts"])))
    for label in labels:
        row = by_id[label["id"]]
        truth = {"actual": {"label": label["truth"]}, "prediction_timestamp": row["ts"]}
        events.append((label["known"], 1, _event(row, label["known"]) | truth))
    events.sort(key=lambda event: event[:2])
    path.write_text("".join(json.dumps(event) + "\n" for *_, event in events))
    return path


def _event(row: Row, time: float) -> dict[str, Any]:
    said = {key: row[name] for key, name in (("label", "said"), ("score", "p")) if name in row}
    return {
        "model": {"name": "m"}, "timestamp": time, "prediction_id": row["id"],
        "features": {"x": row["x"]}, "prediction": said,
        "segments": {name: row[name] for name in ("region", "device")},
    }  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def fitted(folder: Path, task: str) -> Path:
    out = folder / "ref.json"
    rows = rows_of(task, 0, turned=False)
    columns = ["--timestamp", "ts", "--id", "id", "--actual", "truth"]
    columns += ["--segment", "region,device"]
    if "said" in rows[0]:
        columns += ["--prediction", "said"]
    if "p" in rows[0]:
        columns += ["--score", "p"]
    done = run("fit", write(folder / "ref.csv", rows), "--model", "m", *columns, "-o", out)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("labels"), "score")


def configured(folder: Path, reference: Path, outcome: str) -> Path:
    path = folder / "config.toml"
    path.write_text(
        f'[kafka]\nbootstrap_servers = "localhost:1"\n[[models]]\nname = "m"\n'
        f'reference = "{reference}"\n[models.outcome]\n{outcome}\n'
    )
    return path


def replayed(
    out: Path, data: Path, reference: Path, *labels: object
) -> tuple[list[dict[str, Any]], str]:
    """Alert events without the places in files that they name, and what was said."""
    done = run("replay", data, "--reference", reference, "--alerts", out, *labels)
    assert done.exit_code == 0, done.output
    alerts = [json.loads(line) for line in out.read_text().splitlines()]
    for alert in alerts:
        for evidence in (alert["data"], alert["data"].get("evidence", {})):
            evidence.pop("offsets", None)
    return alerts, done.output


@pytest.mark.parametrize("task", ["score", "multiclass", "regression"])
def test_labels_by_id_give_the_alerts_of_truths_that_repeat(tmp_path: Path, task: str) -> None:
    reference = fitted(tmp_path, task)
    rows = rows_of(task, 1, turned=True)
    labels = labels_of(rows)
    whole = repeated(tmp_path / "whole.jsonl", rows, labels)
    expected, _ = replayed(tmp_path / "a.jsonl", whole, reference)
    kinds = {alert["data"]["labels"]["kind"] for alert in expected}
    assert kinds & {"performance", "concept_drift"}
    data = write(tmp_path / "now.csv", without_truths(rows))
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    found, said = replayed(tmp_path / "b.jsonl", data, reference, *joined)
    assert [alert["id"] for alert in found] == [alert["id"] for alert in expected]
    assert found == expected
    assert "labels by id: 8,000 of 8,000 predictions got one (100 %), half of them within" in said
    assert "half of them within 6 h\n" in said
    assert "warning: label" not in said
    assert "labels is" not in said


def test_labels_that_do_not_turn_are_silent(tmp_path: Path, reference: Path) -> None:
    rows = rows_of("score", 2, turned=False)
    labels = write(tmp_path / "labels.csv", labels_of(rows))
    data = write(tmp_path / "now.csv", without_truths(rows))
    alerts, _ = replayed(
        tmp_path / "a.jsonl", data, reference, "--labels", labels, "--label-time", "known"
    )
    assert alerts == []


def test_classes_whose_labels_come_at_other_times_are_named(
    tmp_path: Path, reference: Path
) -> None:
    rows = rows_of("score", 2, turned=False)
    labels = labels_of(rows)
    for label in labels:
        label["known"] += 40 * HOUR if label["truth"] == "no" else 0
    data = write(tmp_path / "now.csv", without_truths(rows))
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    alerts, words = replayed(tmp_path / "a.jsonl", data, reference, *joined)
    assert alerts
    assert (
        "warning: labels of 'no' come at another time than the rest: half of them within 3 d, of "
        "the rest within 6 h. What comes first is one-sided"
    ) in words


def test_labels_of_a_dump_and_a_column_of_truths_that_is_passed_by(
    tmp_path: Path, reference: Path
) -> None:
    rows = rows_of("score", 1, turned=True)
    labels = labels_of(rows)
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    data = write(tmp_path / "now.csv", without_truths(rows))
    expected, _ = replayed(tmp_path / "a.jsonl", data, reference, *joined)
    with_truth = write(tmp_path / "truths.csv", rows)
    assert replayed(tmp_path / "b.jsonl", with_truth, reference, *joined)[0] == expected
    dump = tmp_path / "labels.jsonl"
    dump.write_text(
        "".join(
            json.dumps({
                "model": {"name": "m"}, "timestamp": label["known"], "prediction_id": label["id"],
                "actual": label["truth"],
            }) + "\n"
            for label in labels
        )
    )  # fmt: skip
    found, _ = replayed(tmp_path / "c.jsonl", data, reference, "--labels", dump)
    assert found == expected
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(_event(row, row["ts"])) + "\n" for row in rows))
    assert replayed(tmp_path / "d.jsonl", events, reference, "--labels", dump)[0] == expected
    both = tmp_path / "both.jsonl"  # as they are on a topic
    lines = [*events.read_text().splitlines(), *dump.read_text().splitlines()]
    lines.sort(key=lambda line: float(json.loads(line)["timestamp"]))
    both.write_text("\n".join(lines) + "\n")
    found, words = replayed(tmp_path / "e.jsonl", both, reference, "--labels", both)
    assert found == expected
    assert "without a prediction" not in words
    found, words = replayed(tmp_path / "f.jsonl", both, reference)
    assert not any(alert["data"]["labels"]["kind"] == "performance" for alert in found)
    assert "warning: 8,000 actuals came without a prediction and were left out" in words


def test_what_found_no_partner_is_told(tmp_path: Path, reference: Path) -> None:
    rows = rows_of("score", 2, turned=False)
    labels = labels_of(rows)[: N // 2]
    first = labels[0]["known"]
    labels += [{"id": f"other{i}", "known": first, "truth": "yes"} for i in range(3)]
    labels += [
        {"id": "", "known": first, "truth": "yes"},
        {"id": "p1", "known": "", "truth": "yes"},
    ]
    labels += [{"id": "p2", "known": first, "truth": ""}]
    later = next(label for label in labels if label["truth"] == "no")
    labels += [{**later, "known": later["known"] + 60, "truth": "yes"}]
    data = without_truths(rows)
    data[0]["id"], data[1]["id"] = "", data[2]["id"]
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    config = configured(tmp_path, reference, 'wait = "1d"')
    done = run("replay", write(tmp_path / "now.csv", data), "-c", config, *joined)
    assert done.exit_code == 0, done.output
    said = done.output
    got = re.search(r"labels by id: ([\d,]+) of 7,998 predictions got one \((\d+)", said)
    assert got is not None, said
    assert 3_990 <= int(got[1].replace(",", "")) <= 4_000
    for words in (
        "predictions whose wait of 1 d is over have a label, the rest is unknown; accuracy",
        "warning: 3 labels have no prediction of their id in the 1 d before them",
        "warning: 1 label has no id",
        "warning: 1 row of labels was left out: no_truth; row 4006: truth is missing",
        "warning: 1 prediction has no id, so no label finds it",
        "warning: 1 prediction has the id of another and was not joined",
        "warning: 1 label corrects an earlier one",
        "warning: 1 row of labels was left out: bad_timestamp",
    ):
        assert words in said, said


def test_no_label_means_what_the_config_says(tmp_path: Path, reference: Path) -> None:
    rows = rows_of("score", 2, turned=False)
    labels = [label for label in labels_of(rows) if label["truth"] == "yes"]  # only these are told
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    data = write(tmp_path / "now.csv", without_truths(rows))
    one_sided, said = replayed(tmp_path / "a.jsonl", data, reference, *joined)
    assert {"label_drift", "concept_drift"} <= {a["data"]["labels"]["kind"] for a in one_sided}
    assert re.search(
        r"each of [\d,]+ labels is 'yes', which usually \d.*absent_means = \"no\"", said
    )

    def by_config(path: Path) -> str:
        config = configured(tmp_path, reference, 'wait = "8h"\nabsent_means = "no"')
        labels = [label for label in labels_of(rows) if label["truth"] == "yes"]
        write(tmp_path / "labels.csv", labels)
        done = run("replay", path, "-c", config, *joined, "--fail-on", "info")
        assert "the rest counts as 'no'; accuracy" in done.output
        assert "labels is" not in done.output
        return f"{done.exit_code} {done.output}"

    assert by_config(data).startswith("0")
    config = configured(tmp_path, reference, 'absent_means = "no"')
    done = run("replay", data, "-c", config, *joined)
    assert "warning: no outcome was counted: no label means 'no' only when the wait of 30 d" in (
        done.output
    )
    rows = rows_of("score", 2, turned=True)
    assert by_config(write(tmp_path / "turned.csv", without_truths(rows))).startswith("3")


def test_a_class_that_no_label_cannot_mean_is_refused(tmp_path: Path, reference: Path) -> None:
    data = write(tmp_path / "now.csv", rows_of("score", 2, turned=False)[:10])
    done = run("replay", data, "-c", configured(tmp_path, reference, 'absent_means = "ok"'))
    assert done.exit_code != 0
    assert "they are no, yes; got 'ok'" in done.output


BAD = {
    "no time": (["--labels", "labels.csv"], "Name its column: --label-time COLUMN"),
    "no such time": (
        ["--labels", "labels.csv", "--label-time", "knwon"],
        "There is no 'knwon'. Did you mean known?",
    ),
    "the truth for a time": (
        ["--labels", "labels.csv", "--label-time", "truth"], "'truth' is the column of truths",
    ),
    "time without labels": (["--label-time", "known"], "give --labels FILE, too"),
    "time of events": (
        ["--labels", "labels.jsonl", "--label-time", "known"],
        "holds events, which have their times",
    ),
    "no truth": (["--labels", "none.csv", "--label-time", "known"], "There is no 'truth'"),
    "two of a name": (["--labels", "two.csv", "--label-time", "known"], "two"),
}  # fmt: skip


@pytest.mark.parametrize("how", BAD)
def test_labels_that_cannot_be_read_are_refused(
    tmp_path: Path, reference: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of("score", 2, turned=False)[:10]
    write(tmp_path / "now.csv", rows)
    write(tmp_path / "labels.csv", labels_of(rows))
    (tmp_path / "none.csv").write_text("id,known\np1,2024-01-01\n")
    (tmp_path / "two.csv").write_text("id,known,truth,truth\np1,2024-01-01,yes,no\n")
    event = {"model": {"name": "m"}, "timestamp": 1.7e9, "prediction_id": "p1", "actual": "yes"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(event) + "\n")
    arguments, words = BAD[how]
    done = run("replay", "now.csv", "--reference", reference, *arguments)
    assert done.exit_code != 0
    assert words in re.sub(r"\s+", " ", done.output), done.output


def test_a_reference_without_ids_or_truths_cannot_join(tmp_path: Path) -> None:
    rows = rows_of("score", 2, turned=False)
    write(tmp_path / "ref.csv", rows)
    labels = write(tmp_path / "labels.csv", labels_of(rows))
    for columns, words in (
        (
            ["--actual", "truth", "--ignore", "id"],
            "Fit it again and name that of the predictions: --id",
        ),
        (["--id", "id", "--ignore", "truth"], "Fit it on rows with their truth: --actual COLUMN"),
    ):
        out = tmp_path / "ref.json"
        done = run("fit", tmp_path / "ref.csv", "--model", "m", "--timestamp", "ts", "--score", "p",
                   *columns, "-o", out)  # fmt: skip
        assert done.exit_code == 0, done.output
        done = run("replay", tmp_path / "ref.csv", "--reference", out, "--labels", labels,
                   "--label-time", "known")  # fmt: skip
        assert done.exit_code != 0
        assert words in re.sub(r"\s+", " ", done.output), done.output


def test_frames_are_joined_as_files_are(tmp_path: Path, reference: Path) -> None:
    rows = rows_of("score", 1, turned=True)
    labels = labels_of(rows)
    joined = ("--labels", write(tmp_path / "labels.csv", labels), "--label-time", "known")
    data = write(tmp_path / "now.csv", rows)
    expected, _ = replayed(tmp_path / "a.jsonl", data, reference, *joined)

    def frame(of: list[Row]) -> dict[str, Any]:
        return {name: [row[name] for row in of] for name in of[0]}

    found = replay(frame(rows), reference, labels=frame(labels), label_time="known")
    assert [alert.id for alert in found.alerts] == [alert["id"] for alert in expected]
    assert any("labels by id: 8,000 of 8,000" in note for note in found.notes)
    by_path = replay(str(data), reference, labels=tmp_path / "labels.csv", label_time="known")
    assert by_path.alerts == found.alerts
    with pytest.raises(ValueError, match="Name its column: label_time="):
        replay(frame(rows), reference, labels=frame(labels))
    without_ids = fit_reference(frame(rows), timestamp="ts", score="p", actual="truth")
    with pytest.raises(ValueError, match=r"name that of the predictions: prediction_id=\."):
        replay(frame(rows), without_ids, labels=frame(labels), label_time="known")
    with pytest.raises(ValueError, match="labels has no column 'when'"):
        replay(frame(rows), reference, labels=frame(labels), label_time="when")
    with pytest.raises(ValueError, match="give labels=, too"):
        replay(frame(rows), reference, label_time="known")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_reference_of_two_files_is_that_of_one(tmp_path: Path, form: str) -> None:
    rows = rows_of("score", 0, turned=False)
    labels = [{"id": row["id"], "truth": row["truth"]} for row in rows[: N // 2]]
    whole = [{**row, "truth": row["truth"] if i < N // 2 else None} for i, row in enumerate(rows)]
    several = [*labels, labels[0], {"id": "other", "truth": "yes"}, {"id": "p9", "truth": None}]
    np.random.default_rng(0).shuffle(several)  # type: ignore[arg-type]

    def put(name: str, of: list[Row]) -> Path:
        if form == "csv":
            return write(tmp_path / f"{name}.csv", of)
        pq.write_table(pa.Table.from_pylist(of), tmp_path / f"{name}.parquet")
        return tmp_path / f"{name}.parquet"

    columns = ["--model", "m", "--timestamp", "ts", "--id", "id", "--score", "p",
               "--actual", "truth", "--segment", "region", "--ignore", "device"]  # fmt: skip
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    done = run("fit", put("whole", whole), *columns, "-o", one)
    assert done.exit_code == 0, done.output
    files = put("apart", without_truths(rows)), "--labels", put("labels", several)
    done = run("fit", *files, *columns, "-o", two)
    assert done.exit_code == 0, done.output
    assert "4,000 of 4,001 labels were joined to the row with their id" in done.output
    assert "warning: 1 label has no row with that id" in done.output
    assert two.read_bytes() == one.read_bytes()
    done = run("fit", put("whole", rows), *files[1:], *columns, "-o", two)  # its column is replaced
    assert done.exit_code == 0, done.output
    assert json.loads(two.read_text())["outcome"] == json.loads(one.read_text())["outcome"]


BAD_FITS = {
    "no id": ([], "give --id and --actual"),
    "no truth": (["--id", "id", "--actual", "what"], "There is no 'what'"),
    "two truths": (["--id", "id", "--actual", "truth"], "1 id has two truths or more"),
    "no row": (["--id", "id", "--actual", "none"], "no row has both an id and a truth"),
    "other types": (["--id", "id", "--actual", "truth"], "must both have types or both be CSV"),
}  # fmt: skip


@pytest.mark.parametrize("how", BAD_FITS)
def test_labels_that_cannot_be_fitted_are_refused(tmp_path: Path, how: str) -> None:
    rows = without_truths(rows_of("score", 0, turned=False)[:500])
    labels = [{"id": f"p{i}", "truth": "yes", "none": None} for i in (1, 1, 2)]
    labels[1]["truth"] = "no"
    path = write(tmp_path / "labels.csv", labels)
    if how == "other types":
        path = tmp_path / "labels.parquet"
        pq.write_table(pa.Table.from_pylist(labels), path)
    columns, words = BAD_FITS[how]
    data = write(tmp_path / "now.csv", rows)
    done = run("fit", data, "--model", "m", "--labels", path, *columns, "-o", tmp_path / "r.json")
    assert done.exit_code != 0
    assert words in re.sub(r"\s+", " ", done.output), done.output
