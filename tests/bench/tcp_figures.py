# SPDX-License-Identifier: Apache-2.0
"""Figures of streams: bytes in bulk, small exchanges and short connections through a stream route, next to
haproxy in mode tcp, which may splice."""

import os
import socket
import sys
import tempfile
from pathlib import Path

import measure
from contestants import LOAD_CORE, PROXY_CORE, Sluice, Upstream, free_ports, load
from http2_figures import Program, compared, interleaved, stop

GOALS = {"tcp.bulk.total_ratio_haproxy": 1.0, "tcp.exchange.total_ratio_haproxy": 1.0}
PIECE = 1 << 20
# Sends as many MiB as it is told by each client in 8 bytes, then ends.
SOURCE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
piece = bytes(1 << 20)
while True:
    sock, _ = listener.accept()
    for _ in range(int(sock.recv(8) or b"0")):
        sock.sendall(piece)
    sock.close()
"""


class Source:
    def __init__(self):
        (self.port,) = free_ports(1)
        self.program = Program("source", LOAD_CORE, [sys.executable, "-c", SOURCE, self.port], self.port)

    def stop(self):
        self.program.stop()


def haproxy(folder, upstream_port):
    (port,) = free_ports(1)
    path = folder / f"haproxy-{port}.cfg"
    path.write_text(
        "global\n nbthread 1\n maxconn 19000\n no strict-limits\ndefaults\n mode tcp\n option splice-auto\n"
        " timeout client 60s\n timeout server 60s\n timeout connect 60s\n no log\n"
        f"listen l\n bind 127.0.0.1:{port} backlog 4096\n server s 127.0.0.1:{upstream_port}\n"
    )
    return Program("haproxy", PROXY_CORE, ["haproxy", "-db", "-f", path], port)


def sluice(upstream_port):
    gateway = Sluice(None, over={"apisix": {"proxy_mode": "http&stream"}})
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{upstream_port}": 1}}
    gateway.put("stream_routes/1", {"upstream": nodes})
    gateway.port = gateway.gateway.ports["stream"]
    measure.check_owner(gateway.port, gateway.process.pid, gateway.name)
    return gateway


def read_all(port, pieces):
    """Takes so many MiB from the source; how many GB."""
    room, count = bytearray(PIECE), 0
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.sendall(b"%d" % pieces)
        while got := sock.recv_into(room):
            count += got
    if count != pieces * PIECE:
        raise SystemExit(f"bench: {count} of {pieces * PIECE} bytes came through port {port}")
    return count / 1e9


def bulk(bench):
    """One connection, all it can take. CPU a GB, in ms."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-tcp-"))
    things = [Source()]
    cores = os.sched_getaffinity(0)
    try:
        things += [sluice(things[0].port), haproxy(folder, things[0].port)]
        if len(cores) > 1:
            os.sched_setaffinity(0, {int(LOAD_CORE)})
        pieces = 1024 if bench.quick else 8192
        told = interleaved(bench, things[1:], lambda one: read_all(one.port, pieces), "tcp.bulk")
    finally:
        os.sched_setaffinity(0, cores)
        stop(things, folder)
    in_ms = {name: [value / 1e3 for value in values] for name, values in told.items()}
    return [
        {**one, "name": one["name"].replace("total_us", "gb_ms"), "unit": one["unit"].replace("µs", "ms")}
        for one in compared("tcp.bulk", in_ms, ["haproxy"])
    ]


def exchanges(bench, title, **options):
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-tcp-"))
    things = [Upstream()]
    try:
        things += [sluice(things[0].port), haproxy(folder, things[0].port)]
        seconds = 2 if bench.quick else 12
        asked = lambda one: load(one.port, connections=64, seconds=seconds, **options)["requests"]
        told = interleaved(bench, things[1:], asked, title)
    finally:
        stop(things, folder)
    return compared(title, told, ["haproxy"])


def tcp(bench):
    return bulk(bench) + exchanges(bench, "tcp.exchange")


ALL = {"tcp": tcp}
