"""Peers with an interpreter of their own, since they want other versions than the bench does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

__all__ = ["python_apart", "versions_apart"]

_VENV = Path(__file__).parent.parent / ".venv-stream-peers" / "bin" / "python"
_VERSIONS = (
    "import json\nfrom importlib.metadata import version\n"
    "print(json.dumps({p: version(p) for p in ('quixstreams', 'bytewax', 'river')}))"
)


def python_apart() -> str | None:
    """That interpreter: what DRIFTSTREAM_BENCH_PEERS says, or that of `make bench`, if any."""
    said = os.environ.get("DRIFTSTREAM_BENCH_PEERS", "")
    return said or (str(_VENV) if _VENV.exists() else None)


def versions_apart() -> dict[str, str]:
    """Versions of what those peers use."""
    python = python_apart()
    if python is None:
        return {}
    done = subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}
