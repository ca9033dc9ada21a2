"""Everything that talks to Kafka: transport, worker, topics, state, and a broker to develop with.

Nothing is imported here: the broker utilities must work without loading Faust, and the other way.
"""

from __future__ import annotations

__all__: list[str] = []
