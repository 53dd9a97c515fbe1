#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/reference/plugins do, in a running gateway, what their plugin is for."""

import json
import re
import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from client import Connection, request_bytes
from gateway import Gateway
from upstream import Upstream

PAGES = TOP / "docs/reference/plugins"
BINARY = TOP / "build/release/sluice"
EXAMPLE = re.compile(r"^```json\n(.*?)^```$", re.S | re.M)
# What a plain GET is answered where that is not 200. Nobody is known:
NAMES = ["hmac-auth", "basic-auth", "jwt-auth", "key-auth", "wolf-rbac", "authz-keycloak"]
STATUSES = {name: 401 for name in [*NAMES, "consumer-restriction"]}
# Whom the plugin asks, or sends requests to, is not there:
STATUSES |= {"forward-auth": 403, "openid-connect": 503, "example-plugin": 502}
# It wants another request, or says something else:
STATUSES |= {"grpc-web": 405, "request-validation": 400, "public-api": 404, "response-rewrite": 201}


def example_of(page):
    found = EXAMPLE.search(page.read_text())
    return json.loads(found[1]) if found else None


class Reference(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        config = {"apisix": {"proxy_mode": "http&stream"}}
        cls.gateway, cls.upstream = Gateway(BINARY, config), Upstream("u", {"kind": "echo"})
        cls.gateway.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.gateway.close()
        cls.upstream.close()

    def put(self, path, value):
        answer = self.gateway.admin("PUT", "/apisix/admin/" + path, json.dumps(value).encode())
        self.assertIn(answer.status, (200, 201), f"{path}: {answer.brief()}")

    def test_every_plugin_has_one(self):
        listed = self.gateway.admin("GET", "/apisix/admin/plugins?all=true").json()
        listed |= self.gateway.admin("GET", "/apisix/admin/plugins?all=true&subsystem=stream").json()
        for name, told in listed.items():
            self.assertEqual(example_of(PAGES / f"{name}.md"), {name: told["example"]}, name)

    def test_they_hold_and_requests_are_answered(self):
        nodes, statuses = {"nodes": {self.upstream.address: 1}}, {}
        for page in sorted(PAGES.glob("*.md")):
            name, plugins = page.stem, example_of(page)
            if name == "mqtt-proxy":
                self.put("stream_routes/1", {"server_port": 1, "upstream": nodes, "plugins": plugins})
                continue
            route = {"uri": "/" + name, "upstream": nodes, "plugins": plugins}
            self.put(f"routes/{name}?wait=applied", route)
            connection = Connection(self.gateway.address("data"))
            wire = request_bytes("GET", "/" + name, [("Connection", "close")])
            statuses[name] = connection.exchange("GET", wire).status
        wanted = {name: STATUSES.get(name, 200) for name in statuses}
        self.assertEqual(statuses, wanted)


if __name__ == "__main__":
    unittest.main()
