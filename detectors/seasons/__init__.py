"""Seasons as slots: hours of the week that are alike are compared with themselves."""

__all__: list[str] = []
