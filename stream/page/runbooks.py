"""The runbooks as pages of the worker: `/runbooks/` and `/runbooks/data_drift`."""

from __future__ import annotations

from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from stream.report.html import Markup, join, tag
from stream.runbooks import runbook_index, runbooks

__all__ = ["runbook_address", "runbook_html", "runbook_paths"]


def runbook_address(kind: str, configured: str) -> str:
    """Where the page's link to the runbook of a kind leads: as configured, else to its own."""
    return configured if configured.startswith(("https://", "http://")) else f"runbooks/{kind}"


def runbook_paths() -> dict[str, str]:
    """Path -> name of the runbook there, "" for the list of them.

    Each is there with and without `.md`, so that the addresses of the Prometheus rules lead here
    when `docs/runbooks/` in them is replaced by this address.
    """
    named = {f"/runbooks/{name}{end}": name for name in runbooks() for end in ("", ".md")}
    return {"/runbooks/": "", **named}


@cache
def runbook_html(name: str) -> bytes:
    """One runbook, or the list of them for ""."""
    page = runbooks()[name] if name else None
    text = page.text if page else runbook_index()
    title = page.title if page else "Runbooks"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · driftstream"),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href="../static/style.css"),
        tag("link", rel="stylesheet", href="../static/page.css"),
    )
    back = tag(
        "nav",
        tag("a", "The worker’s page", href="../"),
        None if page is None else join(" · ", tag("a", "All runbooks", href="./")),
        aria_label="Where this belongs",
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag(
            "div",
            tag("header", tag("p", "driftstream", class_="brand"), back),
            tag("main", _rendered(text), id="content", class_="runbook"),
            class_="page",
        ),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n".encode()


def _rendered(text: str) -> Markup:
    """Markdown of ours as HTML; markup within it is shown as text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("table_open", _table_open)
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = reader.parse(text)
    for token in tokens:
        if token.children:
            token.children = _with_links_of_ours(token.children)
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def _table_open(*_: Any) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n'


def _with_links_of_ours(tokens: list[Token]) -> list[Token]:
    """Links between runbooks lead to these pages; a document that is not here is named."""
    kept: list[Token] = []
    elsewhere = ""
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"]).partition("#")[0]
            name = target.removesuffix(".md")
            if name in runbooks():
                token.attrs["href"] = name
            elif "://" not in target:
                elsewhere = target.replace("../", "docs/", 1)
                continue
        if token.type == "link_close" and elsewhere:
            kept.append(Token("text", "", 0, content=f" ({elsewhere})"))
            elsewhere = ""
            continue
        kept.append(token)
    return kept
