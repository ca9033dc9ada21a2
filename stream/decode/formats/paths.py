"""Paths into JSON: `request.inputs[0].value`, `instances[].amount`, `features.*`.

A dot parts names, `\\.` is a dot of a name; `[2]` is one member of an array, `[]` each of them, and
a last `*` all members of an object.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

__all__ = ["EACH", "Path", "is_readable", "parse_path", "path_text"]

#: Every member of an array, each an event.
EACH: Final = -1
Path: TypeAlias = tuple[str | int, ...]
_STEP: Final = re.compile(r"\[(\d{0,6})\]|((?:[^.\[\]\\]|\\.)+)")


def parse_path(text: str) -> Path:
    """The steps of a path: names, indices, `EACH`.

    Raises
    ------
    ValueError
        Saying where it cannot be read.
    """
    steps: list[str | int] = []
    at = 2 if text.startswith("$.") else 1 if text.startswith("$[") else 0
    while at < len(text):
        if steps and text[at] == ".":
            at += 1
        elif steps and text[at] != "[":
            raise ValueError(f"has {text[at]!r} where a dot or [ should be, at character {at + 1}")
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"cannot be read from character {at + 1} on")
        index, name = found.groups()
        if name is None:
            steps.append(int(index) if index else EACH)
        else:
            name = re.sub(r"\\(.)", r"\1", name)
            if not is_readable((name,)):
                raise ValueError(
                    f"names {name!r}: a quotation mark, a backslash or a control character in a "
                    "member's name cannot be read"
                )
            steps.append(name)
        at = found.end()
    if not steps or text.endswith("."):
        raise ValueError("ends where a name should be")
    if steps.count(EACH) > 1:
        raise ValueError("has [] twice; one array can be taken apart")
    return tuple(steps)


def is_readable(path: Path) -> bool:
    """Whether all its names can be members that a compiled reader knows."""
    return not any(
        character in '"\\' or character < " "
        for step in path
        if isinstance(step, str)
        for character in step
    )


def path_text(path: Path) -> str:
    """The text of a path, as `parse_path` reads it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += "[]" if step == EACH else f"[{step}]"
        else:
            text += "." * bool(text) + re.sub(r"([.\[\]\\])", r"\\\1", step)
    return text
