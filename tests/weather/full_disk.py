#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lets the disk below the store run full, before the gateway starts and while it runs.

full_disk.py [--binary PATH]. The disk is a small file system in memory, mounted in a namespace of the
gateway's own; where that is not allowed the storm says so and counts nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import storm
from gateway import Gateway
from language import Failure

UNSHARE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
WRITES_MAX = 500


def allowed():
    """Whether this user may mount something of its own."""
    with tempfile.TemporaryDirectory() as place:
        mount = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", place]
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def on_small_disk(binary, folder, size):
    """A program like `binary` whose PREFIX/data (`run -p PREFIX`) is a file system of `size`."""
    program = Path(folder) / f"sluice-on-{size}"
    inner = f'mount -t tmpfs -o size={size} tmpfs "$3/data" && exec "{binary}" "$@"'
    program.write_text(f"#!/bin/sh\nexec {' '.join(UNSHARE)} sh -c '{inner}' sh \"$@\"\n")
    program.chmod(0o755)
    return program


def full_at_start(program):
    """It ends, with a sentence that says what to do."""
    gateway = Gateway(program, workers=1)
    try:
        gateway.start()
        return "the gateway started on a disk without room for its store"
    except Failure as failure:
        told = gateway.output() + gateway.log()
        return None if "is full" in told and "sluice.db" in told else f"it did not say why: {failure}"
    finally:
        gateway.stop()
        gateway.close()


def fill(gateway):
    """(routes acknowledged, the first answer that was none)"""
    kept, long = [], "x" * 100
    upstream = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}
    while len(kept) < WRITES_MAX:
        name = f"r{len(kept)}"
        body = {"uris": [f"/{name}/{i}/{long}" for i in range(200)], "upstream": upstream}
        answer = gateway.admin("PUT", f"/apisix/admin/routes/{name}", json.dumps(body).encode())
        if answer.status not in (200, 201):
            return kept, answer
        kept.append(name)
    return kept, None


def full_while_running(program):
    """The write that has no room is refused; what was acknowledged is there, and the gateway goes on."""
    gateway = Gateway(program, workers=1)
    try:
        gateway.start()
        kept, refused = fill(gateway)
        if refused is None:
            return f"{WRITES_MAX} writes fitted on the small disk"
        if refused.status != 503 or b"the disk is full" not in refused.body:
            return f"the write that had no room was answered {refused.brief()}"
        listed = gateway.admin("GET", "/apisix/admin/routes").json()["list"]
        there = {item["value"]["id"] for item in listed}
        if there != set(kept):
            return f"acknowledged {sorted(set(kept) - there)} are gone, {sorted(there - set(kept))} appeared"
        return None if gateway.alive() else f"the gateway ended: {gateway.story()}"
    except Failure as failure:
        return str(failure)
    finally:
        gateway.stop()
        gateway.close()


def main():
    options = storm.options_of(__doc__)
    if not allowed():
        print("SKIPPED: this user may not mount a file system of its own")
        print("0 passed, 0 failed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        problems = [
            full_at_start(on_small_disk(options.binary, folder, "16k")),
            full_while_running(on_small_disk(options.binary, folder, "2m")),
        ]
    for problem in filter(None, problems):
        print(problem)
    passed = problems.count(None)
    print(f"{passed} passed, {len(problems) - passed} failed")
    return 0 if passed == len(problems) else 1


if __name__ == "__main__":
    sys.exit(main())
