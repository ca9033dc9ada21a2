"""Compiled kernels on disk: what is damaged or stale is made anew, and never fatal."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest

from detectors import _jit, _kernel_cache
from detectors._jit import kernel

CALLEE = """
from detectors._jit import kernel

STEP = 1


@kernel
def inner(x: int) -> int:
    return x + {add}
"""
CALLER = """
from detectors._jit import kernel
from callee_of_test import STEP, inner


@kernel
def outer(x: int) -> int:
    return inner(x) * 10 + STEP
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing was told yet, and what is made here is no kernel of the package."""
    monkeypatch.setattr(_kernel_cache, "_told", set())
    monkeypatch.setattr(_jit, "KERNELS", [])
    monkeypatch.setattr(_jit, "_STAMPS", {})
    monkeypatch.setattr(_jit, "_UNCACHED", [])
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Writes both modules and imports them as a new process would; gives `outer`."""

    def load(add: str = "1", step: str = "1") -> Any:
        callee = CALLEE.format(add=add).replace("STEP = 1", f"STEP = {step}")
        module(tmp_path / "callee_of_test.py", callee, monkeypatch)
        return module(tmp_path / "caller_of_test.py", CALLER, monkeypatch).outer

    return load


def module(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, made)
    spec.loader.exec_module(made)
    return made


def loaded(compiled: Any) -> bool:
    """Whether it came from the cache."""
    hits, misses = (
        sum(n.values()) for n in (compiled.stats.cache_hits, compiled.stats.cache_misses)
    )
    assert hits + misses == 1
    return bool(hits)


def files(tmp_path: Path, end: str) -> Iterator[Path]:
    found = list((tmp_path / "cache").rglob(f"*outer*{end}"))
    assert found
    yield from found


def test_a_second_start_finds_what_the_first_compiled(
    load: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    first = load()
    assert first(4) == 51
    assert not loaded(first)
    second = load()
    assert second(4) == 51
    assert loaded(second)
    assert not caplog.records


def flipped(data: bytes) -> bytes:
    """One bit in the middle, which numba would run as machine code."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "garbage": lambda data: bytes(range(256)) * 20,
    "flipped": flipped,
    "numba's own": lambda data: data[: -_kernel_cache._TAIL],
    "another's tail": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
}


@pytest.mark.parametrize("end", ["nbi", "nbc"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_said_and_mended(
    load: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, end: str
) -> None:
    load()(4)
    for path in files(tmp_path, end):
        path.write_bytes(DAMAGE[kind](path.read_bytes()))
    again = load()
    assert again(4) == 51
    assert not loaded(again)
    (record,) = caplog.records
    assert str(tmp_path / "cache") in record.getMessage()
    assert "delete the folder" in record.getMessage()
    caplog.clear()
    healed = load()
    assert healed(4) == 51
    assert loaded(healed)
    assert not caplog.records


def test_what_cannot_be_opened_is_said(
    load: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load()(4)
    for path in files(tmp_path, "nbi"):
        path.unlink()
        path.mkdir()
    again = load()
    assert again(4) == 51
    assert "cannot be read" in caplog.text
    assert "cannot be kept" in caplog.text


def test_a_folder_that_goes_away_ends_nothing(
    load: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled = load()
    for folder in (tmp_path / "cache").iterdir():
        folder.rmdir()
    assert compiled(4) == 51
    assert "cannot be kept: No such file or directory" in caplog.text


def test_nowhere_to_write_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    made = [kernel(lambda x: x + 1), kernel(lambda x: x + 2)]
    assert [each(1) for each in made] == [2, 3]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Set NUMBA_CACHE_DIR" in record.getMessage()


@pytest.mark.parametrize(
    ("change", "expected"), [({"add": "2"}, 61), ({"step": "7"}, 57), ({"add": "True"}, 51)]
)
def test_a_change_in_another_file_compiles_its_callers_anew(
    load: Callable[..., Any], change: dict[str, str], expected: int
) -> None:
    load()(4)
    changed = load(**change)
    assert changed(4) == expected
    assert not loaded(changed)
