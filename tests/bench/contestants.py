# SPDX-License-Identifier: Apache-2.0
"""The proxies that are measured, each with equal settings, and the programs that load them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from gateway import KEY, Gateway, free_ports, merge
from upstream import deadline

BINARY = os.environ.get("SLUICE_BINARY", str(TOP / "build/release/sluice"))
PROXY_CORE, LOAD_CORE = "0", "1"


def pinned(core):
    return ["taskset", "-c", core] if len(os.sched_getaffinity(0)) > 1 else []


def wait_for_port(port, process, name):
    left, pause = deadline(20), threading.Event()
    while left():
        if process.poll() is not None:
            raise SystemExit(f"bench: {name} ended at its start with exit code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            pause.wait(0.02)
    raise SystemExit(f"bench: {name} does not listen on port {port}")


class Upstream:
    def __init__(self, body=34):
        command = [str(TOP / "build/release/bench_upstream"), "--port", "0", "--body", str(body)]
        self.process = subprocess.Popen(
            pinned(LOAD_CORE) + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def load_command(port, options):
    command = [*pinned(LOAD_CORE), str(TOP / "build/release/bench_load"), "--port", str(port)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            command += ["--" + name.replace("_", "-"), str(one)]
    return command


def load(port, **options):
    done = subprocess.run(load_command(port, options), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: the load generator failed: {done.stderr}")
    return json.loads(done.stdout)


class Configured:
    """nginx or haproxy from the template beside this file."""

    def __init__(self, name, upstream_port, more="", passes="proxy_pass http://peer", http=""):
        self.name = name
        self.prefix = Path(tempfile.mkdtemp(prefix=f"sluice-bench-{name}-"))
        self.prefix.chmod(0o755)  # nginx's worker is nobody when the bench is run by root
        (self.port,) = free_ports(1)
        template = (HERE / {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[name]).read_text()
        filled = {"@PREFIX@": self.prefix, "@PORT@": self.port, "@UPSTREAM@": upstream_port, "@MORE@": more}
        filled.update({"@PASS@": passes, "@HTTP@": http})
        for key, value in filled.items():
            template = template.replace(key, str(value))
        config = self.prefix / "config"
        config.write_text(template)
        command = {
            "nginx": ["nginx", "-p", self.prefix, "-c", config],
            "haproxy": ["haproxy", "-db", "-f", config],
        }
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
        output = (self.prefix / "output").open("w")
        words = [str(word) for word in pinned(PROXY_CORE) + command[name]]
        self.process = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
        wait_for_port(self.port, self.process, name)
        measure.check_owner(self.port, self.process.pid, name)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.prefix, ignore_errors=True)


class Sluice:
    """The gateway; `peer` is upstream 1, where there is one. `over` is laid over its configuration."""

    name = "sluice"

    def __init__(self, upstream_port, pin=True, over=None, workers=1):
        http = {"access_log": "off", "keepalive_timeout": "600s", "keepalive_requests": 1000000000}
        http["client_max_body_size"] = "0"
        config = {"nginx_config": {"error_log_level": "warn", "http": http}}
        config["nginx_config"]["event"] = {"worker_connections": 20000}
        self.gateway = Gateway(BINARY, merge(config, over or {}), workers)
        cores = os.sched_getaffinity(0)
        if pin and len(cores) > 1:
            os.sched_setaffinity(0, {int(PROXY_CORE)})
        try:
            self.gateway.start()
        finally:
            os.sched_setaffinity(0, cores)
        self.process, self.port = self.gateway.process, self.gateway.ports["data"]
        measure.check_owner(self.port, self.process.pid, self.name)
        if upstream_port is None:
            return
        keep = {"size": 320, "idle_timeout": 600, "requests": 1000000000}
        peer = {"type": "roundrobin", "nodes": {f"127.0.0.1:{upstream_port}": 1}, "keepalive_pool": keep}
        self.put("upstreams/1", peer)

    def put(self, path, value):
        answer = self.gateway.admin("PUT", "/apisix/admin/" + path, json.dumps(value).encode())
        if answer.status not in (200, 201):
            raise SystemExit(f"bench: PUT {path}: {answer.brief()}")

    def put_many(self, count, target, body):
        """Routes 0 to count-1 by 64 connections at once, as an operator's tool would."""
        options = {"order": "sequence", "requests": count, "count": count, "hosts": 1000, "headers": "none"}
        answer = load(
            self.gateway.ports["admin"],
            connections=64,
            method="PUT",
            target=target,
            body=body,
            header=[f"X-API-KEY: {KEY}", "Content-Type: application/json"],
            **options,
        )
        if set(answer["statuses"]) - {"200", "201"} or answer["errors"]:
            raise SystemExit(f"bench: putting {count} resources: {answer}")
        return answer

    def pin_busiest(self, work):
        """Runs `work`, then pins the thread that did most of it to the proxy's core; the others stay free."""
        before = measure.thread_cpu(self.process.pid)
        work()
        after = measure.thread_cpu(self.process.pid)
        busiest = max(after, key=lambda thread: after[thread] - before.get(thread, 0))
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(busiest, {int(PROXY_CORE)})

    def stop(self):
        self.gateway.stop()
        self.gateway.close()
