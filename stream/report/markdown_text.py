"""Markdown as values: the one place where text becomes Markdown.

`text` escapes all that could be markup: HTML, links, images, tables, emphasis, formulas, addresses
and names of people that a tracker would link or notify. Only what is `Markdown` already is taken as
it is, so no value can become more than words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from stream.report.words import arrows
from stream.text.printable import printable

__all__ = [
    "Markdown",
    "Part",
    "bold",
    "bullets",
    "code",
    "code_block",
    "heading",
    "join",
    "table",
    "text",
]

#: An underscore within a word is none of these: names of columns stay as they are.
_MARKUP: Final = re.compile(r"[\\`*\[\]<|~&$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")
#: What would begin a list, a heading or a quotation, at the beginning of a line.
_BEGINS: Final = re.compile(r"^\s*(?:(\d+)([.)])|([-+=>#]))")
#: A bar in code ends a cell as any other does.
_BAR: Final = re.compile(r"(?<!\\)\|")
_ESCAPED_BAR: Final = r"\\|"
#: Trackers notify whom an @ names; behind one nothing is seen, and nobody is meant.
_NOBODY: Final = "@\u200b"


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


Part: TypeAlias = "Markdown | str | int"


def text(value: object) -> Markdown:
    """A value as words."""
    escaped = _MARKUP.sub(r"\\\g<0>", arrows(printable(value)))
    return Markdown(re.sub(r"@(?=\w)", _NOBODY, escaped))


def join(*parts: Part) -> Markdown:
    """Parts one after the other, escaped where they are plain; a line of its own."""
    joined = "".join(part if isinstance(part, Markdown) else text(part) for part in parts)
    if parts and not isinstance(parts[0], Markdown):
        joined = _BEGINS.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", joined)
    return Markdown(joined.strip())


def bold(value: object) -> Markdown:
    """A value as strong words."""
    return Markdown(f"**{text(value)}**")


def code(value: object) -> Markdown:
    """A value as code."""
    shown = printable(value)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown[:1] in ("", "`") or shown[-1:] == "`" else ""
    return Markdown(f"{ticks}{pad}{shown}{pad}{ticks}")


def code_block(lines: Iterable[str], language: str = "") -> Markdown:
    """Lines as they are."""
    shown = "\n".join(map(printable, lines))
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return Markdown(f"{ticks}{language}\n{shown}\n{ticks}")


def heading(level: int, *parts: Part) -> Markdown:
    """A heading."""
    return Markdown(f"{'#' * level} {join(*parts)}")


def bullets(lines: Iterable[Part]) -> Markdown:
    """A list."""
    return Markdown("\n".join(f"- {join(line)}" for line in lines))


def table(heads: Sequence[Part], rows: Iterable[Sequence[Part]]) -> Markdown:
    """A table with a heading row; empty cells are a dash."""

    def line(cells: Iterable[Part], empty: str = "–") -> str:
        shown = (join(Markdown(), cell) or empty for cell in cells)
        return f"| {' | '.join(_BAR.sub(_ESCAPED_BAR, cell) for cell in shown)} |"

    return Markdown("\n".join([line(heads, ""), "|---" * len(heads) + "|", *map(line, rows)]))
