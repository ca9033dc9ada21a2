"""The image installs what the lock names, by hash, on a pinned base; NOTICE names licences."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def lock_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock", ROOT / ".ci" / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(text: str) -> dict[str, frozenset[str]]:
    """`name==version` -> its hashes."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"([\w.-]+==\S+)", line):
            hashes = found.setdefault(match[1], set())
        hashes_here = re.findall(r"--hash=(sha256:[0-9a-f]{64})", line)
        if hashes_here:
            hashes.update(hashes_here)
    return {name: frozenset(values) for name, values in found.items()}


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_a_part_has_the_pins_and_hashes_of_the_lock_and_all_that_is_needed(name: str) -> None:
    lock = lock_script()
    path = ROOT / "deploy" / name
    part, whole = pins(path.read_text()), pins((ROOT / "requirements.lock").read_text())
    assert part.items() <= whole.items()
    assert all(part.values())
    needed = lock.closure(lock.parts()[path])
    assert {lock.canonicalize_name(pin.split("==")[0]) for pin in part} == needed, "run make lock"


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = re.findall(r"pip (?:install|wheel)[^\n&]*", DOCKERFILE)
    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or "--no-deps" in command, command
    copied = re.findall(r"^COPY (deploy/\S+\.lock)", DOCKERFILE, re.MULTILINE)
    assert copied == ["deploy/build.lock", "deploy/requirements.lock"]


def test_the_base_is_pinned_to_a_release() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(bases) == {"${BASE}"}
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_notice_names_every_package_of_the_image_once() -> None:
    listed = re.findall(r"^    (.+)$", (ROOT / "NOTICE").read_text(), re.MULTILINE)
    names = [name for line in listed for name in line.rstrip(",").split(", ")]
    there = [pin.split("==")[0] for pin in pins((ROOT / "deploy/requirements.lock").read_text())]
    assert sorted(names) == sorted(there)
