"""Both stages in one process over records of a file."""

from __future__ import annotations

__all__: list[str] = []
