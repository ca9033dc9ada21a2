"""Plans on the plans topic: one plan as several records, each small enough for any broker.

A part's key is `model/version#effective_from_ms#digest#i/n`, its value the i-th of n slices of the
encoded plan; `digest` is that of the whole. The topic is compacted by key, and no two plans share a
key, so compaction keeps plans whole: publishing one again replaces parts by equal parts.
"""

from __future__ import annotations

import hashlib
import logging
from typing import NamedTuple

from stream.contracts.moments import MINUS_INFINITY
from stream.plans.plan import AnyPlan, PlanError, Subject, decode_plan

__all__ = ["PART_BYTES", "PlanAssembler", "plan_parts"]

log = logging.getLogger(__name__)

#: Half of what a broker takes by default, so that a key and headers always fit as well.
PART_BYTES = 512 * 1024
_MAX_PARTS = 10_000  # 5 GB: a larger count is a damaged key, not a plan


class _Whole(NamedTuple):
    """What the keys of one plan's parts have in common."""

    subject: str
    effective_from_ms: int
    digest: str
    parts: int

    def __str__(self) -> str:
        return f"plan {self.subject} from {self.effective_from_ms} ({self.digest})"


def plan_parts(
    plan: AnyPlan, effective_from_ms: int = MINUS_INFINITY, part_bytes: int = PART_BYTES
) -> list[tuple[bytes, bytes]]:
    """Cut a plan into the (key, value) records that stand for it."""
    whole = plan.encode(effective_from_ms)
    slices = [whole[i : i + part_bytes] for i in range(0, len(whole), part_bytes)]
    prefix = Subject(plan.model, plan.version).key
    prefix += f"#{effective_from_ms}#{_digest(whole)}#".encode()
    return [(prefix + f"{i}/{len(slices)}".encode(), part) for i, part in enumerate(slices)]


class PlanAssembler:
    """Puts the records of the plans topic together again, in any order, each plan once."""

    def __init__(self) -> None:
        self._held: dict[_Whole, dict[int, bytes]] = {}
        self._done: set[_Whole] = set()

    def add(self, key: bytes | None, value: bytes | None) -> list[tuple[AnyPlan, int]]:
        """Take a record in; return the plan that it completes with its `effective_from_ms`.

        What cannot be read is logged and ignored: one bad record must not stop every worker.
        """
        parsed = _parse(key)
        if parsed is None:
            log.error("plans topic: key %r is not that of a plan's part; ignored", key)
            return []
        whole, index = parsed
        if value is None:  # a deletion: workers that have the plan keep it until they restart
            self._held.pop(whole, None)
            self._done.discard(whole)
            return []
        if whole in self._done:
            return []
        arrived = self._held.setdefault(whole, {})
        arrived[index] = value
        if len(arrived) < whole.parts:
            return []
        del self._held[whole]
        self._done.add(whole)
        return self._decode(whole, b"".join(arrived[i] for i in range(whole.parts)))

    @property
    def incomplete(self) -> list[str]:
        """Plans of which parts are missing, in words."""
        return [
            f"{whole}: {len(arrived)} of {whole.parts} parts"
            for whole, arrived in self._held.items()
        ]

    @staticmethod
    def _decode(whole: _Whole, encoded: bytes) -> list[tuple[AnyPlan, int]]:
        if _digest(encoded) != whole.digest:
            log.error("plans topic: %s does not have the digest of its key; ignored", whole)
            return []
        try:
            return [decode_plan(encoded, str(whole))]
        except PlanError as error:
            log.error("plans topic: ignored: %s", error)
            return []


def _digest(whole: bytes) -> str:
    return hashlib.sha256(whole).hexdigest()[:32]


def _parse(key: bytes | None) -> tuple[_Whole, int] | None:
    """Split a key from its end: model names may hold any character."""
    try:
        subject, since, digest, place = (key or b"").decode().rsplit("#", 3)
        index, _, parts = place.partition("/")
        whole = _Whole(subject, int(since), digest, int(parts))
        if not 0 <= int(index) < whole.parts <= _MAX_PARTS:
            return None
        return whole, int(index)
    except ValueError:
        return None
