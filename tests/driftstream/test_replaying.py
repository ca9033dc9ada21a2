"""The function decides what the command does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from driftstream import decode_alert, fit_reference, replay
from stream.cli import cli
from tests.driftstream.conftest import Made


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    reference = fit_reference(made(5_000, 1), model="m", timestamp="ts", prediction="label")
    (tmp_path / "m.json").write_bytes(reference.to_json())
    made(4_000, 2, shift=0.6, day=20).to_csv(tmp_path / "now.csv", index=False)
    made(4_000, 3, day=20).to_parquet(tmp_path / "quiet.parquet")
    (tmp_path / "m.toml").write_text(
        '[kafka]\nbootstrap_servers = "127.0.0.1:9092"\n'
        '[[models]]\nname = "m"\nreference = "m.json"\npane = "10m"\n'
        "false_alarms_per_week = 0.1\n"
    )
    return tmp_path


def by_command(folder: Path, *options: str) -> list[bytes]:
    path = folder / "alerts.jsonl"
    done = CliRunner().invoke(
        cli, ["replay", str(folder / "now.csv"), *options, "--alerts", str(path)]
    )
    assert done.exit_code == 0, done.output
    return path.read_bytes().splitlines()


def test_alerts_are_those_of_the_command(folder: Path, made: Made) -> None:
    theirs = [
        decode_alert(line) for line in by_command(folder, "--reference", str(folder / "m.json"))
    ]
    assert theirs
    frame = made(4_000, 2, shift=0.6, day=20)
    for data in (folder / "now.csv", str(folder / "now.csv"), frame):
        found = replay(data, folder / "m.json")
        assert found.alerts == theirs
        assert found.events == 4_000
    theirs = [decode_alert(line) for line in by_command(folder, "-c", str(folder / "m.toml"))]
    by_config = replay(frame, config=folder / "m.toml")
    assert by_config.alerts == theirs
    assert by_config.pane_seconds == 600


def test_an_episode_says_what_when_and_how_bad(folder: Path) -> None:
    found = replay(folder / "now.csv", folder / "m.json")
    (episode,) = found
    assert found[0] is episode
    assert (episode.kind, episode.signals) == ("data_drift", ("amount",))
    assert episode.severity == "critical"
    assert episode.status == "firing"
    assert episode.ended is None
    assert episode.opened.isoformat() == "2026-01-20T02:00:00+00:00"
    assert "still firing" not in episode.summary
    assert "data_drift critical, 2026-01-20 02:00 still open: m: " in repr(found)


def test_a_quiet_file_has_none(folder: Path) -> None:
    found = replay(folder / "quiet.parquet", folder / "m.json")
    assert found.episodes == ()
    assert found.tested
    assert repr(found).startswith("0 episodes in 4,000 events; pane ")


def test_nothing_is_left_out_without_a_word(folder: Path, made: Made) -> None:
    frame = made(2_000, 4, day=20).astype({"ts": object})
    frame.loc[7, "ts"] = "yesterday"
    late = frame.iloc[[*range(1, 2_000), 0]]
    found = replay(late, folder / "m.json")
    assert found.refused == 1
    assert any("row 7: ts is not a time; got 'yesterday'" in note for note in found.notes)
    assert any("1 event came too late to be counted" in note for note in found.notes)
    few = replay(made(20, 4, day=20), folder / "m.json")
    assert not few.tested
    assert few.notes
    assert repr(few).startswith("nothing tested in 20 events")


def test_a_dump_of_events_is_read_too(folder: Path, made: Made) -> None:
    frame = made(4_000, 2, shift=0.6, day=20)
    rows = zip(
        frame.ts, frame.amount, frame.age, frame.country, frame.member, frame.label, strict=True
    )
    lines = [
        json.dumps(
            {
                "model": {"name": "m"},
                "timestamp": ts.isoformat(),
                "prediction": {"label": label},
                "features": {"amount": amount, "age": age, "country": country, "member": member},
            }
        )
        for ts, amount, age, country, member, label in rows
    ]
    (folder / "dump.jsonl").write_text("\n".join(lines) + "\n")
    dumped = replay(folder / "dump.jsonl", folder / "m.json")
    plain = replay(frame, folder / "m.json")
    assert [alert.id for alert in dumped.alerts] == [alert.id for alert in plain.alerts]
    assert dumped.episodes


def test_the_budget_can_be_another(folder: Path) -> None:
    strict = replay(folder / "now.csv", folder / "m.json", false_alarms_per_week=0.001)
    assert strict.alerts[0].data.budget.false_alarms_per_week == 0.001


def test_wrong_use_is_answered_in_words(folder: Path, made: Made) -> None:
    frame = made(1_000, 2)
    with pytest.raises(ValueError, match=r"either a reference or config="):
        replay(frame)
    with pytest.raises(ValueError, match=r"either a reference or config="):
        replay(frame, folder / "m.json", config=folder / "m.toml")
    with pytest.raises(ValueError, match=r"model= chooses one of a config's"):
        replay(frame, folder / "m.json", model="m")
    with pytest.raises(ValueError, match=r"data has no column 'amount'.*The reference has it"):
        replay(frame.drop(columns="amount"), folder / "m.json")
    with pytest.raises(ValueError, match=r"nothing.csv: no such file"):
        replay(folder / "nothing.csv", folder / "m.json")
    frame.drop(columns="age").to_csv(folder / "less.csv")
    with pytest.raises(ValueError, match=r"less.csv: the reference has the column 'age'"):
        replay(folder / "less.csv", folder / "m.json")
    text = (folder / "m.toml").read_text()
    (folder / "two.toml").write_text(text + text[text.index("[[models]]") :].replace('"m"', '"n"'))
    with pytest.raises(ValueError, match=r"has several models: m, n. Choose one: model="):
        replay(frame, config=folder / "two.toml")
    assert replay(frame, config=folder / "two.toml", model="n").events == 1_000
    learned = '[[models]]\nname = "l"\nsignals = "auto"\n'
    (folder / "learned.toml").write_text(text[: text.index("[[models]]")] + learned)
    with pytest.raises(ValueError, match=r"l is learned from the stream.* driftstream replay"):
        replay(frame, config=folder / "learned.toml")


def test_a_combination_of_columns_is_found_in_a_frame() -> None:
    """Of neither column by itself has x moved, and of the whole it has not."""

    def frame(seed: int, *, broken: bool) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        f, old, x = rng.random(4_000) < 0.5, rng.random(4_000) < 0.5, rng.normal(size=4_000)
        if broken:
            x = np.where(f == old, np.abs(x), -np.abs(x))
        return {"x": x, "sex": np.where(f, "F", "M"), "age": np.where(old, "60+", "-60")}

    def found(segments: list[str | list[str]], *, broken: bool) -> str:
        reference = fit_reference(frame(1, broken=False), model="m", segments=segments)
        alerts = replay(frame(2, broken=broken), reference).alerts
        return " ".join(alert.data.annotations.summary for alert in alerts)

    assert "in sex=F, age=60+" in found(["sex", ["sex", "age"]], broken=True)
    assert found(["sex", ["sex", "age"]], broken=False) == ""
    assert found(["sex", "age"], broken=True) == ""
