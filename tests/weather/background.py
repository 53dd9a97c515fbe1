#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway in the background: started, told things, crashed, ended; every verb of the command line.

background.py [--binary PATH]. Ends with `N passed, N failed`.
"""

import argparse
import json
import os
import pwd
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from gateway import LISTENERS, START_SECONDS, Gateway, free_ports
from language import Failure
from upstream import Upstream, deadline


class Background(Gateway):
    """Started by `sluice start`, so the process is not ours to wait for."""

    def command(self, *words):
        """(exit code, output)"""
        done = subprocess.run(
            [self.binary, *words, "-p", str(self.prefix)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=START_SECONDS + 30,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def write_config(self):
        if not self.ports:
            self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS))))
        (self.prefix / "conf/config.yaml").write_text(json.dumps(self.config()))

    def pid(self):
        path = self.prefix / "logs/sluice.pid"
        return int(path.read_text()) if path.exists() else 0

    def children(self):
        """The processes below the one in the pid file."""
        path = Path(f"/proc/{self.pid()}/task/{self.pid()}/children")
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    def serves(self):
        try:
            return self.admin("GET", "/apisix/admin/routes").status == 200
        except (OSError, EOFError):
            return False

    def kill(self):
        for pid in [self.pid(), *self.children()]:
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def must(condition, what):
    if not condition:
        raise Failure(what)


def eventually(condition, what):
    left, pause = deadline(START_SECONDS), threading.Event()
    while left():
        if condition():
            return
        pause.wait(0.02)
    raise Failure(what)


def must_run(gateway, *words, code=0, has=""):
    got, output = gateway.command(*words)
    story = f"sluice {' '.join(words)} ended with {got}: {output}\n{gateway.log()[-2000:]}"
    must(got == code and has in output, story)
    return output


def put_route(gateway, route):
    answer = gateway.admin("PUT", "/apisix/admin/routes/1", json.dumps(route).encode())
    must(answer.status == 201, f"the route was answered {answer.brief()}")


def starts_and_stops(gateway):
    must_run(gateway, "stop", code=1, has="no gateway runs")
    must_run(gateway, "start", has="started")
    must(gateway.serves(), "it does not serve behind start")
    must_run(gateway, "start", code=1, has="runs already")
    must_run(gateway, "run", code=1, has="runs already")
    must_run(gateway, "reload", has="no key has changed")
    first = gateway.pid()
    must_run(gateway, "upgrade", has="serves in the place of")
    must(gateway.serves() and gateway.pid() == first, "another process is in the pid file behind an upgrade")
    must_run(gateway, "start", code=1, has="runs already")
    must_run(gateway, "stop")
    must(not gateway.serves() and not gateway.pid(), "it still serves behind stop, or its pid file is there")


def restarts(gateway):
    must_run(gateway, "start")
    first = gateway.pid()
    must_run(gateway, "restart", has="started")
    must(gateway.serves() and gateway.pid() != first, "restart did not bring another process")
    good = (gateway.prefix / "conf/config.yaml").read_text()
    (gateway.prefix / "conf/config.yaml").write_text("apisix: {node_listen: nonsense}")
    must_run(gateway, "restart", code=1, has="node_listen")
    must_run(gateway, "test", code=1, has="node_listen")
    must(gateway.serves(), "a bad file ended the gateway that ran")
    (gateway.prefix / "conf/config.yaml").write_text(good)


def survives_a_crash(gateway):
    must_run(gateway, "start")
    supervisor, child = gateway.pid(), gateway.children()[0]
    for _ in range(2):
        os.kill(child, signal.SIGKILL)
        eventually(
            lambda child=child: gateway.children() not in ([], [child]) and gateway.serves(),
            "it was not started again after a crash",
        )
        child = gateway.children()[0]
    must(gateway.pid() == supervisor, "the supervisor did not stay")
    must("started again" in gateway.log(), f"the crash is not in the log: {gateway.log()}")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not gateway.serves(), "the gateway outlived its supervisor")


def names_a_taken_port(gateway):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway.ports["data"] = taken.getsockname()[1]
        gateway.write_config()
        must_run(gateway, "start", code=1, has=f"127.0.0.1:{gateway.ports['data']}")
    must(not gateway.pid(), "a pid file stayed behind a start that failed")
    other = Background(gateway.binary)
    other.ports = {**dict(zip(LISTENERS, free_ports(len(LISTENERS))))}
    try:
        other.write_config()
        must_run(other, "start")
        gateway.ports["data"] = other.ports["data"]
        gateway.write_config()
        must_run(gateway, "start", code=1, has="in use")
    finally:
        other.command("stop")
        other.kill()
        other.close()


def quits_behind_the_last_response(gateway):
    release = threading.Event()
    upstream = Upstream("u", {"kind": "hang"})
    told = []

    def ask():
        try:
            with socket.create_connection(gateway.address("data"), 10) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                told.append(client.recv(4096))
        finally:
            release.set()

    try:
        must_run(gateway, "start")
        peers = {"type": "roundrobin", "retries": 0, "nodes": {upstream.address: 1}}
        peers["timeout"] = {"connect": 1, "send": 1, "read": 2}
        put_route(gateway, {"uri": "/*", "upstream": peers})
        client = threading.Thread(target=ask, daemon=True)
        client.start()
        must(upstream.wait(lambda: upstream.requests, 10), "the request did not reach the upstream")
        must_run(gateway, "quit")
        must(release.wait(10) and told and b" 504 " in told[0], f"the request under way was answered {told}")
        must(not gateway.pid(), "the pid file stayed")
    finally:
        upstream.close()


def reopens_its_logs(gateway):
    must_run(gateway, "start")
    log = gateway.prefix / "logs/error.log"
    log.rename(log.with_suffix(".old"))
    must_run(gateway, "reopen")
    eventually(log.exists, "no new error.log behind reopen")


def copies_its_store(gateway):
    must_run(gateway, "start")
    put_route(gateway, {"uri": "/kept", "plugins": {"key-auth": {}}})
    copy = gateway.prefix / "copy.db"
    must_run(gateway, "backup", str(copy), has="copy")
    with sqlite3.connect(f"file:{copy}?mode=ro", uri=True) as base:
        must(b"/kept" in "\n".join(base.iterdump()).encode(), "the route is not in the copy")
    must_run(gateway, "backup", str(gateway.prefix / "none/copy.db"), code=1)


def needs_no_file(gateway):
    (gateway.prefix / "conf/config.yaml").unlink()
    must_run(gateway, "test", has="default")
    got, output = gateway.command("test", "-c", str(gateway.prefix / "conf/absent.yaml"))
    must(got == 1 and "absent.yaml" in output, f"a named file that is not there: {got}, {output}")


def gives_rights_away(gateway):
    if os.geteuid() != 0:
        print("SKIP gives_rights_away: not root")
        return
    nobody = pwd.getpwnam("nobody")
    gateway.extra = {"nginx_config": {"user": "nobody", "worker_rlimit_nofile": 4096}}
    gateway.prefix.chmod(0o755)
    gateway.write_config()
    must_run(gateway, "start")
    wanted = f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}"
    for _ in range(2):
        status = Path(f"/proc/{gateway.children()[-1]}/status").read_text()
        must(wanted in status, f"it serves as:\n{status}")
        must_run(gateway, "reload", has="no key has changed")
        must_run(gateway, "upgrade", "--binary", gateway.binary, has="serves in the place of")
    put_route(gateway, {"uri": "/", "plugins": {"key-auth": {}}})
    must("serves as nobody" in gateway.log(), "the log does not say as whom it serves")
    must_run(gateway, "restart")
    must(gateway.serves(), "it does not serve behind a restart")
    gateway.extra = {"nginx_config": {"user": "no-such-user-here"}}
    gateway.write_config()
    must_run(gateway, "stop")
    must_run(gateway, "start", code=1, has="no-such-user-here")


CASES = [
    starts_and_stops,
    restarts,
    survives_a_crash,
    names_a_taken_port,
    quits_behind_the_last_response,
    reopens_its_logs,
    copies_its_store,
    needs_no_file,
    gives_rights_away,
]


def attempt(case, binary):
    gateway = Background(binary, {"nginx_config": {"error_log_level": "info"}})
    try:
        gateway.write_config()
        case(gateway)
        return None
    except (Failure, OSError, EOFError, subprocess.TimeoutExpired) as failure:
        return f"FAIL {case.__name__}: {type(failure).__name__}: {failure}"
    finally:
        if gateway.pid():
            gateway.command("stop")
        gateway.kill()
        gateway.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = os.environ.get("SLUICE_BINARY", str(TOP / "build/release/sluice"))
    parser.add_argument("--binary", default=default)
    parser.add_argument("pick", nargs="*", help="names of cases")
    options = parser.parse_args()
    picked = [case for case in CASES if not options.pick or case.__name__ in options.pick]
    told = [attempt(case, options.binary) for case in picked]
    for problem in filter(None, told):
        print(problem)
    passed = told.count(None)
    print(f"{passed} passed, {len(told) - passed} failed")
    return 0 if passed == len(told) else 1


if __name__ == "__main__":
    sys.exit(main())
