"""The kinds of targets, one module each: its options, what is valid, and how it is delivered to."""

from __future__ import annotations

from stream.notify.targets.contract import Target

__all__ = ["Target"]
