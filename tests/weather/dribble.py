#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that send a byte now and then: they are hung up on in time, and others do not feel them.

dribble.py [--binary PATH] [--clients 500]. Ends with `N passed, N failed`.
"""

import select
import sys
import time

import storm
from client import connect
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


def problems(gateway, options):
    upstream = Upstream("u", storm.HELLO)
    storm.put_route(gateway, [upstream.address])
    with storm.Clients(gateway, kept=1, fresh=0) as others:
        seconds = dribble(gateway, options.clients)
    upstream.close()
    limit = HEADER_SECONDS + SLACK_SECONDS
    late = f"not all of {options.clients} dribbling clients were hung up on within {limit} s"
    yield None if seconds else late
    yield f"another client was answered {others.failures[0]}" if others.failures else None
    slow = f"another client waited {others.slowest:.2f} s"
    yield slow if others.slowest > SLOWEST_SECONDS else None


if __name__ == "__main__":
    timeouts = {"nginx_config": {"http": {"client_header_timeout": f"{HEADER_SECONDS}s"}}}
    sys.exit(storm.run(problems, storm.options_of(__doc__, clients=500), timeouts))
