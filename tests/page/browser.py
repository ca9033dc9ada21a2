"""A headless Chromium for tests, driven over its own debugging pipe: no driver, no download.

Debian's packages `chromium` and `chromium-headless-shell` both do. Messages are JSON, ended by a
zero byte, on file descriptors 3 (to the browser) and 4 (from it).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: A busy machine takes ten times as long as a quiet one.
TIMEOUT_S = 120.0
#: Puts the pipes where the browser looks for them and becomes the browser. First they are copied to
#: numbers from 10 on: one may have the other's.
ARRANGE = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    """The executable, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(RuntimeError):
    """The browser said no, or nothing."""


class Tab:
    """One page: what it shows and what it complained of."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self.session = session
        self.errors: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, parameters, self.session)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        end = time.monotonic() + TIMEOUT_S
        while not (value := self.evaluate(script)):
            if time.monotonic() > end:
                text = self.evaluate("document.body.innerText")
                raise BrowserError(f"never true: {script}\n{self.errors}\n{text}")
            time.sleep(0.05)
        return value

    def screenshot(self, path: Path, height: int | None = None) -> bytes:
        """A picture of the page, whole or its first so many pixels; a png or webp by its name."""
        more: dict[str, Any] = {"quality": 70} if path.suffix == ".webp" else {}
        if height is not None:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            height = min(height, size["height"])
            more["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        shot = self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, format=path.suffix[1:], **more
        )
        path.write_bytes(base64.b64decode(shot["data"]))
        return path.read_bytes()

    def accessible(self) -> list[tuple[str, str]]:
        """(role, name) of everything that a screen reader is told of."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored") and "role" in node
        ]


class Browser:
    """A running browser."""

    def __init__(self, executable: str, folder: Path) -> None:
        in_read, self._write = os.pipe()
        self._read, out_write = os.pipe()
        self._buffer = b""
        self._number = 0
        self._tabs: dict[str, Tab] = {}

        command = [
            sys.executable,
            "-c",
            ARRANGE,
            str(in_read),
            str(out_write),
            executable,
            "--headless",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={folder / 'profile'}",
            "about:blank",
        ]
        with (folder / "browser.log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                pass_fds=(in_read, out_write),
            )
        os.close(in_read)
        os.close(out_write)

    def call(self, method: str, parameters: dict[str, Any], session: str = "") -> Any:
        """One command, and its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _next(self, method: str) -> Any:
        end = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise BrowserError(f"no answer to {method} within {TIMEOUT_S} s")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise BrowserError(f"the browser ended during {method}")
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        tab = self._tabs.get(event.get("sessionId", ""))
        if tab is None:
            return
        said = event.get("params", {})
        method = event["method"]
        if method == "Runtime.exceptionThrown":
            tab.errors.append(str(said["exceptionDetails"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            tab.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning"):
            tab.errors.append(str(said["args"]))
        elif method == "Network.requestWillBeSent":
            tab.requests.append(said["request"]["url"])

    @contextmanager
    def open(
        self, url: str, *, width: int = 1440, height: int = 900, dark: bool = False
    ) -> Iterator[Tab]:
        """A tab at an address, loaded."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = Tab(self, attached["sessionId"])
        self._tabs[tab.session] = tab
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            tab.call(f"{domain}.enable")
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call("Page.navigate", url=url)
        tab.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
        try:
            yield tab
        finally:
            del self._tabs[tab.session]
            self.call("Target.closeTarget", {"targetId": target})

    def close(self) -> None:
        """End it."""
        os.close(self._write)
        os.close(self._read)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def open_browser(executable: str) -> Iterator[Callable[..., Any]]:
    """A browser's `open`; the browser ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(executable, Path(folder))
        try:
            yield browser.open
        finally:
            browser.close()
