"""The live page of a worker: its files and what they show."""

from stream.page.assets import asset

__all__ = ["asset"]
