"""How many of what, in words: "1 model", "2,000 models"."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: float, one: str, several: str = "") -> str:
    """A number with what it counts; `several` where that is not `one` and an "s".

    Examples
    --------
    >>> counted(1, "model"), counted(2_000, "copy", "copies"), counted(0, "row")
    ('1 model', '2,000 copies', '0 rows')
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
