"""Times as people give them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click

__all__ = ["moment_ms"]


def moment_ms(text: str, now_s: float, *, ago: bool = False) -> int:
    """Milliseconds since the epoch of "now", of a time, or of "4h" from now (or ago).

    A time without a zone is UTC.
    """
    from stream.text.durations import duration_ms

    if text == "now":
        return int(now_s * 1000)
    length = duration_ms(text)
    if length is not None:
        return int(now_s * 1000) + (-length if ago else length)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f'must be a time such as "2026-03-01T12:00:00Z", a length such as "4h", or "now"; '
            f"got {text!r}."
        ) from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
