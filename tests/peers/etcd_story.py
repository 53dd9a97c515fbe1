# SPDX-License-Identifier: Apache-2.0
"""What the tests on a real etcd share: gateways whose store is a cluster, a story that ends what it has
started, and the program that runs every test_… of a file."""

import argparse
import json
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/scenarios"), str(Path(__file__).resolve().parent)]
from client import Connection, Response, request_bytes
from etcd_cluster import Cluster, installed
from gateway import Gateway, merge
from story import run_each
from upstream import Upstream, deadline

WITHIN = 30  # seconds until what is eventual must be


def default_binary():
    return TOP / "build/release/sluice"


class Node(Gateway):
    """A gateway whose store is `cluster`. It is up when its status API says so, etcd or not."""

    def __init__(self, cluster, etcd=None, config=None, role="traditional"):
        about = {"host": cluster.urls(), "timeout": 5, "startup_retry": 2, "health_check_timeout": 1}
        over = {
            "deployment": {
                "role": role,
                f"role_{role}": {"config_provider": "etcd"},
                "etcd": merge(about, etcd or {}),
            }
        }
        super().__init__(Story.binary, merge(over, config or {}), workers=2)

    def wait_ready(self):
        return eventually(lambda: self.status("/status").status == 200 or not self.alive()) and self.alive()

    def status(self, path):
        try:
            return self.ask("status", path)
        except OSError:
            return Response()

    def ask(self, listener, path):
        wire = request_bytes("GET", path, [("Connection", "close")])
        return Connection(self.address(listener)).exchange("GET", wire)

    def get(self, path):
        return self.ask("data", path)

    def put(self, path, value):
        return self.admin("PUT", f"/apisix/admin/{path}", json.dumps(value).encode())

    def store(self):
        answer = self.status("/status")
        return answer.json().get("store", {}) if answer.status == 200 else {}


def eventually(condition, seconds=WITHIN):
    left, pause = deadline(seconds), threading.Event()
    while left():
        if condition():
            return True
        pause.wait(0.02)
    return False


class Story:
    """What a test starts, and ends behind it."""

    binary = default_binary()

    def __init__(self):
        self.things = []
        hello = {"kind": "reply", "status": 200, "body": b"hello", "headers": []}
        self.upstream = self.add(Upstream("u", hello))

    def add(self, thing):
        self.things.append(thing)
        return thing

    def cluster(self, *words, **options):
        return self.add(Cluster(*words, **options)).start()

    def node(self, cluster, **options):
        node = self.add(Node(cluster, **options))
        node.start()
        return node

    def close(self):
        for thing in reversed(self.things):
            if isinstance(thing, Gateway):
                thing.stop()
            thing.close()

    def nodes(self):
        return {"type": "roundrobin", "nodes": {self.upstream.address: 1}}

    def route(self, uri, **more):
        return {"uri": uri, "upstream": self.nodes(), **more}


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def served(node, path, status=200):
    check(eventually(lambda: node.get(path).status == status), f"{path} is not answered with {status}")

def run(tests, description):
    """`[--binary PATH] [NAME...]`: the tests whose name has one of the words."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--binary", default=str(default_binary()))
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    Story.binary = Path(options.binary)
    if not installed():
        print("etcd is not installed (Debian: etcd-server): the gateway on etcd is NOT tested")
        return 77
    return run_each(tests, options.words, Story)
