"""`driftstream map --try`: what it says of a sample, and that the lines it writes are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.config.load import load_config
from tests.stream.decode.formats.test_cloudevents import envelope
from tests.stream.decode.formats.tools import by_worker, rec
from tests.stream.decode_tools import NOW, event

CONFIG = """\
[kafka]
bootstrap_servers = "localhost:9092"
[[models]]
name = "fraud"
signals = "auto"
"""
NATIVE = event(
    timestamp="2026-03-01T12:00:00Z",
    prediction_id="r-1",
    latency_seconds=0.0125,
    prediction={"label": "ok", "score": 0.93},
    actual="fraud",
    features={"amount": 12.5, "age": 40, "country": "DE"},
)
OTHERS = {
    "requestId": "r-1", "created_at": "2026-03-01T12:00:00Z", "latency_ms": 12.5,
    "ground_truth": "fraud", "host": {"zone": "a"},
}  # fmt: skip
NESTED = {
    **OTHERS,
    "model": {"name": "fraud", "version": "3"},
    "inputs": NATIVE["features"],
    "response": {"predicted_class": "ok", "probability": 0.93},
}
FLAT = {
    **OTHERS,
    **NATIVE["features"],
    "model_name": "fraud",
    "model_version": "3",
    "prediction": "ok",
    "score": 0.93,
}


def tried(tmp_path: Path, text: str, *options: object) -> Result:
    (tmp_path / "sample.json").write_text(text)
    return CliRunner().invoke(
        cli, ["map", "--try", str(tmp_path / "sample.json"), *map(str, options)]
    )


@pytest.mark.parametrize("document", [NESTED, FLAT])
def test_the_lines_count_the_sample_as_the_native_event(document: Any, tmp_path: Path) -> None:
    result = tried(tmp_path, json.dumps(document, indent=1))
    assert result.exit_code == 0, result.output
    assert "1 event in this record; 1 would be counted" in result.stderr
    assert "not taken: host.zone" in result.stderr
    assert "features.country" in result.stderr
    path = tmp_path / "driftstream.toml"
    path.write_text(CONFIG + result.stdout)
    config = load_config(path)
    found = by_worker([rec(document, timestamp=NOW * 1000)], config.sources["predictions"])
    assert found == by_worker([rec(NATIVE, timestamp=NOW * 1000)])
    assert found[1:] == ([], 1)
    again = tried(tmp_path, json.dumps(document), "-c", path)
    assert again.exit_code == 0
    assert "not taken: host.zone" in again.stderr


@pytest.mark.parametrize("document", [NESTED, FLAT])
def test_json_in_an_envelope_is_mapped_too(document: Any, tmp_path: Path) -> None:
    wrapped = envelope(document)
    result = tried(tmp_path, json.dumps(wrapped))
    assert result.exit_code == 0, result.output
    assert "it looks like cloudevents, with JSON of your own in it" in result.stderr
    assert 'format = "cloudevents"' in result.stdout
    assert "not taken: host.zone" in result.stderr
    path = tmp_path / "driftstream.toml"
    path.write_text(CONFIG + result.stdout)
    found = by_worker([rec(wrapped)], load_config(path).sources["predictions"])
    assert found == by_worker([rec(NATIVE)])
    assert found[1:] == ([], 1)
    again = tried(tmp_path, json.dumps(wrapped), "-c", path)
    assert again.exit_code == 0
    assert "not taken: host.zone" in again.stderr


def test_what_an_envelope_says_of_its_data_is_not_mapped(tmp_path: Path) -> None:
    logged = envelope(
        {"predictions": ["ok"]},
        inferenceservicename="fraud",
        type="org.kubeflow.serving.inference.response",
    )
    for document in (logged, envelope(NATIVE)):
        result = tried(tmp_path, json.dumps(document))
        assert result.exit_code == 0, result.output
        assert "mapping" not in result.stdout
        assert "1 would be counted" in result.stderr


def test_rows_are_found(tmp_path: Path) -> None:
    document = {
        "ts": NOW,
        "request_id": 7,
        "instances": [NATIVE["features"]] * 2,
        "predictions": ["ok", "fraud"],
    }
    result = tried(tmp_path, json.dumps(document), "--model", "fraud", "--topic", "t")
    assert result.exit_code == 0, result.output
    assert 'features = "instances[].*"' in result.stdout
    assert 'prediction = "predictions[]"' in result.stdout
    assert "2 events in this record; 2 would be counted" in result.stderr


def test_what_needs_no_mapping(tmp_path: Path) -> None:
    result = tried(tmp_path, json.dumps(NATIVE) + "\n" + json.dumps(NATIVE) + "\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "it is a native event" in result.stderr
    result = tried(tmp_path, json.dumps(envelope(NATIVE)))
    assert result.exit_code == 0
    assert 'format = "cloudevents"' in result.stdout


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    result = tried(tmp_path, '{"a": {"b": "x"}}')
    assert result.exit_code == 1
    assert "no member is called as a model's name is. Give it: --model NAME" in result.stderr
    assert "no object is called as features are" in result.stderr
    assert "0 would be counted" in result.stderr
    for text in ("", "nonsense", "{", "[" * 100_000):
        result = tried(tmp_path, text)
        assert result.exit_code == 1
        assert "Give one record, as it is on the topic" in result.stderr
    path = tmp_path / "driftstream.toml"
    path.write_text(CONFIG)
    result = tried(tmp_path, "{}", "-c", path)
    assert result.exit_code == 2
    assert "has no [[sources]]" in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "null",
        "[]",
        '[{"ts": 1}]',
        '{"": {"": 1}}',
        '{"features": {"]": [1]}}',
        '{"specversion": "1.0", "type": [], "data": {}}',
        '{"specversion": "1.0", "type": 1}',
    ],
)
def test_any_json_is_answered(text: str, tmp_path: Path) -> None:
    result = tried(tmp_path, text, "--model", "m")
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "would be counted" in result.stderr
