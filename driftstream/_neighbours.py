"""Whether `detectors` and `stream` are driftstream's: other distributions have such names too.

pip lets one distribution replace the files of another without a word, and a script's own folder
comes before all that is installed. What then fails is far from the cause, so it is looked at first.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["what_is_in_the_way"]

#: How the first file of each package of ours begins.
OURS: Final = {
    "detectors": '"""Drift statistics over integer counts',
    "stream": '"""Streaming drift monitor:',
}


def what_is_in_the_way() -> str:
    """Words about what stands in the place of a package of ours: which file, whose, what to do.

    Empty if all is well, at the cost of opening two files.
    """
    root = Path(__file__).resolve().parent.parent
    for name, beginning in OURS.items():
        found, own = _place_of(name), root / name / "__init__.py"
        if found is None:
            return f"{own} is not there: driftstream is not whole. {_again()}"
        if not _is_same(found, own):
            return _of_another(name, found)
        if not _begins_with(found, beginning):
            return _of_another(name, found, replaced=True)
    return ""


def _place_of(name: str) -> Path | None:
    """The file that an import of this name would run."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module that somebody made by hand
        return Path(f"<{name}>")
    return None if spec is None or spec.origin is None else Path(spec.origin)


def _is_same(found: Path, own: Path) -> bool:
    try:
        return os.path.samefile(found, own)
    except OSError:
        return found == own


def _begins_with(path: Path, beginning: str) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(beginning)) == beginning
    except OSError:  # in an archive
        return True


def _of_another(name: str, found: Path, *, replaced: bool = False) -> str:
    owner = _owner(name, found)
    what = f"{name!r} is {found}, which is not driftstream's"
    if owner:
        project = owner.partition(" ")[0]
        then = f" Then {_again(begin=False)}" if replaced else ""
        return (
            f"{what} but of {owner}: both have files of that name, and an environment can hold one "
            f"of them only. Give driftstream its own, or: pip uninstall {project}.{then}"
        )
    if replaced:
        return f"{what}; no installed package has it. {_again()}"
    return (
        f"{what}; no installed package has it. It comes first on sys.path: rename it, or start "
        "Python where it is not."
    )


def _owner(name: str, found: Path) -> str:
    """`project 1.0`: the other distribution that a file is of; empty if there is none."""
    from importlib.metadata import distributions

    for distribution in distributions():
        project = distribution.metadata["Name"]
        if project is None or project.lower() == "driftstream":
            continue
        for file in distribution.files or ():
            if file.parts[0].partition(".")[0] != name or file.name != found.name:
                continue
            if _is_same(Path(str(distribution.locate_file(file))), found):
                return f"{project} {distribution.version}"
    return ""


def _again(*, begin: bool = True) -> str:
    """How to install driftstream's files again, from where they came."""
    from importlib.metadata import PackageNotFoundError, distribution
    from json import loads
    from shlex import quote

    source = "driftstream"
    try:
        ours = distribution("driftstream")
        source = f"driftstream=={ours.version}"
        if text := ours.read_text("direct_url.json"):
            source = loads(text)["url"]
    except (PackageNotFoundError, ValueError, KeyError):
        pass
    verb = "Install it again" if begin else "install it again"
    return f"{verb}: pip install --force-reinstall --no-deps {quote(source)}"
