"""What programs beside the worker read from Kafka and write to it."""

from __future__ import annotations

__all__: list[str] = []
