"""Formats that others write, each turned into native events before they are decoded."""

from stream.decode.formats.contract import Envelope, Format, SourceOptions

__all__ = ["Envelope", "Format", "SourceOptions"]
