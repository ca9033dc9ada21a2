"""Packages that not every installation has, and the command that installs what is missing of them.

driftstream alone brings what publishes events and reads alerts; the extras `fit` and `worker` bring
the rest (docs/adr/0068).
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires
from typing import Final

__all__ = ["extra_packages", "install_command", "missing_of", "missing_words"]

_NAME: Final = "driftstream"
#: What is looked through for a package, the smallest first.
_EXTRAS: Final = ("fit", "worker")
#: Module -> the project that has it, where their names differ.
_PROJECTS: Final = {
    "faust": "faust-streaming",
    "kafka": "kafka-python",
    "markdown_it": "markdown-it-py",
    "mode": "mode-streaming",
    "prometheus_client": "prometheus-client",
    "snappy": "python-snappy",
}
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def extra_packages(extra: str) -> list[str]:
    """Requirements of an extra, as pip takes them."""
    try:
        lines = requires(_NAME) or ()
    except PackageNotFoundError:  # a source tree on the path that was never installed
        lines = ()
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        named = _EXTRA.search(marker)
        if named and named[1] == extra and not requirement.startswith(f"{_NAME}["):
            found.append(requirement.strip())
    return found


def missing_of(packages: Iterable[str]) -> list[str]:
    """Those that are not installed, in whatever version."""
    return [each for each in packages if not _is_there(_project(each))]


def install_command(packages: Iterable[str]) -> str:
    """The command that installs packages for this Python.

    It names them and not the extra: `pip install driftstream[...]` would look for driftstream on an
    index, where a checkout or a wheel of a team's own is not.
    """
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def missing_words(error: ModuleNotFoundError, what: str) -> str:
    """Say what a missing module is needed for, and how to install it with the rest of its extra.

    Empty if the module is one of ours: that is a bug, or an installation that is not whole.
    """
    module = (error.name or "").partition(".")[0]
    if module in ("", "detectors", "driftstream", "stream"):
        return ""
    project = _PROJECTS.get(module, module)
    for extra in _EXTRAS:
        packages = extra_packages(extra)
        if project in map(_project, packages):
            command = install_command(missing_of(packages) or [project])
            return (
                f"{what} needs {project}, which is not installed: it is of the extra {extra!r}. "
                f"Install that: {command}"
            )
    return (
        f"{what} needs {project}, which is not installed. Install it: {install_command([project])}"
    )


def _project(requirement: str) -> str:
    """The name in a requirement."""
    return re.split(r"[^\w.-]", requirement)[0]


def _is_there(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
