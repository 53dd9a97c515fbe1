# SPDX-License-Identifier: Apache-2.0
"""What a WebSocket that says nothing takes: memory, next to nginx and haproxy."""

import sys

import measure
from contestants import TOP, Configured, Sluice
from figures import figure

sys.path.insert(0, str(TOP / "tests/weather"))
import web_sockets

HELD = 8000  # two descriptors each in the proxy
GOALS = {"idle_websocket.kb": 16}
NGINX_PASS = (
    "proxy_pass http://peer; proxy_set_header Upgrade $http_upgrade;"
    ' proxy_set_header Connection "upgrade"'
)


def idle_websocket(bench):
    """WebSockets held after a message each way."""
    web_sockets.raise_limit()
    server = web_sockets.Server()
    port = int(server.address.rpartition(":")[2])
    told = {}
    try:
        for name in (["sluice"] if bench.with_sluice else []) + ["nginx", "haproxy"]:
            told[name] = held_by(name, port)
    finally:
        server.close()
    first = next(iter(told))
    return [figure("idle_websocket.kb", "KB", [told[first]], {n: told[n] for n in ("nginx", "haproxy")})]


def held_by(name, port):
    """KB a WebSocket"""
    if name == "sluice":
        contestant = Sluice(port)
        contestant.put("routes/1", {"uri": "/*", "upstream_id": "1", "enable_websocket": True})
    else:
        contestant = Configured(name, port, passes=NGINX_PASS)
    try:
        crowd(contestant, 64).close()
        before = measure.resident_bytes(contestant.process.pid)
        held = crowd(contestant, HELD)
        after = measure.resident_bytes(contestant.process.pid)
        held.close()
    finally:
        contestant.stop()
    print(f"   {name}: {HELD} WebSockets held", flush=True)
    return (after - before) / HELD / 1e3


def crowd(contestant, count):
    held = web_sockets.Crowd(("127.0.0.1", contestant.port), count)
    held.talk()
    if held.problems:
        raise SystemExit(f"bench: {contestant.name}: {len(held.problems)} WebSockets: {held.problems[0]}")
    return held


ALL = {"idle_websocket": idle_websocket}
