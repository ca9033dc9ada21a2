"""Measured tables, each with the command and the commit that made it."""

from __future__ import annotations

import json
from importlib.resources import files

__all__ = ["measured"]


def measured(name: str) -> tuple[tuple[float, ...], ...]:
    """The rows of a table."""
    text = files("detectors._data").joinpath(f"{name}.json").read_text()
    return tuple(tuple(row) for row in json.loads(text)["rows"])
