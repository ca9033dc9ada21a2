"""`driftstream demo`: the main job on a real broker, start to end, in one command."""

from stream.demo.run_flights import demo_flights
from stream.demo.run_live import demo_live

__all__ = ["demo_flights", "demo_live"]
