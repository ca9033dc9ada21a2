"""`[[sources]]` of the config: what it says, and what each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.config.load import ConfigError, load_config
from stream.config.sources import source_notes
from stream.decode.formats.contract import Mapped, SourceOptions

BASE = """\
[kafka]
bootstrap_servers = "localhost:9092"
[[models]]
name = "fraud"
topic = "scores"
signals = "auto"
"""
MAPPING = """\
[[sources]]
topic = "scores"
[sources.mapping]
model = "m.name"
features = "in.*"
latency = "took"
latency_unit = "ms"
"""


def load(tmp_path: Path, text: str) -> dict[str, SourceOptions]:
    path = tmp_path / "config.toml"
    path.write_text(BASE + text)
    return dict(load_config(path).sources)


def test_a_mapping_and_a_format(tmp_path: Path) -> None:
    assert load(tmp_path, "") == {}
    mapped = Mapped(model=("m", "name"), star=("in",), latency=("took",), latency_unit="ms")
    assert load(tmp_path, MAPPING) == {"scores": SourceOptions("mapping", mapping=mapped)}
    text = '[[sources]]\ntopic = "scores"\nformat = "cloudevents"\nmodel = "fraud"\n'
    assert load(tmp_path, text) == {"scores": SourceOptions("cloudevents", "fraud")}


@pytest.mark.parametrize("timed", [False, True])
def test_check_and_map_say_what_is_set(timed: bool, tmp_path: Path) -> None:
    path, sample = tmp_path / "config.toml", tmp_path / "sample.json"
    path.write_text(BASE + MAPPING + 'timestamp = "at"\n' * timed)
    sample.write_text('{"m": {"name": "fraud"}, "in": {"a": 1}, "at": 1772366400}')
    checked = CliRunner().invoke(cli, ["check", "-c", str(path), "--offline"])
    assert checked.exit_code == 0, checked.output
    assert "scores: format mapping; the same [[sources]] must be in the config" in checked.stdout
    mapped = CliRunner().invoke(cli, ["map", "-c", str(path), "--try", str(sample)])
    assert mapped.exit_code == 0, mapped.output
    for told in (checked.stdout, mapped.stderr):
        assert ("the mapping has no timestamp" in " ".join(told.split())) is not timed


def test_a_model_that_native_events_would_not_take_is_noted() -> None:
    fields = {"model": "fraud", "version": "3"}
    for name in ("native", "cloudevents"):
        notes = list(source_notes(SourceOptions(name, **fields)))
        assert [note.partition(" ")[0] for note in notes] == ["model", "version"]
        assert not list(source_notes(SourceOptions(name)))
    assert not list(source_notes(SourceOptions("inference", **fields)))
    mapped = Mapped(timestamp=("at",), star=("in",))
    assert not list(source_notes(SourceOptions("cloudevents", mapping=mapped, **fields)))


def test_check_says_nothing_of_native_topics(tmp_path: Path) -> None:
    load(tmp_path, "")
    checked = CliRunner().invoke(cli, ["check", "-c", str(tmp_path / "config.toml"), "--offline"])
    assert checked.exit_code == 0, checked.output
    assert "[[sources]]" not in checked.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MAPPING.replace("scores", "score"), "sources[0].topic must be the topic of a model"),
        (MAPPING + MAPPING, "sources[1].topic is there twice"),
        (MAPPING.replace('"in.*"', '"in"'), "sources[0].mapping.features must be the path of an"),
        (MAPPING.replace('"took"', '"a..b"'), "sources[0].mapping.latency is no path: it cannot"),
        (MAPPING.replace("model =", "modle ="), "sources[0].mapping.modle is not a known key. Did"),
        (MAPPING.replace("model =", "# "), "sources[0].mapping.model is missing."),
        ('[[sources]]\ntopic = "scores"\nformat = "mapping"\n', "sources[0].mapping is missing."),
        ('[[sources]]\ntopic = "scores"\nformat = "xml"\n', "sources[0].format must be one of"),
        (MAPPING.replace('"scores"', '"scores"\nformat = "native"'), 'is for format = "mapping"'),
        (MAPPING.replace('"ms"', '"h"'), "sources[0].mapping.latency_unit must be one of s, ms"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert words in str(error.value)


def test_the_format_of_a_plan_is_native(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\[0\]\.format must be native.*\[\[sources\]\]"):
        load(tmp_path, 'format = "kserve"\n')
