"""What to do about a column that a file has not."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from stream.files.dialect import uneven_lines
from stream.files.files import is_typed
from stream.text.counted import some_of

__all__ = ["no_column_hint"]

_MAX_SHOWN: Final = 20


def no_column_hint(
    path: Path, name: str, there: Collection[str], known: Collection[str] = ()
) -> str:
    """Say what the file has in place of a column: a name that is near, or all as one, or which.

    Those `known` to be something else are not what was meant.
    """
    if near := difflib.get_close_matches(name, [n for n in there if n not in known], 1):
        return f"Did you mean {near[0]}?"
    if len(there) == 1 and not is_typed(path) and (uneven := uneven_lines(path)):
        return f"All of a line was read as one field. {uneven}"
    return f"It has: {some_of([*map(repr, there)], _MAX_SHOWN)}."
