"""`driftstream demo`: the main job on a real broker, start to end, in one command."""

from stream.demo.run import demo_flights, demo_live

__all__ = ["demo_flights", "demo_live"]
