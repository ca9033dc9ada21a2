"""The live page of a worker: its files, and what they show."""

from stream.page.assets import asset
from stream.page.pages import live_pages
from stream.page.recent import RecentEpisodes

__all__ = ["RecentEpisodes", "asset", "live_pages"]
