"""A model's rows, as people have them in data frames; and the wheel, to install somewhere."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
Made = Callable[..., Any]


@pytest.fixture
def made() -> Made:
    """Makes rows of a model; `shift` moves `amount`, `share` is that of DE."""

    def make(rows: int, seed: int, *, shift: float = 0.0, share: float = 0.6, day: int = 1) -> Any:
        rng = np.random.default_rng(seed)
        return pd.DataFrame(
            {
                "ts": pd.date_range(f"2026-01-{day:02}", periods=rows, freq="min", tz="UTC"),
                "amount": rng.lognormal(shift, size=rows),
                "age": rng.integers(18, 90, rows),
                "country": rng.choice(["DE", "FR"], rows, p=[share, 1 - share]),
                "member": rng.random(rows) < 0.3,
                "label": rng.integers(0, 2, rows),
            }
        )

    return make


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def install(environment: Path, wheel: Path) -> None:
    """Install a wheel into an environment, and nothing that it needs."""
    command = [
        sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install",
        "--quiet", "--no-deps", "--no-index", wheel,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def make_environment(folder: Path) -> Path:
    """An environment of nothing but Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def needed(wheel: Path, extra: str) -> set[str]:
    """Names of all distributions that pip would bring."""
    (about,) = importlib.metadata.distributions(path=[str(wheel)])
    names: set[str] = set()
    waiting = [(line, extra) for line in about.requires or ()]
    while waiting:
        line, asked = waiting.pop()
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": asked}):
            continue
        name = canonicalize_name(wanted.name)
        if name not in names or wanted.extras:
            names.add(name)
            own = importlib.metadata.requires(name) or ()
            waiting += [(each, more) for each in own for more in ("", *wanted.extras)]
    return names


def link(environment: Path, names: set[str]) -> None:
    """Put these distributions into an environment, as links to those of this one."""
    (packages,) = environment.glob("lib/*/site-packages")
    for name in names:
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            place = packages / top
            if not place.exists():
                place.symlink_to(str(distribution.locate_file(top)))


def environment_of(folder: Path, wheel: Path, extra: str = "") -> Path:
    """A wheel beside links to the packages that pip would bring."""
    environment = make_environment(folder)
    install(environment, wheel)
    link(environment, needed(wheel, extra))
    return environment


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An installation without extras: links to the packages that pip would bring."""
    return environment_of(tmp_path_factory.mktemp("bare") / "environment", wheel)
