"""Every Markdown page: links lead somewhere, and blocks of code are what they say they are.

JSON and TOML parse, Python compiles, and every `driftstream` command in a shell block is one that
there is, with options that it has.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stream.cli import COMMANDS, cli
from stream.config.load import TABLES

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.S | re.M)
#: Continued and separate commands of a shell block.
SPLIT = re.compile(r"&&|\|\||[;|]|\n|\$\(|\)")


def written() -> list[Path]:
    """The Markdown files of the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [ROOT / line for line in done.stdout.splitlines()]
    return found or [path for path in ROOT.rglob("*.md") if ".venv" not in path.parts]


PAGES = [page for page in written() if page.exists()]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in links, as GitHub does it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    names = (re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads)
    return set(names)


def blocks(*languages: str) -> list[tuple[str, str]]:
    """(where, text) of every block in one of these languages."""
    return [
        (f"{page.relative_to(ROOT)}: block {number}", text)
        for page in PAGES
        for number, (language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
        if language in languages
    ]


def test_there_is_something_to_check() -> None:
    assert {"README.md", "docs/tutorial.md", "docs/reference/cli.md"} <= set(IDS)
    assert len(blocks("sh")) > 10


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        where = (page.parent / path).resolve() if path else page
        assert where.exists(), f"{target} is not there"
        if anchor and where.suffix == ".md":
            assert anchor in anchors(where), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_that_are_named_in_words_are_there(page: Path) -> None:
    for name in re.findall(r"\bdocs/[\w/.-]+\.(?:md|json)", page.read_text()):
        assert (ROOT / name).exists(), f"{name} is not there"


@pytest.mark.parametrize(("where", "text"), blocks("json"), ids=[w for w, _ in blocks("json")])
def test_json_parses(where: str, text: str) -> None:
    json.loads(text)


@pytest.mark.parametrize(("where", "text"), blocks("toml"), ids=[w for w, _ in blocks("toml")])
def test_toml_parses_and_has_known_tables(where: str, text: str) -> None:
    assert set(tomllib.loads(text)) <= set(TABLES)


@pytest.mark.parametrize(("where", "text"), blocks("python"), ids=[w for w, _ in blocks("python")])
def test_python_compiles(where: str, text: str) -> None:
    compile(text, where, "exec")


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `driftstream ...` in a shell block; no comments, no here-documents."""
    text = re.sub(r"<<'(\w+)'.*?^\1$", "", text, flags=re.S | re.M)
    text = text.replace("\\\n", " ")
    text = re.sub(r"(?m)(^|\s)#.*$", "", text)
    for part in SPLIT.split(text):
        words = shlex.split(part.strip().removesuffix("&"), posix=True) if part.strip() else []
        while words and re.match(r"\w+=", words[0]):
            words = words[1:]
        if words and words[0].rpartition("/")[2] == "driftstream":
            yield words[1:]


def check_command(words: list[str]) -> None:
    """That there are such a command and such options."""
    if not words or words[0] in ("--help", "--version"):
        return
    assert words[0] in COMMANDS, f"there is no command {words[0]}"
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = command.get_command(context, rest[0])
        assert below is not None, f"there is no command {words[0]} {rest[0]}"
        command, rest = below, rest[1:]
    assert command is not None
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for word in rest:
        if word.startswith("-") and len(word) > 1 and not re.match(r"-\d", word):
            option = word.partition("=")[0]
            assert option in known | {"--help", "-h"}, f"{' '.join(words[:2])} has no {option}"


SHELL = [(w, text) for w, text in blocks("sh", "bash", "shell") if "driftstream" in text]


@pytest.mark.parametrize(("where", "text"), SHELL, ids=[where for where, _ in SHELL])
def test_commands_are_there_with_their_options(where: str, text: str) -> None:
    for words in commands(text):
        check_command(words)


def test_commands_named_in_text_are_there() -> None:
    for page in PAGES:
        for name in re.findall(r"`driftstream ([a-z]+)", page.read_text()):
            assert name in COMMANDS, f"{page.relative_to(ROOT)}: there is no command {name}"
