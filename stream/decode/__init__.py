"""Bytes to columns, one module an input format."""

from stream.decode.native import NativeDecoder

__all__ = ["NativeDecoder"]
