"""Pane and window: what a config leaves out follows the reference, in the worker as in `replay`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from detectors import Reference
from stream.cli import cli
from stream.commands.replay import _plan_of
from stream.config.load import load_config
from stream.plans.proposal import propose
from tests.stream.harness import make_reference

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
WEEK = 7 * DAY


@pytest.fixture(scope="module")
def fitted() -> Reference:
    return make_reference()


def of_rate(fitted: Reference, a_day: float, **changes: object) -> Reference:
    return replace(fitted, events_per_week=round(7 * a_day), **changes)  # type: ignore[arg-type]


def config_of(tmp_path: Path, reference: Reference, more: str = "") -> Path:
    (tmp_path / "ref.json").write_bytes(reference.to_json())
    path = tmp_path / "driftstream.toml"
    path.write_text(
        '[kafka]\nbootstrap_servers = "localhost:1"\n'
        f'[[models]]\nname = "fraud"\nreference = "ref.json"\n{more}'
    )
    return path


def sizes(path: Path) -> tuple[int, int]:
    config = load_config(path, {})
    plan = config.plan(config.models[0])
    return plan.pane_ms, plan.window_max_age_ms


@pytest.mark.parametrize(
    ("a_day", "pane", "days"),
    [
        (0, 10 * SECOND, 1),
        (1, HOUR, 2000),
        (24, HOUR, 84),
        (144, HOUR, 14),
        (1440, HOUR, 2),
        (86_400, MINUTE, 1),
        (10_000_000, 10 * SECOND, 1),
    ],
)
def test_a_worker_and_a_replay_take_the_same_sizes(
    fitted: Reference, tmp_path: Path, a_day: float, pane: int, days: int
) -> None:
    reference = of_rate(fitted, a_day)
    assert propose(reference) == (pane, days * DAY)
    path = config_of(tmp_path, reference)
    assert sizes(path) == (pane, days * DAY)
    replayed = _plan_of(tmp_path / "ref.json")
    config = load_config(path, {})
    worked = config.plan(config.models[0])
    assert {k: v for k, v in worked.settings.items() if k != "environment"} == {
        k: v for k, v in replayed.settings.items() if k != "environment"
    }


@pytest.mark.parametrize(
    ("step", "pane"), [(DAY, DAY), (HOUR, HOUR), (10 * MINUTE, HOUR), (MINUTE, HOUR), (0, HOUR)]
)
def test_a_pane_holds_whole_steps_of_the_times(fitted: Reference, step: int, pane: int) -> None:
    for a_day in (144, 1440):
        assert propose(of_rate(fitted, a_day, time_step_ms=step))[0] == pane


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('pane = "10s"\n', (10 * SECOND, 2 * DAY)),
        ('pane = "5d"\n', (5 * DAY, 5 * DAY)),  # a window holds a pane at least
        ('window = { max_age = "30m" }\n', (10 * MINUTE, 30 * MINUTE)),
        ('window = { max_age = "9d" }\n', (HOUR, 9 * DAY)),
        ("window = { events = 10_000 }\n", (HOUR, 14 * DAY)),
        ('cycle = "90m"\n', (10 * MINUTE, 2 * DAY)),  # a whole number of panes
        ('cycle = "7d"\n', (HOUR, 2 * DAY)),
        ('pane = "1m"\nwindow = { max_age = "1h" }\n', (MINUTE, HOUR)),
    ],
)
def test_what_the_config_says_holds(
    fitted: Reference, tmp_path: Path, more: str, expected: tuple[int, int]
) -> None:
    assert sizes(config_of(tmp_path, of_rate(fitted, 1440), more)) == expected


def test_a_model_that_learns_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "driftstream.toml"
    path.write_text(
        '[kafka]\nbootstrap_servers = "a:1"\n[[models]]\nname = "m"\nsignals = "auto"\n'
    )
    assert sizes(path) == (10 * SECOND, DAY)


def test_check_shows_them(fitted: Reference, tmp_path: Path) -> None:
    path = config_of(tmp_path, of_rate(fitted, 1440))
    result = CliRunner().invoke(cli, ["check", "-c", str(path), "--offline"])
    assert result.exit_code == 0, result.output
    assert "panes of 60m, windows of 1,000 events or 2d" in result.stdout
