"""HTML as values: the one place where text is escaped.

`tag` escapes every child and attribute that is plain text, and makes visible what cannot be seen;
only what `tag` itself made is taken as it is. There is no other way to make markup of a value, so
none can become any.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final, TypeAlias

from stream.text.printable import printable

__all__ = ["Child", "Markup", "join", "style_sheet", "tag"]

_VOID: Final = frozenset({"meta", "link", "br", "hr", "col"})


class Markup(str):
    """Text that is HTML already. Made here, and of the runbooks' Markdown by its own renderer."""

    __slots__ = ()


Child: TypeAlias = "Markup | str | int | Iterable[Child] | None"


def join(*children: Child) -> Markup:
    """Children one after the other, escaped where they are plain."""
    return Markup("".join(_each(children)))


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """`tag("td", 5, class_="figure")`: an element.

    An attribute's trailing underscore is taken off, other underscores become hyphens; None and
    False leave it out, True gives it without a value.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        parts.append(key if value is True else f'{key}="{html.escape(printable(value))}"')
    opened = f"<{' '.join(parts)}>"
    if name in _VOID:
        return Markup(opened)
    return Markup(f"{opened}{''.join(_each(children))}</{name}>")


def style_sheet(css: str) -> Markup:
    """Give a style element; its text is ours, and must not end the element.

    Raises
    ------
    ValueError
        If it would.
    """
    if "<" in css:
        raise ValueError("a style sheet must not hold '<': it could end its element.")
    return Markup(f"<style>{css}</style>")


def _each(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield html.escape(printable(child))
        elif isinstance(child, int):
            yield str(child)
        else:
            yield from _each(child)
