#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What many do at once must count as if they came one by one: a million requests for limits on all workers,
of which not one more passes than may; and a thousand consumers who want the same key, of whom one gets it.

contention.py [--binary PATH] [--requests 1000000] [--consumers 1000]. Ends with `N passed, N failed`.
"""

import json
import sys
import threading

import storm

sys.path.insert(0, str(storm.TOP / "tests/bench"))
from contestants import load

WORKERS = 4
WRITERS = 8
NOWHERE = {"public-api": {"uri": "/nowhere"}}  # who is admitted gets 404, and needs no upstream


def limit(gateway, options, **fields):
    """None, or how many passed instead of a third of all."""
    most = options.requests // 3
    counted = {"count": most, "time_window": 86400, "rejected_code": 429, **fields}
    route = {"uri": "/limited", "plugins": {"limit-count": counted, **NOWHERE}}
    path = "/apisix/admin/routes/limited?wait=applied"
    answer = gateway.admin("PUT", path, json.dumps(route).encode())
    if answer.status not in (200, 201):
        return f"the route was answered {answer.brief()}"
    told = load(gateway.ports["data"], target="/limited", connections=64, requests=options.requests)
    passed, refused = told["statuses"].get("404", 0), told["statuses"].get("429", 0)
    if told["errors"] or passed != most or passed + refused != options.requests:
        return f"{fields}: {passed} passed instead of {most}, {refused} were refused: {told['statuses']}"
    return None


def same_key(gateway, options):
    """None, or what was wrong: consumers with one key, written by many at once."""
    plugins = {"key-auth": {"key": "everybody's"}, "basic-auth": {"username": "all", "password": "p"}}
    statuses = {}

    def write(first):
        for number in range(first, options.consumers, WRITERS):
            value = {"username": f"c{number}", "plugins": plugins}
            answer = gateway.admin("PUT", f"/apisix/admin/consumers/c{number}", json.dumps(value).encode())
            statuses[number] = (answer.status, answer.body)

    writers = [threading.Thread(target=write, args=(first,)) for first in range(WRITERS)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    taken = [number for number, (status, _) in statuses.items() if status == 201]
    if len(taken) != 1 or len(statuses) != options.consumers:
        return f"{len(taken)} of {len(statuses)} consumers were given the same key"
    for status, body in statuses.values():
        if status not in (201, 400, 503) or (status == 400 and b"duplicate key of plugin" not in body):
            return f"a key that another has was answered {status} {body[:200]!r}"
    return None


def problems(gateway, options):
    yield limit(gateway, options)
    yield limit(gateway, options, window_type="sliding", key="constant", key_type="constant")
    yield same_key(gateway, options)


if __name__ == "__main__":
    sys.exit(
        storm.run(
            problems, storm.options_of(__doc__, requests=1000000, consumers=1000), None, workers=WORKERS
        )
    )
