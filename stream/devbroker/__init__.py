"""A real broker to develop and to test with."""

from __future__ import annotations

__all__: list[str] = []
