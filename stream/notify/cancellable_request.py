"""One HTTP request in a thread of its own, which can be cancelled from outside at any point.

The read timeout of a socket bounds the wait for the next byte only. Here the whole request has a
time limit: for a receiver that sends a byte a second, a proxy that never connects, a name server
that does not answer.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from urllib3 import (
    BaseHTTPResponse,
    HTTPConnectionPool,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Timeout,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers

__all__ = ["CancellableRequest"]

#: Addresses of a name are tried one after the other, each with its share of the time.
_CONNECT_SHARE: Final = 0.5


class CancellableRequest:
    """Sends one request in a thread and gives the response to `take`.

    Parameters
    ----------
    take : callable
        Reads what it needs of the response, in the request's thread.
    """

    def __init__(self, take: Callable[[BaseHTTPResponse], None]) -> None:
        self._take = take
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._over = False
        self._done = threading.Event()
        self.begun = time.monotonic()
        self.error: Exception | None = None

    def run(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
        ca_file: str,
    ) -> bool:
        """Send it; False if it was not done within the time, or `end` was called meanwhile."""

        def go() -> None:
            try:
                with self._manager(url, ca_file) as manager:
                    response = manager.urlopen(
                        method,
                        url,
                        body=body or None,
                        headers=dict(headers),
                        redirect=False,
                        retries=False,
                        preload_content=False,
                        decode_content=False,
                        timeout=Timeout(connect=timeout_s * _CONNECT_SHARE, read=2 * timeout_s),
                    )
                    with contextlib.closing(response):
                        if not self._over:  # else it is cut off where we hung up
                            self._take(response)
            except Exception as error:
                self.error = error
            finally:
                self._done.set()

        threading.Thread(target=go, name="notify-request", daemon=True).start()
        self._done.wait(timeout_s)
        return not self.end()

    def end(self) -> bool:
        """Close its connections if it is not done; whether it was not."""
        with self._lock:
            ended = self._over or not self._done.is_set()
            self._over = True
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self._sockets.clear()
        self._done.set()
        return ended

    def _watched(self, connection: socket.socket) -> socket.socket:
        """Keep a second handle of a socket: TLS takes the first one over."""
        with self._lock:
            if self._over:
                connection.close()
                raise TimeoutError
            self._sockets.append(connection.dup())
        return connection

    def _manager(self, url: str, ca_file: str) -> PoolManager:
        request = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return request._watched(super()._new_conn())

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return request._watched(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        proxy = _proxy_for(url)
        encrypted = "https" in (urlsplit(url).scheme, urlsplit(proxy).scheme)
        # Reading the authorities takes far longer than a request that needs none.
        context = ssl.create_default_context(cafile=ca_file or None) if encrypted else None
        settings: dict[str, Any] = {"ssl_context": context}
        manager = (
            ProxyManager(
                proxy, proxy_headers=_proxy_headers(proxy), proxy_ssl_context=context, **settings
            )
            if proxy
            else PoolManager(**settings)
        )
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
        return manager


def _proxy_for(url: str) -> str:
    """The proxy that the environment names for an address, as curl reads it; "" for none."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _proxy_headers(proxy: str) -> dict[str, str]:
    userinfo = urlsplit(proxy).netloc.rpartition("@")[0]
    return dict(make_headers(proxy_basic_auth=unquote(userinfo))) if userinfo else {}
