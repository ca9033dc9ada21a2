"""One family of errors: what is for users has one base, and the command line goes by that."""

from __future__ import annotations

import ast
import builtins
import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest
from click.testing import CliRunner

import detectors
import driftstream
import stream
from stream import cli
from stream.config.toml_table import ConfigError
from stream.contracts.errors import DriftstreamError, GateError, NotFoundError, SettingError

ROOT = Path(stream.__file__).parents[1]
#: Errors that never leave the code: they end the decoding of a record, or a turn of a loop.
INTERNAL = {"ForeignError", "RefusedError", "UnknownNowError", "_NotNowError"}


def _classes(package: str) -> list[tuple[str, str]]:
    """(module, name) of every exception class in the source of a package."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Exception")):
                found.append((module.removesuffix(".__init__"), node.name))
    return found


def test_every_error_is_of_the_family() -> None:
    names = _classes("stream")
    assert len(names) > 20
    assert {name for _, name in names} >= INTERNAL
    for module, name in names:
        kind = getattr(importlib.import_module(module), name)
        assert issubclass(kind, DriftstreamError) != (name in INTERNAL), f"{module}.{name}"
        if kind is not DriftstreamError:
            builtin = (ValueError, LookupError, RuntimeError, OSError)
            assert issubclass(kind, builtin) or name in INTERNAL, f"{module}.{name}"


def test_the_errors_of_detectors_have_one_base() -> None:
    names = _classes("detectors")
    assert ("detectors.errors", "InvalidReferenceError") in names
    for module, name in names:
        kind = getattr(importlib.import_module(module), name)
        assert issubclass(kind, detectors.DetectorsError), f"{module}.{name}"
    assert issubclass(detectors.DetectorsError, ValueError)


@pytest.mark.parametrize("package", [detectors, driftstream])
def test_no_public_name_is_that_of_a_builtin(package: ModuleType) -> None:
    assert not set(package.__all__) & set(dir(builtins))


def test_the_public_errors_are_of_the_family() -> None:
    names = [name for name in driftstream.__all__ if name.endswith("Error")]
    others = {n for n in names if not issubclass(getattr(driftstream, n), DriftstreamError)}
    assert others == {"InvalidReferenceError"}, "of detectors, which knows nothing of driftstream"
    assert driftstream.InvalidReferenceError is detectors.InvalidReferenceError


def _run(monkeypatch: pytest.MonkeyPatch, error: Exception) -> tuple[int, str, object]:
    """Exit code, stderr and what came through of a command that raises `error`."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.delenv("DRIFTSTREAM_TRACEBACK", raising=False)
    monkeypatch.setattr(cli.importlib, "import_module", lambda _: SimpleNamespace(command=command))
    result = CliRunner().invoke(cli.cli, ["topics"])
    passed_on = None if isinstance(result.exception, SystemExit) else result.exception
    return result.exit_code, result.stderr, passed_on


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("d.toml: worker.stage must be one of a, b; got 'c'."), 2),
        (GateError("--fail-on info: failed"), 3),
        (NotFoundError("there is no topic alerts."), 1),
        (SettingError("no full stop is needed"), 1),
        (OSError("disk full"), 1),
        (driftstream.InvalidReferenceError("a.json: not a reference"), 1),
        (detectors.DetectorsError("a.json: no full stop is needed"), 1),
    ],
)
def test_an_error_for_users_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    assert _run(monkeypatch, error) == (code, f"driftstream: {error}\n", None)


@pytest.mark.parametrize("error", [ValueError("Ends with a full stop."), KeyError("a.")])
def test_a_bug_shows_its_traceback_whatever_its_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    _, said, passed_on = _run(monkeypatch, error)
    assert passed_on is error
    assert said == ""
