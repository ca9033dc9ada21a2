"""The documentation as a site: it is whole, says what the Markdown says, and needs no network.

`make docs` installs what builds it, in .venv-docs; without that these tests skip. Pictures are
written to the folder that DRIFTSTREAM_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
#: What a browser fetches by itself to show a page.
FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "use": "href"}
#: Blocks whose kind and nesting have to be those of the Markdown.
BLOCKS = {"blockquote", "h1", "h2", "h3", "h4", "li", "ol", "pre", "table", "ul"}
LEAVES = {"em", "hr", "strong", "td", "th", "tr"}


def build(root: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """The site of a copy of the repository; a warning is a failure."""
    if not MKDOCS.exists():
        pytest.skip("no mkdocs: `make docs` installs it")
    return subprocess.run(
        [str(MKDOCS), "build", "--strict", "--site-dir", str(to)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Html(HTMLParser):
    """What a page links to, fetches, is called by, and how its text is built."""

    def __init__(self, text: str, *, only_article: bool = True) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.shape: list[str] = []
        self._open: list[str] = []
        self._told = not only_article
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.ids.add(has.get("id", ""))
        self._told |= tag == "article"
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if tag in FETCHED and FETCHED[tag] in has:
            self.fetched.append(has[FETCHED[tag]])
        if tag == "link" and has.get("rel") not in ("prev", "next", "canonical"):
            self.fetched.append(has["href"])
        if self._told and tag in BLOCKS:
            self._open.append(tag)
        if self._told and tag in BLOCKS | LEAVES:
            self.shape.append("/".join([*self._open, tag] if tag in LEAVES else self._open))

    def handle_endtag(self, tag: str) -> None:
        self._told &= tag != "article"
        if self._told and tag in BLOCKS:
            self._open.pop()


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    return {path: Html(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_every_link_and_anchor_of_the_site_leads_somewhere(
    site: Path, pages: dict[Path, Html]
) -> None:
    assert len(pages) > 90
    followed = 0
    for page, html in pages.items():
        for link in html.links:
            to = urlsplit(link)
            if to.scheme or page.name == "404.html":
                continue
            target = Path(os.path.normpath(page.parent / unquote(to.path))) if to.path else page
            assert target.is_file(), f"{page.relative_to(site)}: {link} is not there"
            if to.fragment and target.suffix == ".html":
                there = pages[target].ids
                assert unquote(to.fragment) in there, f"{page.relative_to(site)}: no {link}"
            followed += 1
    assert followed > 5_000


def test_a_page_fetches_nothing_from_elsewhere(site: Path, pages: dict[Path, Html]) -> None:
    for page, html in pages.items():
        assert any("site/style.css" in url for url in html.fetched)
        for url in html.fetched:
            assert not urlsplit(url).netloc, f"{page.relative_to(site)} fetches {url}"
    for sheet in site.rglob("*.css"):
        for url in re.findall(r"url\(['\"]?([^)'\"]+)|@import ['\"]([^'\"]+)", sheet.read_text()):
            assert "".join(url).startswith(("data:", "../", "#")), f"{sheet.name}: {url}"


def test_dead_links_dead_anchors_and_forgotten_pages_end_the_build(tmp_path: Path) -> None:
    """Of a small repository, by the settings and hooks of ours."""
    shutil.copytree(ROOT / "docs" / "site", tmp_path / "docs" / "site")
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(settings + "\nnav: [README.md]\n")
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy.md"):
        (tmp_path / name).write_text("# There\n")
    page = tmp_path / "docs" / "README.md"
    page.write_text("# Here\n\n[itself](#here) [out](../deploy.md#there) [up](../README.md)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 0, done.stderr

    with page.open("a") as more:
        more.write("[one](nowhere.md) [two](#nowhere) [three](../nowhere.md)\n")
        more.write("[four](../deploy.md#nowhere)\n")
    (tmp_path / "docs" / "forgotten.md").write_text("# Forgotten\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for words in (
        "- forgotten.md",
        "'nowhere.md'",
        "'#nowhere'",
        "'../nowhere.md'",
        "'repository/deploy.md#nowhere'",
    ):
        assert words in done.stderr, f"{words}: {done.stderr}"


def markdown_of(site: Path) -> dict[Path, Path]:
    """Page of the site -> its Markdown."""
    outside = {
        path: site / "repository" / path
        for path in (
            Path("README.md"),
            Path("CONTRIBUTING.md"),
            Path("CHANGELOG.md"),
            *(path.relative_to(ROOT) for path in (ROOT / "benchmarks").glob("*.md")),
        )
    }
    inside = {
        path.relative_to(ROOT): site / path.relative_to(ROOT / "docs")
        for path in (ROOT / "docs").rglob("*.md")
    }
    return {
        (page.with_name("index") if page.name == "README.md" else page).with_suffix(".html"): ROOT
        / path
        for path, page in {**outside, **inside}.items()
    }


def test_the_site_reads_as_the_markdown_does(site: Path, pages: dict[Path, Html]) -> None:
    """mkdocs has rules of its own for lists: what GitHub takes for one may be a paragraph there."""
    read = MarkdownIt("gfm-like", {"linkify": False})
    compared = 0
    for page, markdown in markdown_of(site).items():
        there = pages[page].shape
        here = Html(read.render(markdown.read_text()), only_article=False).shape
        assert there == here, (
            f"{markdown.relative_to(ROOT)}: a list needs an empty line before it, "
            "and what belongs to an entry four spaces"
        )
        compared += len(here)
    assert compared > 5_000


@pytest.mark.parametrize("width", [1440, 390])
def test_it_is_searched_and_read_from_a_disk(
    site: Path, browser: Callable[..., Any], pictures: Path, width: int
) -> None:
    address = site.joinpath("index.html").as_uri()
    with browser(address, width=width) as tab:
        tab.screenshot(pictures / f"site-{width}.png")
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert ("image", "How events become alerts") in [
            (role.replace("img", "image"), name) for role, name in tab.accessible()
        ]
        assert tab.errors == []
    with browser(f"{address}?q=false_alarms_per_week", width=width) as tab:
        found = tab.wait_for(
            "[...document.querySelectorAll('a.md-search-result__link')].map((a) => a.href)"
            ".join(' ')"
        )
        tab.screenshot(pictures / f"site-search-{width}.png")
        assert "reference/config.html" in found
        assert tab.errors == []
        elsewhere = [u for u in tab.requests if not u.startswith(("file:", "data:", "blob:"))]
        assert elsewhere == []
