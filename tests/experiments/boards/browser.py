"""A real browser on a real TensorBoard: Chromium by its DevTools protocol, which needs no other package."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1500,1000", "--remote-debugging-pipe",
)  # fmt: skip
_TEXTS = """(() => {
    const found = [], visit = node => {
        if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent.trim());
        if (['STYLE', 'SCRIPT'].includes(node.nodeName)) return;
        if (node.shadowRoot) visit(node.shadowRoot);
        if (node.contentDocument) visit(node.contentDocument);
        node.childNodes.forEach(visit);
    };
    visit(document);
    return found.filter(text => text).join('\\n');
})()"""
"""Everything that is written on the page, inside shadow roots and frames too."""


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; yields the address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        [*command, "--load_fast", "false"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            said = []
            for line in server.stderr:
                said.append(line)
                if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
                    yield address[0]
                    return
            raise AssertionError(f"TensorBoard does not start: {''.join(said)}")
        finally:
            server.terminate()


class Browser:
    """One page of a headless Chromium; use it as a context manager."""

    def __init__(self, address: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, to_browser = os.pipe()
        from_browser, answers = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, str(CHROMIUM), *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self._to, self._from, self._read = to_browser, from_browser, b""
        self._numbers, self._session = itertools.count(1), {}
        target = self._ask("Target.createTarget", url=address)["targetId"]
        self._session = {"sessionId": self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def texts(self) -> str:
        """What is written on the page, a line each."""
        return str(self.run(_TEXTS))

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self._ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, *words: str, seconds: float = 60) -> str:
        """The texts of the page once all words are among them, or as they are when the time is over."""
        end = time.monotonic() + seconds
        while True:
            texts = self.texts()
            if all(word in texts for word in words) or time.monotonic() > end:
                return texts
            time.sleep(0.2)

    def screenshot(self, path: Path) -> None:
        """What the page looks like, as PNG."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _message(self) -> bytes:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._from], [], [], 60)
            part = os.read(self._from, 1 << 16) if ready else b""
            assert part, "Chromium says nothing"
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        return message
