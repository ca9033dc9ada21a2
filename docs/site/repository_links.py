"""Hooks of mkdocs: links that lead out of docs/, lists of pages, drawings that follow the theme.

A page links to files as they lie in a checkout, `../benchmarks/QUALITY.md` too. The site has what
such links lead to under repository/: Markdown as a page, other text as a page of code, a folder as
its README or the names of its files. So the same Markdown reads well in a checkout and on the site.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Pages of the navigation, whether or not a page of docs/ links to them.
ALWAYS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
FENCE = re.compile(r"(^ *```.*?^ *```)", re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: Where a search looks less, and where it does not.
BOOST = {"adr/": 0.3, "repository/": 0.5}
UNSEARCHED = {"repository/CHANGELOG.md"}
DRAWING = re.compile(r"!\[[^\]]*\]\((images/[\w-]+\.svg)\)")


def on_config(config: MkDocsConfig) -> None:
    """Put every page of a folder in the place of `folder/*` in the navigation."""
    config.nav = list(_spread(config.nav or []))


def _spread(entries: list[object]) -> Iterator[object]:
    for entry in entries:
        if isinstance(entry, dict):
            yield {k: list(_spread(v)) if isinstance(v, list) else v for k, v in entry.items()}
        elif isinstance(entry, str) and entry.endswith("/*"):
            names = sorted(path.name for path in (DOCS / entry[:-2]).glob("*.md"))
            yield from (f"{entry[:-1]}{name}" for name in names if name != "README.md")
        else:
            yield entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what links lead to outside docs/, and what these pages link to in turn."""
    waiting = [DOCS / file.src_uri for file in files.documentation_pages()]
    waiting += [ROOT / name for name in ALWAYS]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        if _is_outside(path):
            files.append(_as_file(path, config))
        if path.suffix != ".md":
            continue
        for link in _links(path.read_text()):
            target = _target(path, link)
            if target is not None and _is_outside(target) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the site has the file; put drawings into the page."""
    name = page.file.src_uri
    here = ROOT / name.removeprefix("repository/") if "repository/" in name else DOCS / name
    boost = next((value for start, value in BOOST.items() if name.startswith(start)), 1.0)
    page.meta.setdefault("search", {"boost": boost, "exclude": name in UNSEARCHED})

    def moved(found: re.Match[str]) -> str:
        link = found[1]
        target = _target(here, link)
        if target is None or not (_is_outside(target) or _is_outside(here)):
            return found[0]
        to = os.path.relpath(_address(target), Path(name).parent)
        anchor = link.partition("#")[2]
        return f"]({to}#{anchor})" if anchor else f"]({to})"

    def drawn(found: re.Match[str]) -> str:
        return re.sub(r">\s+<", "><", (DOCS / found[1]).read_text()).strip()

    return _beside_code(markdown, lambda text: LINK.sub(moved, DRAWING.sub(drawn, text)))


def _beside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts = FENCE.split(markdown)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def _links(markdown: str) -> list[str]:
    return [link for part in FENCE.split(markdown)[::2] for link in LINK.findall(part)]


def _target(page: Path, link: str) -> Path | None:
    """The file or folder of this repository that a page's link leads to."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", link):
        return None
    target = Path(os.path.normpath(page.parent / path))
    if target.is_dir() and (target / "README.md").exists():
        target /= "README.md"
    return target if target.exists() and target.is_relative_to(ROOT) else None


def _is_outside(path: Path) -> bool:
    return not path.is_relative_to(DOCS)


def _address(path: Path) -> str:
    """What the site's files are called by: mkdocs makes pages of names that end in .md."""
    if not _is_outside(path):
        return path.relative_to(DOCS).as_posix()
    name = f"repository/{path.relative_to(ROOT).as_posix()}"
    return name if path.suffix == ".md" else f"{name}.md"


def _as_file(path: Path, config: MkDocsConfig) -> File:
    name = path.relative_to(ROOT).as_posix()
    if path.suffix == ".md":
        return File.generated(config, _address(path), abs_src_path=str(path))
    if path.is_dir():
        names = sorted(each.relative_to(path).as_posix() for each in path.rglob("*.*"))
        language, text = "text", "\n".join(names)
    else:
        language, text = path.suffix[1:], path.read_text()
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n"
    return File.generated(config, _address(path), content=f"{head}````{language}\n{text}\n````\n")
