"""All formats, one row each; what a record is in is looked up here.

To add one: a module beside this one with its row, the row below, a golden payload in
tests/stream/formats. docs/extending.md shows it.
"""

from __future__ import annotations

from typing import Any, Final

from stream.decode.formats import cloudevents, inference, mapping
from stream.decode.formats.contract import Document, Format

__all__ = ["BY_CONTENT_TYPE", "BY_EVENT_TYPE", "BY_NAME", "FORMATS", "is_native", "recognise"]

FORMATS: Final[tuple[Format, ...]] = (
    cloudevents.FORMAT,
    cloudevents.BATCH_FORMAT,
    mapping.FORMAT,
    inference.FORMAT,
    inference.LOGGER_FORMAT,
)
BY_NAME: Final = {row.name: row for row in FORMATS}
BY_CONTENT_TYPE: Final = {kind: row for row in FORMATS for kind in row.content_types}
BY_EVENT_TYPE: Final = {kind: row for row in FORMATS for kind in row.event_types}


def is_native(document: Any) -> bool:
    """Whether JSON looks like a native event or batch: for files and samples without headers."""
    model = document.get("model") if isinstance(document, dict) else None
    named = isinstance(model, dict) and "name" in model
    return named and ("timestamp" in document or "columns" in document)


def recognise(document: Document) -> Format | None:
    """The format that a JSON object looks like it is in, if any."""
    return next((row for row in FORMATS if row.looks_like(document)), None)
