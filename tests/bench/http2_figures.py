# SPDX-License-Identifier: Apache-2.0
"""Figures of HTTP/2 without TLS: many clients over few connections to an upstream, next to the floor of a
relay that looks at nothing; HTTP/2 clients next to nghttpx and nginx; gRPC calls next to nginx."""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import measure
from contestants import LOAD_CORE, PROXY_CORE, TOP, Configured, Sluice, Upstream
from contestants import free_ports, load, pinned, wait_for_port
from figures import figure

GOALS = {
    "multiplexed.floor_ratio": 1.0,
    "h2c.total_ratio_nghttpx": 1.0,
    "h2c.total_ratio_nginx": 1.0,
    "grpc.total_ratio_nginx": 1.0,
}
CALLS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]


class Program:
    """A program on a core, that listens on a port."""

    def __init__(self, name, core, command, port, stdin=None):
        self.name, self.port = name, port
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
        words = [str(word) for word in pinned(core) + command]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, env=environment, stdin=stdin, stdout=quiet, stderr=quiet)
        wait_for_port(port, self.process, name)
        measure.check_owner(port, self.process.pid, name)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Relay:
    name = "relay"

    def __init__(self, upstream_port):
        command = [*pinned(PROXY_CORE), str(TOP / "build/release/bench_relay")]
        command += ["--upstream", str(upstream_port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def http2_upstream(folder):
    """nghttpd with a file of 34 bytes, and a trailer as a gRPC server has one."""
    (folder / "index.html").write_bytes(b"x" * 34)
    (port,) = free_ports(1)
    words = ["nghttpd", "--no-tls", "-d", folder, "--trailer", "grpc-status: 0", port]
    return Program("nghttpd", LOAD_CORE, words, port)


def sluice(upstream_port, **upstream):
    gateway = Sluice(None)
    keep = {"size": 320, "idle_timeout": 600, "requests": 1000000000}
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{upstream_port}": 1}, "keepalive_pool": keep}
    gateway.put("routes/1", {"uri": "/*", "upstream": {**nodes, **upstream}})
    return gateway


def nginx(upstream_port, passes="proxy_pass http://peer"):
    (port,) = free_ports(1)
    made = Configured("nginx", upstream_port, f"listen 127.0.0.1:{port} http2 backlog=4096;", passes)
    made.port = port
    return made


def h2load(port, *words):
    command = [*pinned(LOAD_CORE), "h2load", *words, f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) total, \d+ started, \d+ done, (\d+) succeeded", done.stdout)
    if not found or found[1] != found[2]:
        raise SystemExit(f"bench: h2load failed: {done.stdout[-2000:]} {done.stderr[-500:]}")
    return int(found[2])


def us(contestant, work):
    """CPU of the proxy for each of what `work` counts."""
    before = measure.cpu(contestant.process.pid)
    count = work(contestant)
    used = measure.cpu(contestant.process.pid) - before
    return used.total / count / 1e3


def interleaved(bench, contestants, work, title):
    """{name: [µs]}; the first of each only warms up."""
    told = {one.name: [] for one in contestants}
    for number in range(bench.rounds + 1):
        for one in contestants:
            value = us(one, work)
            if number > 0:
                told[one.name].append(value)
        if number > 0:
            costs = ", ".join(f"{name} {values[-1]:.2f}" for name, values in told.items())
            print(f"   round {number} {title:12} µs CPU: {costs}", flush=True)
    return told


def compared(prefix, told, others, label="total_ratio_{}"):
    medians = {name: statistics.median(told[name]) for name in others}
    results = [figure(f"{prefix}.total_us", "µs", told["sluice"], medians)]
    for name in others:
        ratios = [ours / theirs for ours, theirs in zip(told["sluice"], told[name])]
        results.append(figure(f"{prefix}.{label.format(name)}", "ratio", ratios))
    return results


def multiplexed(bench):
    """64 clients of HTTP/1.1; the gateway asks by HTTP/2, the relay passes bytes on to an HTTP/1.1 server."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-http2-"))
    things = [http2_upstream(folder), Upstream()]
    try:
        things.append(sluice(things[0].port, http_version="2"))
        things.append(Relay(things[1].port))
        seconds = 2 if bench.quick else 12
        asked = lambda one: load(one.port, connections=64, seconds=seconds)["requests"]
        told = interleaved(bench, things[2:], asked, "multiplexed")
    finally:
        stop(things, folder)
    return compared("multiplexed", told, ["relay"], "floor_ratio")


def h2c(bench):
    """HTTP/2 clients, 4 connections of 32 streams, to an HTTP/1.1 server."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-http2-"))
    things = [Upstream()]
    try:
        things += [sluice(things[0].port), nginx(things[0].port)]
        (port,) = free_ports(1)
        words = ["nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{things[0].port}"]
        words += ["--workers=1", "--backend-keep-alive-timeout=600s", "--single-process"]
        things.append(Program("nghttpx", PROXY_CORE, words, port))
        requests = "20000" if bench.quick else "300000"
        asked = lambda one: h2load(one.port, "-n", requests, "-c", "4", "-m", "32")
        told = interleaved(bench, things[1:], asked, "h2c")
    finally:
        stop(things, folder)
    return compared("h2c", told, ["nginx", "nghttpx"])


def grpc(bench):
    """Unary calls, 4 connections of 32 streams, with a message each way and trailers behind the answer."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-grpc-"))
    (folder / "message").write_bytes(b"\0\0\0\0\x1d" + b"x" * 29)
    things = [http2_upstream(folder)]
    try:
        things.append(sluice(things[0].port, scheme="grpc"))
        things.append(nginx(things[0].port, "grpc_pass grpc://peer"))
        requests = "20000" if bench.quick else "300000"
        words = ["-n", requests, "-c", "4", "-m", "32", "-d", str(folder / "message"), *CALLS]
        told = interleaved(bench, things[1:], lambda one: h2load(one.port, *words), "grpc")
    finally:
        stop(things, folder)
    return compared("grpc", told, ["nginx"])


def stop(things, folder):
    for one in reversed(things):
        one.stop()
    shutil.rmtree(folder, ignore_errors=True)


ALL = {"multiplexed": multiplexed, "h2c": h2c, "grpc": grpc}
