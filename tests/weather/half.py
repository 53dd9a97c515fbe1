#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the gateway (-9) again and again during transactions and rollbacks: each is there whole, or not.

half.py [--binary PATH] [--kills 500] [--seed N]. Ends with `N passed, N failed`: one test a kill.
"""

import json
import sys
import threading

import storm
from client import Connection, request_bytes
from gateway import KEY

TOGETHER = 20


class Writer(threading.Thread):
    """Gives TOGETHER routes and their upstream one number more, again and again; now and then goes back."""

    def __init__(self, gateway, number, chance):
        super().__init__(daemon=True)
        self.gateway, self.number, self.chance = gateway, number, chance
        self.acknowledged, self.wrong, self.enough = 0, None, threading.Event()

    def post(self, connection, path, body):
        wire = request_bytes("POST", path, [("X-API-KEY", KEY)], json.dumps(body).encode())
        answer = connection.exchange("POST", wire)
        if answer.status is None or not answer.complete:
            raise EOFError
        if answer.status != 200:
            self.wrong = answer.brief()
            raise EOFError
        return answer.json()["revision"]

    def run(self):
        connection = Connection(self.gateway.address("admin"))
        try:
            while True:
                self.number += 1
                revision = self.post(connection, "/apisix/admin/transactions", transaction(self.number))
                self.acknowledged = max(self.acknowledged, revision)
                if self.chance.random() < 0.2:
                    back = f"/apisix/admin/history/{revision - 1}/rollback"
                    self.acknowledged = max(self.acknowledged, self.post(connection, back, {}))
                self.enough.set()
        except (OSError, EOFError, ValueError):
            return
        finally:
            connection.close()
            self.enough.set()


def transaction(number):
    """Routes refer to an upstream that is new each time; the one before goes."""
    operations = []
    for place in range(TOGETHER):
        value = {"uri": f"/{place}", "priority": number, "upstream_id": f"u{number}"}
        operations.append({"op": "put", "resource": f"routes/{place}", "value": value})
    nodes = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}
    return operations + [{"op": "put", "resource": f"upstreams/u{number}", "value": nodes}]


def check(gateway, acknowledged):
    """The problem, if any, and the latest revision."""
    history = gateway.admin("GET", "/apisix/admin/history?limit=1").json()
    latest = history["list"][0]["revision"] if history["list"] else 0
    if latest < acknowledged:
        return f"revision {acknowledged} was acknowledged, the latest is {latest}", latest
    routes = gateway.admin("GET", "/apisix/admin/routes").json()["list"]
    numbers = {item["value"]["priority"] for item in routes}
    if len(routes) not in (0, TOGETHER) or len(numbers) > 1:
        return f"{len(routes)} routes have the numbers {sorted(numbers)}", latest
    upstreams = gateway.admin("GET", "/apisix/admin/upstreams").json()["list"]
    names = {item["key"].rsplit("/", 1)[-1] for item in upstreams}
    missing = {item["value"]["upstream_id"] for item in routes} - names
    if missing:
        return f"routes refer to {sorted(missing)}, which is not there", latest
    if latest:
        told = gateway.admin("GET", f"/apisix/admin/history/{latest}").json()["changes"]
        if len(told) != TOGETHER + 1:
            return f"revision {latest} tells of {len(told)} changes", latest
    return None, latest


def one_kill(gateway, number, chance):
    writer = Writer(gateway, number, chance)
    writer.start()
    writer.enough.wait(20)
    # When in the run of writes the kill falls is what is tested: the time itself is the subject.
    threading.Event().wait(chance.uniform(0, 0.02))
    gateway.kill()
    writer.join()
    if writer.wrong:
        return f"a transaction was answered {writer.wrong}", writer.number
    gateway.start()
    problem, _ = check(gateway, writer.acknowledged)
    return problem, writer.number


def main():
    number = 0

    def kill(gateway, chance):
        nonlocal number
        problem, number = one_kill(gateway, number, chance)
        return problem

    return storm.run_kills(__doc__, 500, kill, lambda passed: f"{number} transactions, {passed} kills")


if __name__ == "__main__":
    sys.exit(main())
