#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads and crashes under load: settings change, processes change, and no request is lost.

reload.py [--binary PATH] [--reloads 12]. Ends with `N passed, N failed`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import storm
from client import Connection, request_bytes
from gateway import KEY
from language import Failure
from upstream import Upstream


def write_config(gateway, **nginx):
    config = gateway.config()
    config["nginx_config"].update(nginx)
    (gateway.prefix / "conf/config.yaml").write_text(json.dumps(config))


def reload(gateway):
    """(exit code, output)"""
    command = [gateway.binary, "reload", "-p", str(gateway.prefix)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout + done.stderr


def must_reload(gateway, has):
    code, output = reload(gateway)
    if code != 0 or has not in output:
        raise Failure(f"reload ended with {code}: {output}\n{gateway.log()[-3000:]}")


def server_field(gateway):
    wire = request_bytes("GET", "/", [("Connection", "close")])
    return Connection(gateway.address("data")).exchange("GET", wire).all("Server")


class Writer(threading.Thread):
    """Writes routes all the while, over one connection or a new one each time; 503 with Retry-After is asked
    again. `kept` are the writes that were acknowledged."""

    def __init__(self, gateway, name, fresh):
        super().__init__(daemon=True)
        self.gateway, self.name, self.fresh = gateway, name, fresh
        self.kept, self.later, self.wrong, self.ending = 0, 0, [], threading.Event()

    def run(self):
        connection = Connection(self.gateway.address("admin"))
        headers = [("X-API-KEY", KEY)] + ([("Connection", "close")] if self.fresh else [])
        while not self.ending.is_set():
            route = {"uri": "/w", "priority": self.kept + 1}
            route["upstream"] = {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}
            wire = request_bytes(
                "PUT", f"/apisix/admin/routes/{self.name}", headers, json.dumps(route).encode()
            )
            try:
                answer = connection.exchange("PUT", wire)
            except OSError as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
                connection.close()
                continue
            if answer.status in (200, 201):
                self.kept += 1
            elif answer.status == 503 and answer.all("Retry-After"):
                self.later += 1
            else:
                self.wrong.append(answer.brief())
        connection.close()

    def lost(self):
        answer = self.gateway.admin("GET", f"/apisix/admin/routes/{self.name}")
        there = answer.json()["value"]["priority"] if answer.status == 200 else 0
        if there == self.kept:
            return None
        return f"write {self.kept} of {self.name} was acknowledged, {there} is there"


def reloads_under_load(gateway, options):
    """Each reload changes a setting that an answer shows, and the number of workers."""
    writers = [Writer(gateway, "kept-connection", False), Writer(gateway, "new-connections", True)]
    for writer in writers:
        writer.start()
    with storm.Clients(gateway) as clients:
        for number in range(options.reloads):
            tokens = number % 2 == 1
            gateway.extra = {"apisix": {"enable_server_tokens": tokens}}
            write_config(gateway, worker_processes=1 + number % 3)
            must_reload(gateway, "/apisix/enable_server_tokens")
            for _ in range(10):
                told = server_field(gateway)
                if ("/" in told[0]) != tokens:
                    raise Failure(f"reload {number} is not live: {told}")
            clients.served()
    for writer in writers:
        writer.ending.set()
        writer.join()
    kept, later = (sum(getattr(writer, what) for writer in writers) for what in ("kept", "later"))
    print(f"{options.reloads} reloads: {clients.asked} requests, the slowest took {clients.slowest:.2f} s;")
    print(f"{kept} writes were acknowledged, {later} told to come back")
    yield f"{len(clients.failures)} requests failed: {clients.failures[0]}" if clients.failures else None
    for writer in writers:
        yield f"a write went wrong: {writer.wrong[0]}" if writer.wrong else writer.lost()


def finishes_what_is_under_way(gateway, options):
    upstream = Upstream("slow", {"kind": "hang"})
    storm.put_route(gateway, [upstream.address], "slow", uri="/slow")
    with socket.create_connection(gateway.address("data"), 30) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        if not upstream.wait(lambda: upstream.requests, 10):
            raise Failure("the request did not reach the upstream")
        before = gateway.serving()
        write_config(gateway, error_log_level="notice")
        must_reload(gateway, "/nginx_config/error_log_level")
        if gateway.serving() == before:
            raise Failure("the same process serves behind a reload")
        upstream.drop()  # hangs up: the process from before has to answer for it
        told = client.recv(4096)
    upstream.close()
    yield None if b" 502 " in told else f"a request from before the reload was answered {told[:200]}"


def goes_on_behind_a_bad_file(gateway, options):
    good = (gateway.prefix / "conf/config.yaml").read_text()
    (gateway.prefix / "conf/config.yaml").write_text("apisix: {node_listen: nonsense}")
    code, output = reload(gateway)
    yield None if code == 1 and "node_listen" in output else f"a bad file: {code} {output}"
    os.kill(gateway.process.pid, signal.SIGHUP)
    storm.eventually(lambda: "does not hold" in gateway.log(), "the log does not name the bad file")
    yield None if "/apisix/node_listen" in gateway.log() else "the log does not say what is wrong"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = json.loads(good)
        config["apisix"]["node_listen"].append({"ip": "127.0.0.1", "port": taken.getsockname()[1]})
        (gateway.prefix / "conf/config.yaml").write_text(json.dumps(config))
        code, output = reload(gateway)
    yield None if code == 1 and "in use" in output else f"a taken port: {code} {output}"
    config = json.loads(good)
    config["deployment"]["admin"]["admin_key"] = [{"name": "admin", "key": "short", "role": "admin"}]
    (gateway.prefix / "conf/config.yaml").write_text(json.dumps(config))
    code, output = reload(gateway)
    yield None if code == 1 and "did not come up" in output else f"a key too short: {code} {output}"
    (gateway.prefix / "conf/config.yaml").write_text(good)
    answer = gateway.admin("GET", "/apisix/admin/routes/1")
    yield None if answer.status == 200 and server_field(gateway) else f"it does not go on: {answer.brief()}"


def crashes_under_load(gateway, options):
    """Requests under way may break; a connection is never refused, and what comes later is served."""
    with storm.Clients(gateway) as clients:
        for _ in range(3):
            crashed = gateway.serving()
            os.kill(crashed, signal.SIGKILL)
            storm.eventually(
                lambda crashed=crashed: gateway.serving() not in (crashed, gateway.process.pid),
                "no other process was put to work",
            )
            clients.served()
    refused = [failure for failure in clients.failures if "Refused" in failure]
    yield f"{len(refused)} connections were refused: {refused[0]}" if refused else None
    most = 3 * len(clients.all)
    broken = f"{len(clients.failures)} requests broke in 3 crashes, {most} were under way at most"
    yield broken if len(clients.failures) > most else None
    yield None if "ended by signal 9" in gateway.log() else "the log does not name the crash"


def takes_up_plugins_by_the_api(gateway, options):
    """PUT plugins/reload reads config.yaml again; a file that says the same leaves the process be."""
    before = gateway.serving()
    answer = gateway.admin("PUT", "/apisix/admin/plugins/reload")
    storm.eventually(lambda: "no key of" in gateway.log(), "the log does not say that nothing has changed")
    yield None if gateway.serving() == before else f"another process serves the same file: {answer.brief()}"
    config = gateway.config()
    config["plugins"] = ["cors"]
    (gateway.prefix / "conf/config.yaml").write_text(json.dumps(config))
    gateway.admin("PUT", "/apisix/admin/plugins/reload")
    storm.eventually(
        lambda: gateway.admin("GET", "/apisix/admin/plugins/list").json() == ["cors"],
        "the changed list of plugins is not taken up",
    )
    write_config(gateway)
    gateway.admin("PUT", "/apisix/admin/plugins/reload")
    storm.eventually(
        lambda: len(gateway.admin("GET", "/apisix/admin/plugins/list").json()) > 1,
        "the list of plugins does not come back",
    )


CASES = [
    takes_up_plugins_by_the_api,
    reloads_under_load,
    finishes_what_is_under_way,
    goes_on_behind_a_bad_file,
    crashes_under_load,
]


def problems(gateway, options):
    upstream = Upstream("u", storm.HELLO)
    storm.put_route(gateway, [upstream.address])
    for case in CASES:
        yield from case(gateway, options)
    upstream.close()


if __name__ == "__main__":
    sys.exit(storm.run(problems, storm.options_of(__doc__, reloads=12), workers=2))
