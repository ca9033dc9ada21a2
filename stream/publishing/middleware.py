"""For services on ASGI: the latency of a request, and an end that loses nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from stream.publishing.monitor import Monitor

__all__ = ["MonitorMiddleware"]

_Scope: TypeAlias = MutableMapping[str, Any]
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class RequestLog:
    """What a request logs; it is sent with the request's latency when the request is over."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._held: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._began = time.perf_counter()
        self._at = time.time()

    def log(self, *args: Any, **members: Any) -> None:
        """As `Monitor.log`, at the time of the request."""
        members.setdefault("timestamp", self._at)
        self._held.append((args, members))

    async def send(self) -> None:
        """Log what was held."""
        took = time.perf_counter() - self._began
        for args, members in self._held:
            members.setdefault("latency_seconds", took)
            await self._monitor.alog(*args, **members)


class MonitorMiddleware:
    """Gives each HTTP request `request.state.driftstream.log(...)`, as `Monitor.log`.

    Events go out when the application has answered, with `latency_seconds` of the request, also
    where it failed. When the service shuts down the monitor is closed.

    Parameters
    ----------
    app : ASGI application
    monitor : Monitor
    close_timeout : float
        Seconds that the shutdown waits for what is queued.
    """

    def __init__(self, app: _App, monitor: Monitor, close_timeout: float = 10.0) -> None:
        self._app, self._monitor, self._close_timeout = app, monitor, close_timeout

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
        elif scope["type"] == "http":
            request_log = RequestLog(self._monitor)
            scope["state"] = {**scope.get("state", {}), "driftstream": request_log}
            try:
                await self._app(scope, receive, send)
            finally:
                await request_log.send()
        else:
            await self._app(scope, receive, send)

    def _closing(self, send: _Send) -> _Send:
        async def closing(message: _Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._monitor.aclose(self._close_timeout)
            await send(message)

        return closing
