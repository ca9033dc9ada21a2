"""Numbers that are formatted for people: `$24.71`, `12.5 %`, `1 234`, `00:45:00`, `-` for none.

They are texts, and events that hold them hold texts, so they are not converted. But a column of
them is no column of names, and whoever fits one is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from stream.files.reading import is_number_text
from stream.text.counted import counted

__all__ = ["formatted_note", "mixed_note"]

#: Signs, comparisons and an opening parenthesis, with a currency before or after them.
_FORMATTED: Final = re.compile(
    r"[<>=≤≥~≈±(+−–-]*\s*(?P<before>[^\w\s.,+-]{0,2}|[A-Za-z]{1,3}\$|[A-Z]{3}\s)\s*"
    r"[(+−–-]?([0-9]{1,3}([ \u00a0\u202f'’.,][0-9]{3})+([.,][0-9]+)?|[0-9]*[.,]?[0-9]+)"
    r"(?P<after>\s*[^\w\s.,]{1,2}|\s?[A-Za-zµ°Ω]{1,5}(/[A-Za-z]{1,3})?)?\)?"
)
#: Times of day and lengths of time.
_CLOCK: Final = re.compile(r"-?([0-9]+ days?,? )?[0-9]+:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?")
#: Longer texts are none, and are not tried: they could match in many ways, one after the other.
_LONGEST: Final = 64
#: Fewer different ones are classes such as `18 %` and `7 %`.
_MIN_VALUES: Final = 10
_MOSTLY: Final = 0.9
_HALF: Final = 0.5


def formatted_note(texts: Sequence[str], counts: Sequence[int]) -> str:
    """Ask whether a column of names has formatted numbers, or give an empty text.

    Letters after digits, as in `12a`, are a unit only if nearly all have the same.

    Examples
    --------
    >>> formatted_note([f"${i}.50" for i in range(20)], [1] * 20)
    "names such as '$0.50': numbers? Write them as 12.5, in events too"
    >>> formatted_note([f"Q{i}" for i in range(20)], [1] * 20)
    ''
    """
    found: dict[str, int] = {}
    affixes: Counter[tuple[str, str]] = Counter()
    for text, count in zip(texts, counts, strict=True):
        bare = text.strip()
        if len(bare) > _LONGEST:
            continue
        if _CLOCK.fullmatch(bare):
            found[text] = count
        elif match := _FORMATTED.fullmatch(bare):
            found[text] = count
            after = (match["after"] or "").strip()
            affixes[match["before"].strip(), after if after.isalpha() else ""] += count
    if len(found) < _MIN_VALUES or sum(found.values()) < _MOSTLY * sum(counts):
        return ""
    common = sum(count for _, count in affixes.most_common(1))
    if affixes and common < _MOSTLY * affixes.total():
        return ""
    example = next((t for t in found if not is_number_text(t)), "")
    return (
        f"names such as {example!r}: numbers? Write them as 12.5, in events too" if example else ""
    )


def mixed_note(
    name: str, texts: Sequence[str], counts: Sequence[int], are_numbers: Sequence[bool]
) -> str:
    """Ask about a column of names of which half or more are numbers, or give an empty text."""
    total = sum(counts)
    others = {t: n for t, n, is_one in zip(texts, counts, are_numbers, strict=True) if not is_one}
    numbers = total - sum(others.values())
    if not others or len(texts) - len(others) < _MIN_VALUES or numbers < _HALF * total:
        return ""
    most = max(others, key=lambda text: others[text])
    if others[most] >= (1 - _MOSTLY) * total / 2:
        return (
            f"{numbers / total:.0%} are numbers, {most!r} ({counted(others[most], 'row')}) is not: "
            f"names. No value? --missing {most!r}; a wrong one? --numeric {name}"
        )
    if formatted := formatted_note(texts, counts):
        return formatted
    return f"{numbers / total:.0%} are numbers, {most!r} and others not: names (--numeric {name})"
