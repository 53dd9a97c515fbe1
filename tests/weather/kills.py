#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the gateway (-9) again and again while routes are written; each acknowledged write must survive.

kills.py [--binary PATH] [--kills 300] [--seed N]. Ends with `N passed, N failed`: one test a kill.
"""

import json
import sys
import threading

import storm
from client import Connection, request_bytes
from gateway import KEY
from language import Failure

WRITERS, NAMES = 4, 50


class Writer(threading.Thread):
    """Writes routes of its own until the connection breaks; remembers what was acknowledged."""

    def __init__(self, gateway, number, acknowledged):
        super().__init__(daemon=True)
        self.gateway, self.number, self.acknowledged = gateway, number, acknowledged
        self.tried, self.wrong, self.enough = {}, None, threading.Event()

    def run(self):
        connection, count = Connection(self.gateway.address("admin")), 0
        try:
            while True:
                count += 1
                name = f"w{self.number}-{count % NAMES}"
                before = self.tried.get(name, self.acknowledged.get(name, 0))
                value = {"uri": f"/{name}", "priority": before + 1}
                value["upstream"] = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}
                self.tried[name] = before + 1
                wire = request_bytes(
                    "PUT",
                    f"/apisix/admin/routes/{name}",
                    [("X-API-KEY", KEY)],
                    json.dumps(value).encode(),
                )
                answer = connection.exchange("PUT", wire)
                if answer.status is None or not answer.complete:
                    return
                if answer.status not in (200, 201):
                    self.wrong = answer.brief()
                    return
                self.acknowledged[name] = before + 1
                self.enough.set()
        except (OSError, EOFError, ValueError):
            return
        finally:
            connection.close()
            self.enough.set()


def one_kill(gateway, acknowledged, chance):
    """Problems, if any; `acknowledged` is brought to what the gateway has."""
    writers = [Writer(gateway, number, acknowledged) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.enough.wait(20)
    # When in the run of writes the kill falls is what is tested: the time itself is the subject.
    threading.Event().wait(chance.uniform(0, 0.05))
    gateway.kill()
    for writer in writers:
        writer.join()
    wrong = [writer.wrong for writer in writers if writer.wrong]
    if wrong:
        return f"a write was answered {wrong[0]}"
    tried = {}
    for writer in writers:
        tried.update(writer.tried)
    try:
        gateway.start()
    except Failure as failure:
        return str(failure)
    return compare(gateway, acknowledged, tried)


def compare(gateway, acknowledged, tried):
    """A write is there when it was acknowledged; one that was only tried may be there or not, whole."""
    answer = gateway.admin("GET", "/apisix/admin/routes")
    if answer.status != 200:
        return f"the list of routes was answered {answer.brief()}"
    found = {item["key"].rsplit("/", 1)[-1]: item["value"] for item in answer.json().get("list") or []}
    for name, number in acknowledged.items():
        got = found.get(name, {}).get("priority", 0)
        if got < number or got > max(number, tried.get(name, 0)):
            return f"route {name}: write {number} was acknowledged, write {got} is there"
        if found[name].get("uri") != f"/{name}":
            return f"route {name} came back as {found[name]}"
    for name, value in found.items():
        if value["priority"] > tried.get(name, acknowledged.get(name, 0)):
            return f"route {name}: write {value['priority']} is there and was never sent"
        acknowledged[name] = value["priority"]
    return None


def main():
    acknowledged = {}
    return storm.run_kills(
        __doc__,
        300,
        lambda gateway, chance: one_kill(gateway, acknowledged, chance),
        lambda passed: f"{sum(acknowledged.values())} acknowledged writes survived {passed} kills",
    )


if __name__ == "__main__":
    sys.exit(main())
