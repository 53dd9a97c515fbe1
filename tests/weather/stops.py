#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tells the gateway to stop at any moment of its start: when the process that was told has ended, nothing of
it is left and its ports are free.

stops.py [--binary PATH] [--stops 60]. Ends with `N passed, N failed`: one test a stop.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

import storm

STOP_SECONDS = 30
ROUTES = 3000  # so that a start, and an end, take a while


def left_of(gateway):
    """Processes that serve from the gateway's folder."""
    left, prefix = [], str(gateway.prefix).encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if prefix in words:
            left.append(command.parent.name)
    return left


def put_routes(gateway):
    upstream = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}
    writes = [
        {"op": "put", "resource": f"routes/{index}", "value": {"uri": f"/{index}", "upstream": upstream}}
        for index in range(ROUTES)
    ]
    answer = gateway.admin("POST", "/apisix/admin/transactions", json.dumps(writes).encode())
    if answer.status != 200:
        raise storm.Failure(f"the routes were answered {answer.brief()}")


def start_seconds(gateway):
    began = time.monotonic()
    gateway.start()
    return time.monotonic() - began


def one_stop(gateway, moment):
    """What was wrong, or None. The moment is the subject of the test: it goes through the whole start."""
    gateway.spawn()
    threading.Event().wait(moment)
    gateway.process.send_signal(signal.SIGTERM)
    code = gateway.process.wait(STOP_SECONDS)
    left = left_of(gateway)
    if left:
        storm.eventually(lambda: not left_of(gateway), "processes do not end")
        return f"told to stop {moment * 1e3:.0f} ms after its start it left {len(left)} processes behind"
    # By the signal itself as long as nothing has begun that could be left behind.
    if code not in (0, -signal.SIGTERM):
        return f"told to stop {moment * 1e3:.0f} ms after its start it ended with {code}: {gateway.output()}"
    return None


def problems(gateway, options):
    put_routes(gateway)
    gateway.stop()
    whole = start_seconds(gateway)
    gateway.stop()
    for number in range(options.stops):
        yield one_stop(gateway, 1.5 * whole * number / options.stops)
    gateway.start()
    yield None if gateway.answers() else "it does not start any more"


if __name__ == "__main__":
    sys.exit(storm.run(problems, storm.options_of(__doc__, stops=60)))
