"""`replay --fail-on` lets data pass, or not, and says why; what else a replay does is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.commands.replay_gate import pass_or_fail, worse_of
from stream.contracts.alert_event import SEVERITIES, AlertEvent, Severity
from stream.contracts.errors import GateError
from stream.stage2.untested import AtEnd, Untested
from tests.stream.notify_tools import alert

SAMPLE = Path(__file__).parents[3] / "deploy" / "sample"


def replay(data: Path, *more: object) -> Result:
    arguments = ["replay", data, "-c", SAMPLE / "driftstream.toml", *more]
    return CliRunner().invoke(cli, list(map(str, arguments)), prog_name="driftstream")


def first(rows: int, name: str, folder: Path) -> Path:
    path = folder / f"{rows}-{name}"
    lines = (SAMPLE / name).read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: rows + 1]))
    return path


def last_line(result: Result) -> str:
    return result.stderr.strip().splitlines()[-1]


def test_data_as_the_reference_pass() -> None:
    done = replay(SAMPLE / "demo.csv", "--fail-on", "info")
    assert done.exit_code == 0, done.output
    assert last_line(done) == "--fail-on info: passed, no episode of info or more"


def test_changed_data_fail_and_nothing_else_changes(tmp_path: Path) -> None:
    """Alerts, their file and the report are as without the option."""
    said = []
    for name, more in (("free", ()), ("gated", ("--fail-on", "critical"))):
        folder = tmp_path / name
        folder.mkdir()
        files = ("--alerts", folder / "a.jsonl", "--report", folder / "r.md")
        done = replay(SAMPLE / "changed.csv", *files, *more)
        assert done.exit_code == (3 if more else 0), done.output
        assert (folder / "r.md").read_text()
        said.append((done.stdout, (folder / "a.jsonl").read_bytes()))
    assert said[0] == said[1]
    assert last_line(done) == (
        "driftstream: --fail-on critical: failed, 1 episode of critical: data_drift critical"
    )


def test_the_severity_decides_and_what_was_not_tested_is_said(tmp_path: Path) -> None:
    data = first(500, "changed.csv", tmp_path)  # drift is not critical so early
    done = replay(data, "--fail-on", "warning")
    assert done.exit_code == 3, done.output
    assert "episode" in last_line(done)
    assert "data_drift warning" in last_line(done)
    done = replay(data, "--fail-on", "critical")
    assert done.exit_code == 0, done.output
    assert "passed, no episode of critical in what was tested; the warnings" in last_line(done)
    assert "warning: not tested: " in done.stderr


def test_where_nothing_was_tested_nothing_passes(tmp_path: Path) -> None:
    for rows in (0, 15):
        data = first(rows, "demo.csv", tmp_path)
        assert replay(data).exit_code == 0
        done = replay(data, "--fail-on", "critical")
        assert done.exit_code == 3, done.output
        assert "failed, as nothing was tested; the warnings above say why" in last_line(done)
        assert "warning: not tested: " in done.stderr


def test_a_severity_that_is_none_is_wrong_use() -> None:
    done = replay(SAMPLE / "demo.csv", "--fail-on", "fatal")
    assert done.exit_code == 2
    assert "'info', 'warning', 'critical'" in done.stderr


@pytest.mark.parametrize("fail_on", SEVERITIES)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_an_episode_counts_by_the_worst_that_it_was(fail_on: Severity, severity: Severity) -> None:
    worst: dict[str, AlertEvent] = {}
    for revision, now in enumerate(("info", severity, "info"), 1):
        event = alert(revision=revision, severity=now)
        worst[event.data.episode] = worse_of(event, worst.get(event.data.episode))
    all_tested = AtEnd(True, [])
    if SEVERITIES.index(severity) < SEVERITIES.index(fail_on):
        assert "passed" in pass_or_fail(fail_on, worst, all_tested)
        return
    with pytest.raises(GateError, match=f"1 episode of {fail_on}.*: data_drift {severity}$"):
        pass_or_fail(fail_on, worst, all_tested)


def test_a_mild_episode_is_no_test_of_the_rest() -> None:
    """The pipeline's own alerts come where no signal could be tested, too."""
    event = alert(severity="info", kind="system")
    with pytest.raises(GateError, match="nothing was tested"):
        pass_or_fail(
            "warning",
            {event.data.episode: event},
            AtEnd(False, [Untested("few_events", "too few")]),
        )
