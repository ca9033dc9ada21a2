"""Write requirements.lock from pyproject.toml: every extra and group, pinned and hashed.

Run with the Python of the lowest supported version (`make lock` does). pip's own settings are kept
out of it, so that no index or folder of one machine gets into the lock or chooses its hashes.

deploy/requirements.lock and deploy/build.lock are the parts of it that the image needs: what a
worker runs on, and what its wheel is built with. Pins and hashes are copied, so that what is
deployed is what was tested. `lock.py --parts` writes these alone.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# What driftstream's make targets install, pinned and hashed. Written by `make lock`: do not edit.
"""


PART_HEADER = """\
# For deploy/Dockerfile: a part of ../requirements.lock. Written by `make lock`: do not edit.
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


def parts() -> dict[Path, list[str]]:
    """File -> the requirements that it is of."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    deploy, project = ROOT / "deploy", document["project"]
    return {
        deploy / "requirements.lock": [*project["dependencies"], *of_extra(project, "worker")],
        deploy / "build.lock": document["build-system"]["requires"],
    }


def of_extra(project: dict[str, Any], extra: str) -> list[str]:
    """The requirements of an extra, and of the extras that it names."""
    found: list[str] = []
    for line in project["optional-dependencies"][extra]:
        wanted = Requirement(line)
        if wanted.name == project["name"]:
            found += [each for name in sorted(wanted.extras) for each in of_extra(project, name)]
        else:
            found.append(line)
    return found


def closure(requirements: Iterable[str]) -> set[str]:
    """The names of requirements and, as they are installed here, of all that they need."""
    names: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        if name in names and not wanted.extras:
            continue
        names.add(name)
        needs = [Requirement(line) for line in importlib.metadata.requires(name) or ()]
        waiting += [(need, asked) for need in needs for asked in ("", *wanted.extras)]
    return names


def part_of_lock(names: Iterable[str]) -> str:
    """The entries of requirements.lock that have these names."""
    blocks = re.findall(r"^[\w.-]+==.*(?:\n    .*)*\n", LOCK.read_text(), re.MULTILINE)
    by_name = {canonicalize_name(block.split("==")[0]): block for block in blocks}
    return PART_HEADER + "".join(by_name[name] for name in sorted(names))


def main() -> int:
    """Write the lock and its parts."""
    if "--parts" not in sys.argv and (status := compile_all()):
        return status
    for path, requirements in parts().items():
        path.write_text(part_of_lock(closure(requirements)))
    return 0


def compile_all() -> int:
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
