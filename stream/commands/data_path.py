"""DATA on the command line: a file that is there, or words about what is there instead."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Final

import click

from stream.text.counted import some_of

__all__ = ["DataPath"]

_MAX_SHOWN: Final = 5
#: So many kinds of files are named.
_KINDS: Final = 6


class DataPath(click.ParamType):
    """The path of a file with something in it."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path, or fail in words."""
        path = Path(value)
        try:
            if path.is_dir():
                self.fail(f"{path} is a folder. {_found_in(path)}", param, ctx)
            if not path.exists():
                self.fail(f"{path}: no such file. {_instead_of(path)}", param, ctx)
            size = path.stat().st_size
        except OSError as error:
            self.fail(f"{path}: {os.strerror(error.errno or 0)}.", param, ctx)
        if not os.access(path, os.R_OK):
            self.fail(f"{path}: you may not read it. See its owner and mode (ls -l).", param, ctx)
        if path.is_file() and not size:
            self.fail(f"{path}: the file is empty. It needs a header and rows.", param, ctx)
        return path

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[Any]:
        """Let the shell complete paths."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def _found_in(folder: Path) -> str:
    files = _files(folder)
    if not files:
        return f"Name a file; none in it ends in {_kinds()}."
    return f"Name one of its files: {some_of([str(folder / name) for name in files], _MAX_SHOWN)}."


def _instead_of(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either; this one is {Path.cwd()}."
    files = _files(folder)
    if near := difflib.get_close_matches(path.name, files, 1):
        return f"Did you mean {folder / near[0]}?"
    where = folder.resolve()
    if not files:
        return f"No file in {where} ends in {_kinds()}."
    return f"In {where} there are {some_of(files, _MAX_SHOWN)}."


def _kinds() -> str:
    from stream.files.files import SUFFIXES

    return ", ".join([*SUFFIXES][:_KINDS])


def _files(folder: Path) -> list[str]:
    """Names of the files that may be data."""
    from stream.files.files import may_be_data

    return sorted(each.name for each in folder.iterdir() if each.is_file() and may_be_data(each))
