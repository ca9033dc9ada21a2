"""What a program does beside its work: signals, stderr, packages that lack."""

from __future__ import annotations

__all__: list[str] = []
