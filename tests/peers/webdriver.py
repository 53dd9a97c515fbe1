# SPDX-License-Identifier: Apache-2.0
"""A real browser, headless, driven through the WebDriver protocol (W3C WebDriver) with urllib alone."""

import json
import os
import subprocess
import urllib.error
import urllib.request

from story import eventually

from gateway import die_with_parent, free_ports

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Chromium:
    """Chromium with a profile of its own below `folder`; `trusts_any`: certificates of anybody."""

    def __init__(self, folder, trusts_any=False):
        self.port = free_ports(1)[0]
        self.process = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"],
            env={**os.environ, "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        self.session = ""
        eventually(self.is_ready, "chromedriver does not start")
        options = {"args": [*FLAGS, f"--user-data-dir={folder}/profile"], "binary": "/usr/bin/chromium"}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        wanted["capabilities"]["alwaysMatch"]["acceptInsecureCerts"] = trusts_any
        self.session = "/session/" + self.ask("POST", "/session", wanted)["sessionId"]

    def is_ready(self):
        try:
            return self.ask("GET", "/status")["ready"]
        except OSError:
            return False

    def ask(self, method, path, value=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.session}{path}", method=method)
        if value is not None:
            request.data = json.dumps(value).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:500]}") from error

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def url(self):
        return self.ask("GET", "/url")

    def title(self):
        return self.ask("GET", "/title")

    def find(self, selector):
        return self.ask("POST", "/elements", {"using": "css selector", "value": selector})

    def has(self, selector):
        return bool(self.find(selector))

    def type(self, selector, text):
        eventually(lambda: self.has(selector), f"there is no {selector}")
        self.ask("POST", f"/element/{self.find(selector)[0][ELEMENT]}/value", {"text": text})

    def click(self, selector):
        eventually(lambda: self.has(selector), f"there is no {selector}")
        self.ask("POST", f"/element/{self.find(selector)[0][ELEMENT]}/click", {})

    def text(self):
        return self.ask("GET", "/source")

    def close(self):
        try:
            self.ask("DELETE", "")
        except (AssertionError, OSError):
            pass  # it ends with the driver
        self.process.terminate()
        self.process.wait()
