# SPDX-License-Identifier: Apache-2.0
"""What the tests of peers share: a gateway and its upstream, started and ended behind each test, and the
loop over the tests of a program. `N passed, N failed` at the end; exit code 77 when a peer is missing."""

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/scenarios")]
from gateway import Gateway
from upstream import Upstream, deadline

WITHIN = 20  # seconds until what is eventual must be
BINARY = TOP / "build/release/sluice"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def eventually(condition, what, seconds=WITHIN):
    left, pause = deadline(seconds), threading.Event()
    while left():
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def accepts(host, port):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


class Story:
    """What a test starts, and ends behind it."""

    def __init__(self):
        self.things = []
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-peer-"))

    def add(self, thing):
        self.things.append(thing)
        return thing

    def gateway(self, config=None, workers=2):
        gateway = self.add(Gateway(BINARY, config, workers))
        gateway.start()
        return gateway

    def upstream(self, **behaviour):
        told = {"kind": "echo", **behaviour}
        return self.add(Upstream(f"u{len(self.things)}", told))

    def close(self):
        for thing in reversed(self.things):
            if isinstance(thing, Gateway):
                thing.stop()
            thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def put(gateway, path, value, status=(200, 201)):
    answer = gateway.admin("PUT", f"/apisix/admin/{path}", json.dumps(value).encode())
    check(answer.status in status, f"PUT {path}: {answer.brief()}")
    return answer


def delete(gateway, path):
    answer = gateway.admin("DELETE", f"/apisix/admin/{path}", b"")
    check(answer.status == 200, f"DELETE {path}: {answer.brief()}")


def run_each(tests, words, begin):
    """Runs the tests whose name has one of the words, each in a story of its own."""
    passed = failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or not any(word in name for word in words or [""]):
            continue
        story = begin()
        try:
            test(story)
            for thing in story.things:
                if isinstance(thing, Gateway):
                    check(thing.complaint() is None, thing.complaint())
            passed += 1
            print(f"ok   {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
            for thing in story.things:
                if isinstance(thing, Gateway) and thing.process:
                    print(thing.story())
        finally:
            story.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def run(tests, description, needs, begin=Story):
    """Runs every function in `tests` whose name begins with test_, each with what `begin` makes."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--binary", default=str(BINARY))
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    globals()["BINARY"] = Path(options.binary)
    os.environ["PATH"] += ":/usr/sbin"
    missing = [name for name in needs if shutil.which(name) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}; this is NOT tested: {description.splitlines()[0]}")
        return 77
    return run_each(tests, options.words, begin)
