"""What the sections of a report are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.report.html import Child, Markup, tag

__all__ = ["badge", "facts", "section", "table"]


def badge(text: str, kind: str) -> Markup:
    """A word in a coloured pill; the colour says nothing that the word does not."""
    return tag("span", text, class_=f"badge {kind}")


def table(
    caption: str,
    heads: Sequence[Child],
    rows: Iterable[Sequence[Child]],
    *,
    figures: frozenset[int] = frozenset(),
    kind: str = "",
) -> Markup:
    """Give a table in a box that scrolls by itself; the columns `figures` are numbers."""

    def cell(name: str, at: int, child: Child) -> Markup:
        kind_of = "figure" if at in figures else None
        scope = "row" if name == "th" else None
        return tag(name, child, class_=kind_of, scope=scope)

    head = tag(
        "tr",
        (
            tag("th", h, scope="col", class_="figure" if i in figures else None)
            for i, h in enumerate(heads)
        ),
    )
    body = (
        tag("tr", (cell("th" if i == 0 else "td", i, child) for i, child in enumerate(row)))
        for row in rows
    )
    made = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag(
        "div", made, class_=f"scroll {kind}".strip(), tabindex=0, role="region", aria_label=caption
    )


def section(id_: str, title: str, lead: str, *children: Child) -> Markup:
    """A part of the page with a heading that links can lead to."""
    words = tag("p", lead, class_="lead") if lead else None
    return tag(
        "section",
        tag("h2", title, id=f"{id_}-title"),
        words,
        children,
        id=id_,
        aria_labelledby=f"{id_}-title",
    )


def facts(rows: Sequence[tuple[str, str, str]]) -> Markup:
    """Key figures side by side: (name, value, words)."""
    return tag(
        "dl",
        (
            tag(
                "div",
                tag("dt", name),
                tag("dd", value, class_="value"),
                tag("dd", note, class_="note") if note else None,
            )
            for name, value, note in rows
        ),
        class_="facts",
    )
