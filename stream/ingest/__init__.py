"""`driftstream ingest`: events over HTTP, for those who have no Kafka client."""

from __future__ import annotations

from stream.ingest.rules import Rules
from stream.ingest.service import IngestService
from stream.ingest.tokens import Tokens

__all__ = ["IngestService", "Rules", "Tokens"]
