"""Bytes to columns: native events by their decoder, other formats by way of native events."""

from stream.decode.dispatch import FormatDecoder
from stream.decode.formats.contract import SourceOptions
from stream.decode.native import NativeDecoder

__all__ = ["FormatDecoder", "NativeDecoder", "SourceOptions"]
