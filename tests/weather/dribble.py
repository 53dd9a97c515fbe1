#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that send a byte now and then: they are hung up on in time, and others do not feel them.

dribble.py [--binary PATH] [--clients 500]. Ends with `N passed, N failed`.
"""

import argparse
import json
import os
import select
import sys
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from client import Connection, connect, request_bytes
from gateway import Gateway
from upstream import Upstream

HEADER_SECONDS, SLACK_SECONDS, SLOWEST_SECONDS = 2, 8, 1.0
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"a" * 4000


def dribble(gateway, count):
    """Seconds until the gateway had hung up on every client, or None."""
    began, poller = time.monotonic(), select.poll()
    sockets = {}
    for _ in range(count):
        sock = connect(gateway.address("data"))
        sockets[sock.fileno()] = [sock, 0]
        poller.register(sock, select.POLLIN)
    while sockets and time.monotonic() - began < HEADER_SECONDS + SLACK_SECONDS:
        for descriptor, _ in poller.poll(100):
            poller.unregister(descriptor)
            sockets.pop(descriptor)[0].close()
        for one in sockets.values():
            try:
                one[0].send(HEAD[one[1] : one[1] + 1])
                one[1] += 1
            except OSError:
                continue
    left = len(sockets)
    for sock, _ in sockets.values():
        sock.close()
    return None if left else time.monotonic() - began


def others(gateway, stop, told):
    """A client as it should be, meanwhile."""
    connection = Connection(gateway.address("data"))
    wire = request_bytes("GET", "/", [])
    while not stop.is_set():
        began = time.monotonic()
        response = connection.exchange("GET", wire)
        told.append((response.status, time.monotonic() - began))
    connection.close()


def problems(gateway, upstream, count):
    route = {"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {upstream.address: 1}}}
    answer = gateway.admin("PUT", "/apisix/admin/routes/1", json.dumps(route).encode())
    if answer.status != 201:
        yield f"the route was answered {answer.brief()}"
        return
    stop, told = threading.Event(), []
    other = threading.Thread(target=others, args=(gateway, stop, told), daemon=True)
    other.start()
    seconds = dribble(gateway, count)
    stop.set()
    other.join()
    limit = HEADER_SECONDS + SLACK_SECONDS
    yield None if seconds else f"not all of {count} dribbling clients were hung up on within {limit} s"
    wrong = [one for one in told if one[0] != 200]
    slowest = max((one[1] for one in told), default=limit)
    yield f"another client was answered {wrong[0][0]}" if wrong else None
    yield f"another client waited {slowest:.2f} s" if slowest > SLOWEST_SECONDS else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = os.environ.get("SLUICE_BINARY", str(TOP / "build/release/sluice"))
    parser.add_argument("--binary", default=default)
    parser.add_argument("--clients", type=int, default=500)
    options = parser.parse_args()
    config = {"nginx_config": {"http": {"client_header_timeout": f"{HEADER_SECONDS}s"}}}
    gateway = Gateway(options.binary, config, workers=1)
    upstream = Upstream("u", {"kind": "reply", "status": 200, "body": b"hello", "headers": []})
    told = []
    try:
        gateway.start()
        told += problems(gateway, upstream, options.clients)
    except Exception as error:
        told.append(f"{type(error).__name__}: {error}")
    finally:
        upstream.close()
        gateway.stop()
        gateway.close()
    for problem in filter(None, told):
        print(problem)
    passed = told.count(None)
    print(f"{passed} passed, {len(told) - passed} failed")
    return 1 if passed != len(told) or not told else 0


if __name__ == "__main__":
    sys.exit(main())
