"""What leans on private parts of Faust and aiokafka, and checks that they are as expected."""

from __future__ import annotations

__all__: list[str] = []
