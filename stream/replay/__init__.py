"""Both stages in one process over records of a file."""

from __future__ import annotations

from stream.decode.record import FileRecord
from stream.replay.label_join import FileLabels
from stream.replay.replay import Replay

__all__ = ["FileLabels", "FileRecord", "Replay"]
