"""Debian's Chromium, driven over its DevTools protocol: enough to open pages, click, read and take screenshots."""

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTH, HEIGHT = 1400, 900
TIMEOUT_S = 60.0  # for what a page is to show; a busy machine is slow


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, screenshots: Path) -> None:
        self._socket, self._screenshots = socket, screenshots
        self._number = 0

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url="about:blank")  # the address may differ in its fragment only
        await self.call("Page.navigate", url=url)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async for message in self._socket:
            answer = json.loads(message.data)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
        raise RuntimeError(f"{method}: the browser is gone")

    async def js(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    async def text(self) -> str:
        """What can be read on the page, that of frames and drawings (SVG) included."""
        return str(
            await self.js(
                "(document.body ? document.body.innerText : '') + '\\n' +"
                "[...document.querySelectorAll('svg text')].map(e => e.textContent).join('\\n')"
            )
        )

    async def until(self, *texts: str) -> str:
        """Wait until the page shows all of `texts`; returns everything it shows."""
        shown = ""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while True:
                    shown = await self.text()
                    if all(text in shown for text in texts):
                        return shown
                    await asyncio.sleep(0.2)
        except TimeoutError:
            await self.screenshot("missing")
            missing = [text for text in texts if text not in shown]
            raise AssertionError(f"the page does not show {missing}; it shows:\n{shown[:3000]}") from None

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, once it is something: not null, and no empty list."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not (found := await self.js(expression)):
                    await asyncio.sleep(0.2)
                return found
        except TimeoutError:
            await self.screenshot("missing")
            raise AssertionError(f"nothing is {expression}; the page shows:\n{(await self.text())[:3000]}") from None

    async def click(self, finder: str) -> None:
        """Click in the middle of the element that a JavaScript expression finds, once it is there."""
        place = await self.value(
            f"(() => {{ const e = {finder}; if (!e) return null; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def click_text(self, text: str, within: str = "button, a, [role=tab], [role=row], label, span") -> None:
        """Click the innermost element that says exactly `text`."""
        await self.click(
            f"[...document.querySelectorAll({within!r})].filter(e => e.innerText?.trim() === {text!r}).pop()"
        )

    async def screenshot(self, name: str) -> Path:
        answer = await self.call("Page.captureScreenshot", format="png")
        path = self._screenshots / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path


@asynccontextmanager
async def browse(screenshots: Path, profile: Path) -> AsyncIterator[Page]:
    """A fresh browser without a window, its profile in the folder `profile`."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = await _port(profile / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(tab for tab in await answer.json() if tab["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket, screenshots)
                await page.call("Page.enable")
                size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
                await page.call("Emulation.setDeviceMetricsOverride", **size)
                yield page
    finally:
        process.terminate()
        process.wait()


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    async with asyncio.timeout(TIMEOUT_S):
        while not (file.is_file() and file.read_text().count("\n") >= 1):
            assert process.poll() is None, "Chromium ended at its start"
            await asyncio.sleep(0.1)
    return int(file.read_text().split("\n")[0])
