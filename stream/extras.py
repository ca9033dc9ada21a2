"""Packages that only some commands need, and the command that installs what is missing of them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires

__all__ = ["extra_packages", "install_command", "missing_of"]

_NAME = "driftstream"
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def extra_packages(extra: str) -> list[str]:
    """Requirements of an extra, as pip takes them."""
    found = []
    for line in requires(_NAME) or ():
        requirement, _, marker = line.partition(";")
        named = _EXTRA.search(marker)
        if named and named[1] == extra and not requirement.startswith(f"{_NAME}["):
            found.append(requirement.strip())
    return found


def missing_of(packages: Iterable[str]) -> list[str]:
    """Those that are not installed, in whatever version."""
    return [each for each in packages if not _is_there(re.split(r"[^\w.-]", each)[0])]


def install_command(packages: Iterable[str]) -> str:
    """The command that installs packages for this Python.

    It names them and not the extra: `pip install driftstream[...]` would look for driftstream on an
    index, where a checkout or a wheel of a team's own is not.
    """
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def _is_there(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
