"""The page's own files: they lie beside this module and need no build."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["asset"]


@cache
def asset(name: str) -> bytes:
    """The bytes of a file in `static/`."""
    return files("stream.page").joinpath("static", name).read_bytes()
