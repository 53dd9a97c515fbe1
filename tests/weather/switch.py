#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins switched on and off under load: every change is live when it is answered, and no request fails.

switch.py [--binary PATH] [--changes 200]. Ends with `N passed, N failed`.
"""

import sys

import storm
from client import Connection, request_bytes
from upstream import Upstream

PLUGINS = {
    "response-rewrite": {"headers": {"set": {"X-Switched": "on"}}},
    "limit-count": {"count": 1000000, "time_window": 60, "key": "remote_addr"},
    "cors": {},
    "prometheus": {},
}


def problems(gateway, options):
    upstream = Upstream("u", storm.HELLO)
    storm.put_route(gateway, [upstream.address])
    wire, stale = request_bytes("GET", "/", []), 0
    connection = Connection(gateway.address("data"))
    with storm.Clients(gateway) as clients:
        for number in range(options.changes):
            on = number % 2 == 0
            storm.put_route(gateway, [upstream.address], plugins=PLUGINS if on else {})
            told = connection.exchange("GET", wire).all("X-Switched")
            stale += told != (["on"] if on else [])
        clients.served()
    connection.close()
    upstream.close()
    print(f"{clients.asked} requests through {options.changes} changes")
    yield f"{len(clients.failures)} requests failed: {clients.failures[0]}" if clients.failures else None
    yield f"{stale} of {options.changes} changes were answered before they were live" if stale else None


if __name__ == "__main__":
    sys.exit(storm.run(problems, storm.options_of(__doc__, changes=200), workers=2))
