"""Write requirements.lock from pyproject.toml: every extra and group, pinned and hashed.

Run with the Python of the lowest supported version (`make lock` does). pip's own settings are kept
out of it, so that no index or folder of one machine gets into the lock or chooses its hashes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# What driftstream's make targets install, pinned and hashed. Written by `make lock`: do not edit.
"""


def wanted() -> list[str]:
    """All requirements of pyproject.toml, without the project's references to itself."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = document["project"]
    lists = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *document["dependency-groups"].values(),
    ]
    own = project["name"] + "["
    return sorted({line for items in lists for line in items if not line.startswith(own)})


def main() -> int:
    """Compile; the old lock's pins are kept where they still fit (delete it to upgrade all)."""
    environment = {k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"}
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "requirements.in"), Path(folder, "requirements.lock")
        source.write_text("\n".join(wanted()) + "\n")
        if LOCK.exists():
            output.write_text(LOCK.read_text())
        command = [
            sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes",
            "--allow-unsafe", "--strip-extras", "--no-annotate", "--no-header",
            "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host",
            "--resolver=backtracking", "--output-file", str(output), str(source),
        ]  # fmt: skip
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            return done.returncode
        LOCK.write_text(HEADER + output.read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
