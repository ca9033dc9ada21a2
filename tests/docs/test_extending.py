"""docs/extending.md: its diffs apply to these sources, and what they add works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
PACKAGES = ("detectors", "stream", "driftstream")

#: What is tried, by heading: a program that runs beside the changed packages.
DRIFTED = """
import msgspec
import numpy as np
from detectors import fit_reference
from stream.decode import SourceOptions
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook, SignalOptions
from stream.replay import Replay

def alerts(value_of, roles={}, tests=(), source=None):
    "Alerts of 1,500 events, of which the last third is one standard deviation higher."
    rng = np.random.default_rng(1)
    data = {"clicks": rng.normal(size=3_000)}
    reference = fit_reference(data, model="m", roles=roles)
    reference = type(reference).from_json(reference.to_json())
    plan = Plan(
        model="m", reference=reference, window_events=250, window_min_events=100,
        false_alarms_per_week=10.0, signals={"clicks": SignalOptions(tests=tests)},
    )
    book = PlanBook()
    book.add(plan)
    values = rng.normal(size=1_500) + (np.arange(1_500) >= 1_000)
    records = [FileRecord(i, 0, value_of(1e9 + i, v)) for i, v in enumerate(values.tolist())]
    return [event.data for event in Replay(book, source=source).run(records)]

def native(at, value):
    return msgspec.json.encode(
        {"model": {"name": "m"}, "timestamp": at, "features": {"clicks": value}}
    )
"""
LOADED = """
import tempfile
from pathlib import Path
from detectors import fit_reference
from stream.config.load import load_config

def loaded(model="", more=""):
    "The config with these lines."
    folder = Path(tempfile.mkdtemp(dir="."))
    reference = fit_reference({"x": [i * 0.37 % 1 for i in range(1_000)]}, model="m")
    (folder / "m.json").write_bytes(reference.to_json())
    (folder / "c.toml").write_text(
        '[kafka]\\n"bootstrap.servers" = "127.0.0.1:9"\\n'
        f'[[models]]\\nname = "m"\\nreference = "m.json"\\n{model}\\n{more}\\n'
    )
    return load_config(folder / "c.toml")
"""
TRIED = {
    "A role": DRIFTED
    + """
found = alerts(native, roles={"clicks": "outcome"})
assert found
assert {alert.labels.kind for alert in found} == {"performance"}
assert found[0].labels.alertname == "Performance"
assert found[0].annotations.action == "rollback"
assert found[0].signals[0].role == "outcome"
assert {alert.labels.kind for alert in alerts(native)} == {"data_drift"}

from stream.commands.fit_file import _roles
assert _roles(("clicks=outcome",), {}) == {"clicks": "outcome"}
""",
    "A windowed test": DRIFTED
    + """
found = alerts(native, tests=("triangular",))
assert found
assert {alert.signals[0].test for alert in found} == {"triangular"}
assert "triangular discrimination 0." in found[0].annotations.evidence, found[0].annotations
assert found[0].severity == "critical"
"""
    + LOADED
    + """
config = loaded('[models.signals.x]\\ntests = ["triangular"]')
assert config.plan(config.models[0]).windowed_tests == {"x": ("triangular",)}

# Without change a finding is as rare as its level says: 4 sd from it would be a wrong law.
from detectors import WindowBank
reference = fit_reference({"x": np.random.default_rng(2).normal(size=200_000)}, model="m")
bank, rng = WindowBank(reference, tests={"x": ("triangular",)}), np.random.default_rng(3)
shares = reference.signals[0].counts / reference.signals[0].counts.sum()
found = sum(
    bank.test(np.r_[1_000, rng.multinomial(1_000, shares)], 0.05).found.sum() for _ in range(2_000)
)
assert abs(found - 100) < 4 * 95**0.5, found
""",
    "A format": DRIFTED
    + """
def reading(at, value):
    return msgspec.json.encode({"machine": "m", "at": at, "readings": {"clicks": value}})

from stream.decode.formats.registry import BY_CONTENT_TYPE, BY_EVENT_TYPE, recognise
row = recognise(msgspec.json.decode(reading(1e9, 0.5)))
assert row is not None and row.name == "readings"
assert BY_CONTENT_TYPE[b"application/x-readings"] is row is BY_EVENT_TYPE["com.example.readings"]
assert alerts(native) == alerts(reading, source=SourceOptions("readings")) != []
"""
    + LOADED
    + """
config = loaded(more='[[sources]]\\ntopic = "predictions"\\nformat = "readings"')
assert config.sources["predictions"].format == "readings"
""",
    "A target": LOADED
    + """
import time
from stream.notify.open_episodes import Change
from stream.notify.suppression import Suppression
from tests.stream.notify_tools import alert, hook

with hook() as server:
    config = loaded(more=f'[[notify]]\\ntype = "plain"\\nurl = "{server.url}"')
    (target,) = config.notify
    sink = target.make_sink(time.time, Suppression())
    event = alert()
    sink.offer(7, Change(event, "warning"))
    sink.step()
    assert sink.done == 7
((_, headers, body),) = server.requests
assert headers["content-type"].startswith("text/plain")
assert body.decode() == event.data.annotations.summary
""",
    "A setting": LOADED
    + """
from stream.plans.plan import decode_plan
config = loaded('owner = "the fraud team"')
plan = config.plan(config.models[0])
assert plan.owner == "the fraud team"
assert decode_plan(plan.encode())[0].owner == "the fraud team"
other = loaded()
plain = other.plan(other.models[0])
assert plain.owner == "nobody"
assert b"owner" not in plain.encode() and plain.hash != plan.hash
try:
    loaded('owner = ""')
except ValueError as error:
    assert "models[0].owner must not be empty" in str(error), error
else:
    raise AssertionError("an owner without a name was taken")
""",
}


def parts() -> dict[str, str]:
    """The diffs of the page by their heading."""
    found = {}
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = "".join(re.findall(r"^```diff\n(.*?)^```$", text, re.M | re.S))
    return found


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, with the compiled kernels beside them, and all diffs applied."""
    folder = tmp_path_factory.mktemp("extended")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    for heading, diff in parts().items():
        done = subprocess.run(
            ["git", "apply", "-"],
            cwd=folder,
            input=diff,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            check=False,
        )
        assert done.returncode == 0, f"{heading}: {done.stderr}"
    return folder


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_every_part_has_a_diff_and_is_tried() -> None:
    assert parts().keys() == TRIED.keys()
    assert all(parts().values())


@pytest.mark.parametrize("heading", TRIED)
def test_what_a_part_adds_works(heading: str, extended: Path) -> None:
    done = run(TRIED[heading], extended)
    assert done.returncode == 0, done.stderr[-3_000:]


@pytest.mark.parametrize("heading", TRIED)
def test_without_the_diff_it_does_not(heading: str, tmp_path: Path) -> None:
    assert run(TRIED[heading], tmp_path).returncode == 1
