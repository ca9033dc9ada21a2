"""What `replay --metrics` writes of what was not tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.stage2.untested import Untested

__all__ = ["write_untested"]


def write_untested(out: BinaryIO, untested: Sequence[Untested]) -> None:
    """Write what was not tested, a line each as of a test, with the reason in place of a value."""
    from msgspec.json import encode

    for each in untested:
        for signal, test in each.pairs():
            line = {"signal": signal, "test": test, "untested": each.reason, "words": each.words}
            nothing = {"time": None, "segment": "", "value": None, "threshold": None, "n": 0}
            out.write(encode(nothing | line) + b"\n")
