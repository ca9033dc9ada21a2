"""What `replay --metrics` writes of what was not tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from stream.commands.untested_lines import with_delays

if TYPE_CHECKING:
    from stream.replay import Replay

__all__ = ["write_untested"]


def write_untested(out: BinaryIO, replay: Replay) -> None:
    """Write what was not tested, a line each as of a test, with the reason in place of a value."""
    from msgspec.json import encode

    for each in replay.untested(with_delays).untested:
        for signal, test in each.pairs():
            line = {"signal": signal, "test": test, "untested": each.reason, "words": each.words}
            nothing = {"time": None, "segment": "", "value": None, "threshold": None, "n": 0}
            out.write(encode(nothing | line) + b"\n")
