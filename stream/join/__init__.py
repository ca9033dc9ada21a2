"""Labels that come later than their predictions, joined by id: pure, between decoding and counting.

Rows of several source partitions come in any interleaving and more than once. What they say is
looked at only when all rows up to a time are there, in order of time: nothing depends on arrival.
"""

from __future__ import annotations

from stream.join.joiner import Joiner, Settled
from stream.join.rows import RowBatch

__all__ = ["Joiner", "RowBatch", "Settled"]
