"""A small HTTP server that no client can hold up."""

from __future__ import annotations

__all__: list[str] = []
