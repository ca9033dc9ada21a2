"""`produce --labels` on a real broker: truths in a topic of their own, at their times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.client.records import read_topic
from tests.integration.test_cli_kafka import must, run
from tests.stream.commands.test_replay_labels import (
    HOUR,
    fitted,
    labels_of,
    rows_of,
    without_truths,
    write,
)

pytestmark = pytest.mark.broker
N = 500


def configured(
    folder: Path, kafka: dict[str, object], prefix: str, reference: Path, outcome: str
) -> Path:
    path = folder / "config.toml"
    path.write_text(
        f'[kafka]\nbootstrap_servers = "{kafka["bootstrap_servers"]}"\n'
        f'[topics]\nprefix = "{prefix}"\nprediction_partitions = 1\n'
        f'[[models]]\nname = "m"\nreference = "{reference}"\ntopic = "{prefix}said"\n{outcome}'
    )
    return path


def test_labels_are_sent_at_their_times(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    reference = fitted(tmp_path, "score")
    rows = rows_of("score", 1, turned=False)[:N]
    data = write(tmp_path / "now.csv", without_truths(rows))
    labels = write(tmp_path / "labels.csv", labels_of(rows))
    outcome = f'[models.outcome]\nlabels = "{topic_prefix}labels"\n'
    config = configured(tmp_path, kafka, topic_prefix, reference, outcome)
    sending = ("produce", data, "-c", config, "--model", "m", "--labels", labels)
    early = run(*sending, "--label-time", "known")
    assert early.exit_code == 1
    assert "labels does not exist. Create it: driftstream topics --create" in early.stderr
    must("topics", "-c", config, "--create")
    done = must(*sending, "--label-time", "known").stderr
    assert f"{N} events to {topic_prefix}said" in done
    assert f"{N} labels in between" in done
    said = [json.loads(r.value) for r in read_topic(kafka, f"{topic_prefix}said")]
    assert [event["prediction_id"] for event in said] == [row["id"] for row in rows]
    assert not any("actual" in event for event in said)
    found = list(read_topic(kafka, f"{topic_prefix}labels"))
    known = {row["id"]: (row["ts"] + 6 * HOUR, row["truth"]) for row in rows}
    told = {}
    for record in found:
        event = json.loads(record.value)
        assert record.timestamp == event["timestamp"] * 1000
        told[event["prediction_id"]] = (event["timestamp"], event["actual"]["label"])
    assert told == known
    assert [r.timestamp for r in found] == sorted(r.timestamp for r in found)


@pytest.mark.parametrize(
    ("outcome", "more", "words"),
    [
        ("", ["--label-time", "known"], 'Name their topic in [models.outcome], such as labels = '),
        ('[models.outcome]\nlabels = "PREFIXlabels"\n', [], "Name its column: --label-time COLUMN"),
        ('[models.outcome]\nlabels = "PREFIXlabels"\n',
         ["--label-time", "known", "--loop"], "Leave --loop out"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_sent_are_refused(
    outcome: str,
    more: list[str],
    words: str,
    kafka: dict[str, object],
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    reference = fitted(tmp_path, "score")
    rows = rows_of("score", 1, turned=False)[:10]
    data = write(tmp_path / "now.csv", without_truths(rows))
    labels = write(tmp_path / "labels.csv", labels_of(rows))
    outcome = outcome.replace("PREFIX", topic_prefix)
    config = configured(tmp_path, kafka, topic_prefix, reference, outcome)
    must("topics", "-c", config, "--create")
    done = run("produce", data, "-c", config, "--model", "m", "--labels", labels, *more)
    assert done.exit_code != 0
    assert words in " ".join(done.stderr.split())
    assert not list(read_topic(kafka, f"{topic_prefix}said"))
