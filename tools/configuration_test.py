#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md and the code that reads config.yaml know the same keys."""

import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# Asked for inside a value that the page tells as one: {ip, port} and the like.
INSIDE = {"ip", "port", "enable_http2", "enable_http3", "name", "key", "role", "admin", "section"}
INSIDE |= {"memory_size", "disk_size", "disk_path", "cache_levels"}
INSIDE |= {"addr", "tls", "proxy_protocol_to_upstream"}
READS = "flag|text|integer|duration|size|texts|endpoint|has|raw|section|find"
CALLS = r"(?:\.|->)(?:" + READS + r")\(\s*\"([\w-]+)\""


def keys_of_code():
    files = ("config.cpp", "deployment.cpp", "listen.cpp", "cache_config.cpp", "stream_proxy.cpp")
    code = "".join((TOP / "src/main" / name).read_text() for name in files)
    keys = set(re.findall(CALLS, code)) | set(re.findall(r"(?:Places|Ports)\(\w+, \"([\w-]+)\"", code))
    for block in re.findall(r"for \(const std::string_view \w+ :\s*\{([^}]*)\}\)", code):
        keys |= set(re.findall(r'"([\w-]+)"', block))
    tables = (TOP / "src/main/unserved.cpp").read_text()
    keys |= set(re.findall(r'^    \{"[\w.]*", "([\w-]+)"', tables, re.M))
    return keys


def keys_of_page():
    page = (TOP / "docs/configuration.md").read_text()
    keys = set()
    for line in page.split("\n"):
        row = re.match(r"\| `([\w.-]+)` \|", line)
        if row:
            keys |= set(row[1].split("."))
    keys |= set(re.findall(r"^## `(\w+)`", page, re.M))
    keys |= set(re.findall(r"`([\w-]+)`", page.split("## Known and without effect")[1]))
    for path in re.findall(r"`([\w-]+(?:\.[\w-]+)+)`", page.split("## Known and without effect")[1]):
        keys |= set(path.split("."))
    return keys


class Configuration(unittest.TestCase):
    def test_every_key_that_is_read_is_told(self):
        self.assertEqual(sorted(keys_of_code() - keys_of_page() - INSIDE), [])

    def test_every_key_that_is_told_is_read(self):
        self.assertEqual(sorted(keys_of_page() - keys_of_code()), [])

    def test_it_finds_keys_at_all(self):
        self.assertGreater(len(keys_of_code()), 50)
        self.assertGreater(len(keys_of_page()), 50)


if __name__ == "__main__":
    unittest.main()
