# SPDX-License-Identifier: Apache-2.0
"""What the storms share: the command line, a gateway with an upstream behind it, clients that keep on asking,
and the summary `N passed, N failed`.

A storm is a program with a function of (gateway, options) that yields None for each test that passed and a
sentence for each that failed.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from client import Connection, request_bytes
from gateway import SANITIZERS, Gateway
from language import Failure
from upstream import deadline

HELLO = {"kind": "reply", "status": 200, "body": b"hello", "headers": []}
DEADLINE_SECONDS = 30


def options_of(description, **numbers):
    """--binary, and an option for each of `numbers` with its default."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    default = os.environ.get("SLUICE_BINARY", str(TOP / "build/release/sluice"))
    parser.add_argument("--binary", default=default)
    for name, number in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    return parser.parse_args()


def run(problems, options, config=None, workers=1):
    """Starts a gateway, asks `problems` what is wrong with it, and tells; the exit code."""
    gateway, told = Gateway(options.binary, config, workers=workers), []
    try:
        gateway.start()
        for problem in problems(gateway, options):
            told.append(problem)
    except Exception as error:
        told.append(f"{type(error).__name__}: {error}\n{gateway.log()[-3000:]}")
    finally:
        gateway.stop()
        told.append(gateway.complaint(SANITIZERS))
        gateway.close()
    for problem in filter(None, told):
        print(problem)
    passed = told.count(None)
    print(f"{passed} passed, {len(told) - passed} failed")
    return 1 if passed != len(told) or not told else 0


def run_kills(description, kills, one_kill, tell):
    """`one_kill(gateway, chance)` kills the gateway and gives what was wrong afterwards, or None;
    `tell(passed)` says what went on. The exit code."""
    options = options_of(description, kills=kills, seed=1)
    gateway, passed, problem = Gateway(options.binary, workers=1), 0, None
    chance = random.Random(options.seed)
    try:
        gateway.start()
        while passed < options.kills and problem is None:
            problem = one_kill(gateway, chance)
            passed += problem is None
    except Failure as failure:
        problem = str(failure)
    finally:
        gateway.stop()
        gateway.close()
    if problem:
        print(f"after kill {passed + 1} (seed {options.seed}): {problem}")
    print(tell(passed))
    print(f"{passed} passed, {int(problem is not None)} failed")
    return 1 if problem else 0


def put_route(gateway, nodes, name="1", **fields):
    """Every path goes to `nodes`, a list of addresses, unless `fields` says otherwise."""
    upstream = {"type": "roundrobin", "nodes": {node: 1 for node in nodes}}
    route = {"uri": "/*", "upstream": upstream, **fields}
    answer = gateway.admin("PUT", f"/apisix/admin/routes/{name}", json.dumps(route).encode())
    if answer.status not in (200, 201):
        raise Failure(f"the route was answered {answer.brief()}")


def eventually(condition, what):
    left, pause = deadline(DEADLINE_SECONDS), threading.Event()
    while left():
        if condition():
            return
        pause.wait(0.02)
    raise Failure(what)


class Client(threading.Thread):
    """Asks again and again, on one connection or on a new one each time; keeps what was not a 200."""

    def __init__(self, gateway, fresh=False):
        super().__init__(daemon=True)
        self.address = gateway.address("data")
        self.wire = request_bytes("GET", "/", [("Connection", "close")] if fresh else [])
        self.ending, self.asked, self.slowest, self.failures = threading.Event(), 0, 0.0, []

    def run(self):
        connection = Connection(self.address)
        while not self.ending.is_set():
            began = time.monotonic()
            try:
                response = connection.exchange("GET", self.wire)
                problem = None if response.status == 200 and response.complete else response.brief()
            except OSError as error:
                problem = f"{type(error).__name__}: {error}"
                connection.close()
            self.asked += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if problem:
                self.failures.append(problem)
        connection.close()


class Clients:
    """So many on a connection each, and so many with a new one for each request, for as long as it lasts."""

    def __init__(self, gateway, kept=3, fresh=3):
        self.all = [Client(gateway) for _ in range(kept)] + [Client(gateway, True) for _ in range(fresh)]

    def __enter__(self):
        for client in self.all:
            client.start()
        self.served()
        return self

    def __exit__(self, *_):
        for client in self.all:
            client.ending.set()
        for client in self.all:
            client.join()

    def served(self, more=20):
        """Waits until each has asked so many times more."""
        before = [client.asked for client in self.all]
        eventually(
            lambda: all(client.asked >= was + more for client, was in zip(self.all, before)),
            "a client was not answered any more",
        )

    @property
    def asked(self):
        return sum(client.asked for client in self.all)

    @property
    def slowest(self):
        return max(client.slowest for client in self.all)

    @property
    def failures(self):
        return [failure for client in self.all for failure in client.failures]
