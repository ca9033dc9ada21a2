"""Canonical JSON, and the hash of it: the same content gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["canonical", "content_hash"]


def canonical(document: Mapping[str, Any]) -> bytes:
    """Keys in order, no spaces, floats with every bit."""
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def content_hash(document: Mapping[str, Any]) -> str:
    """`sha256:...` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(document)).hexdigest()
