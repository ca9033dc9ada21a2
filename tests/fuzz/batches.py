"""Record batches of Kafka, compressed and not, with checksums that are right in the end."""

from __future__ import annotations

from stream.contracts.unread import Unread
from stream.kafka.unpack import MAX_UNPACKED_BYTES
from tests.integration.fetches import batch, read_all, seal

__all__ = ["batch_seeds", "read_batch"]


def batch_seeds() -> list[bytes]:
    """A batch of each codec, and one of a transaction."""
    return [*(batch(40, 5, codec=codec) for codec in range(5)), batch(40, 5, producer=7, codec=4)]


def read_batch(data: bytes) -> bool:
    """Whether all of a batch is read; whatever it is, what follows it is reached."""
    damaged = bytearray(data)
    if len(damaged) >= 61:
        damaged[0:8] = (40).to_bytes(8, "big")  # the broker's, and so is the length
        damaged[8:12] = (len(damaged) - 12).to_bytes(4, "big")
        damaged[16] = 2
        seal(damaged)
    found, _ = read_all(bytes(damaged), 40)
    unread = [one for one in found if isinstance(one, Unread)]
    assert all(one.offset <= one.last and one.error for one in unread)
    size = sum(len(one.value or b"") for one in found)
    assert size <= MAX_UNPACKED_BYTES
    return not unread
