"""A wrong command or option is answered with the right one; completion works in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import COMMANDS, cli
from stream.text.counted import counted


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(cli, list(arguments), prog_name="driftstream")
    assert done.exit_code == 2, done.output
    return done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["reply"], "replay"),
        (["wroker"], "worker"),
        (["alert"], "alerts"),
        (["plan", "publsh"], "publish"),
        (["state", "rest"], "reset"),
        (["broker", "run"], ""),
        (["zzzz"], ""),
    ],
)
def test_a_wrong_command_is_answered_with_what_is_near_or_there(
    typed: list[str], meant: str
) -> None:
    said = refused(*typed)
    assert f"No such command '{typed[-1]}'. " in said
    if meant:
        assert f"Did you mean {meant}?" in said
    else:
        names = ["start", "status"] if typed[0] == "broker" else list(COMMANDS)
        assert "There are: " in said
        assert all(name in said for name in names)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["alerts", "--modle", "x"], "--model"),
        (["fit", "--timestmp", "x"], "--timestamp"),
        (["--verison"], "--version"),
        (["plan", "list", "--confg", "x"], "--config"),
    ],
)
def test_a_wrong_option_is_answered_with_the_nearest(typed: list[str], meant: str) -> None:
    wrong = next(word for word in typed if word.startswith("--"))
    assert f"No such option: {wrong}. Did you mean {meant}?" in refused(*typed)


def test_an_option_like_none_is_named_alone() -> None:
    assert "No such option: --zzzz" in refused("fit", "--zzzz")
    assert "Did you mean" not in refused("fit", "--zzzz")
    assert "\x1b" not in refused("\x1b[2J")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["runbook"]),
        (["runbook", "data_"], ["data_drift", "data_quality"]),
        (["alerts", "--sev"], ["--severity"]),
        (["alerts", "--kind", "sys"], ["system"]),
        (["plan", "re"], ["rebase"]),
    ],
)
def test_bash_completes(words: list[str], offered: list[str]) -> None:
    script = (
        "source <(_DRIFTSTREAM_COMPLETE=bash_source driftstream)\n"
        f"COMP_WORDS=(driftstream {' '.join(words)}); COMP_CWORD={len(words)}\n"
        '_driftstream_completion driftstream; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == offered, done.stderr
    assert "_DRIFTSTREAM_COMPLETE=bash_source" in CliRunner().invoke(cli, ["--help"]).stdout


def test_one_is_counted_as_one() -> None:
    assert counted(1, "model") == "1 model"
    assert counted(0, "model") == "0 models"
    assert counted(1_234_567, "copy", "copies") == "1,234,567 copies"
