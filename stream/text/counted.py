"""How many of what, in words: "1 model", "2,000 models"; "a, b and 3 more"."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "some_of"]


def counted(number: float, one: str, several: str = "") -> str:
    """A number with what it counts; `several` where that is not `one` and an "s".

    Examples
    --------
    >>> counted(1, "model"), counted(2_000, "copy", "copies"), counted(0, "row")
    ('1 model', '2,000 copies', '0 rows')
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def some_of(names: Sequence[str], max_names: int) -> str:
    """The first of some names, and how many more there are; names with commas part at semicolons.

    Examples
    --------
    >>> some_of(["a", "b", "c", "d", "e"], 2), some_of(["a", "b"], 2)
    ('a, b and 3 more', 'a, b')
    >>> some_of(["sex", "sex, age_band"], 2)
    'sex; sex, age_band'
    """
    named = names[:max_names]
    more = f" and {len(names) - max_names:,} more" if len(names) > max_names else ""
    return ("; " if any(", " in name for name in named) else ", ").join(named) + more
