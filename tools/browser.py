"""A headless Chromium, driven over its own debugging protocol, that notes what it was asked for."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ),
    *("--no-first-run", "--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*"),
)
_SECONDS = 60


def find_chromium() -> str | None:
    """The path of a Chromium; None if there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """A tab. `requests` are the addresses that it asked for, `errors` what its console was told of as errors."""

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._connection = connection
        self._count = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        """Open a page of boards and wait until it has drawn everything."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Page.navigate", url=address)
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, or of the promise that it is."""
        told = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise AssertionError(told["exceptionDetails"].get("exception", {}).get("description", told))
        return told["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + _SECONDS
        while not self.run(f"document.readyState === 'complete' && ({condition})"):
            assert time.monotonic() < end, f"after {_SECONDS} s not true: {condition}; {self.errors}"
            time.sleep(0.05)

    def choose(self, select: str, value: str) -> None:
        """Choose an option of a select element by its value, and wait until the page is drawn anew."""
        script = f"(() => {{ const s = document.getElementById({json.dumps(select)}); s.value = {json.dumps(value)}; "
        self.run(script + "s.dispatchEvent(new Event('change')); return s.value; })()")
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def press(self, key: str, code: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def picture(self, element: str | None = None) -> bytes:
        """A picture, as PNG, of what the window shows, or of the whole of an element."""
        clip = {}
        if element is not None:
            box = f"document.querySelector({json.dumps(element)}).getBoundingClientRect()"
            place = "{ x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height, scale: 1 }"
            clip = {"clip": self.run(f"((box) => ({place}))({box})"), "captureBeyondViewport": True}
        return base64.b64decode(self._call("Page.captureScreenshot", format="png", **clip)["data"])

    def pdf(self, path: Path) -> None:
        """Print the page on A4."""
        told = self._call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._connection.recv(timeout=_SECONDS))
            if told.get("id") == self._count:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self._note(told)

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(told["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "assert"):
                self.errors.append(json.dumps(told["args"])[:500])
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.errors.append(told["entry"]["text"])


@contextlib.contextmanager
def open_browser(program: str) -> Iterator[Page]:
    """A browser with one empty tab, of a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_tab(Path(profile), process), max_size=None, open_timeout=_SECONDS) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(timeout=_SECONDS)


def _tab(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the first tab's debugger."""
    import urllib.request

    end = time.monotonic() + _SECONDS
    told = profile / "DevToolsActivePort"
    while not (told.exists() and told.read_text().count("\n")):
        assert process.poll() is None and time.monotonic() < end, "Chromium did not start"
        time.sleep(0.05)
    port = told.read_text().split("\n")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        return next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds serious, with two tables open, and where."""
    page.run("[...document.querySelectorAll('details')].slice(0, 2).forEach((details) => { details.open = true; })")
    page.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + "; true")
    told = page.run("axe.run().then((found) => JSON.stringify(found.violations))")
    return [
        (found["id"], [node["html"][:160] for node in found["nodes"]][:3])
        for found in json.loads(told)
        if found["impact"] in ("serious", "critical")
    ]
