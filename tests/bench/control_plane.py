# SPDX-License-Identifier: Apache-2.0
"""The figures of the control plane: writes, starts, memory under changes, and how soon a watch's news are
live."""

import http.client
import json
import statistics
import sys
import threading
import time
from pathlib import Path

import measure
from contestants import KEY, Sluice, Upstream, load

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "peers")]
from client import Connection, request_bytes
from etcd_cluster import Cluster, encode, installed

ROUTES, AT_ONCE = 100000, 100
GOALS = {
    "admin_put.p99_ms": 20,
    "start100k.embedded_s": 3,
    "start100k.etcd_s": 3,
    "updates.growth_mb": 5,
    "watch.p99_ms": 2,
}
FLOORS = {"admin_put.rate": 3000}


def figure(name, unit, values):
    spread = [min(values), max(values)]
    return {"name": name, "value": statistics.median(values), "unit": unit, "peers": {}, "spread": spread}


def put(sluice, requests, target, body, connections):
    header = [f"X-API-KEY: {KEY}", "Content-Type: application/json"]
    options = {"order": "sequence", "requests": requests, "count": requests, "hosts": 1000, "headers": "none"}
    port = sluice.gateway.ports["admin"]
    told = load(
        port, connections=connections, method="PUT", target=target, body=body, header=header, **options
    )
    if set(told["statuses"]) - {"200", "201"} or told["errors"]:
        raise SystemExit(f"bench: {requests} writes: {told}")
    return told


def admin_put(bench):
    """Writes of 16 clients, each answered when it is on disk; and one client's, one after the other."""
    upstream = Upstream()
    sluice = Sluice(upstream.port, pin=False)
    body = json.dumps({"uri": "/shop/{i}/detail", "host": "h{h}.test", "upstream_id": "1"})
    requests = 6000 if bench.quick else 30000
    try:
        target = "/apisix/admin/routes/{i}"
        rounds = [put(sluice, requests, target, body, 16) for _ in range(bench.rounds)]
        single = [put(sluice, requests // 10, target, body, 1) for _ in range(bench.rounds)]
    finally:
        sluice.stop()
        upstream.stop()
    return [
        figure("admin_put.rate", "1/s", [one["requests"] / one["seconds"] for one in rounds]),
        figure("admin_put.p99_ms", "ms", [one["p99_us"] / 1e3 for one in rounds]),
        figure("admin_put.single_p50_ms", "ms", [one["p50_us"] / 1e3 for one in single]),
    ]


def route(index):
    return {"uri": f"/shop/{index}/detail", "host": f"h{index % 1000}.test", "upstream_id": "1"}


def fill(etcd, peer):
    """100,000 routes as APISIX would have written them, and their upstream."""
    etcd.put("/apisix/upstreams/1", {"id": "1", "type": "roundrobin", "nodes": {peer: 1}})
    for first in range(0, ROUTES, AT_ONCE):
        writes = []
        for index in range(first, first + AT_ONCE):
            value = {"id": str(index), "create_time": 1700000000, "update_time": 1700000000, **route(index)}
            key = encode(f"/apisix/routes/{index}")
            writes.append({"requestPut": {"key": key, "value": encode(json.dumps(value))}})
        etcd.call("/v3/kv/txn", {"success": writes})


def on_etcd(etcd):
    deployment = {"role_traditional": {"config_provider": "etcd"}, "etcd": {"host": etcd.urls()}}
    return {"deployment": deployment}


def start_seconds(gateway, rounds):
    """From the start of the program until a request is answered by the last of the routes."""
    wire = request_bytes("GET", f"/shop/{ROUTES - 1}/detail", [("Host", f"h{(ROUTES - 1) % 1000}.test")])
    told, pause = [], threading.Event()
    for _ in range(rounds):
        gateway.stop()
        began = time.perf_counter()
        gateway.spawn()
        while True:
            try:
                if Connection(gateway.address("data")).exchange("GET", wire).status == 200:
                    break
            except OSError:
                pass
            if time.perf_counter() - began > 60:
                raise SystemExit(f"bench: not served within a minute: {gateway.story()}")
            pause.wait(0.002)
        told.append(time.perf_counter() - began)
    return told


def start100k(bench):
    """A start with 100,000 routes: from SQLite, and from etcd, also with what was kept of it on disk."""
    upstream = Upstream()
    rounds = 3 if bench.quick else bench.rounds
    sluice = Sluice(upstream.port, pin=False)
    try:
        body = {"uri": "/shop/{i}/detail", "host": "h{h}.test", "upstream_id": "1"}
        put(sluice, ROUTES, "/apisix/admin/routes/{i}", json.dumps(body), 64)
        figures = [figure("start100k.embedded_s", "s", start_seconds(sluice.gateway, rounds))]
    finally:
        sluice.stop()
    if not installed():
        print("   etcd is not installed (Debian: etcd-server): the start from etcd is NOT measured")
        upstream.stop()
        return figures
    etcd = Cluster().start()
    try:
        fill(etcd, f"127.0.0.1:{upstream.port}")
        sluice = Sluice(None, pin=False, over=on_etcd(etcd))
        try:
            figures.append(figure("start100k.etcd_s", "s", start_seconds(sluice.gateway, rounds)))
        finally:
            sluice.stop()
    finally:
        etcd.close()
        upstream.stop()
    return figures


def updates(bench):
    """Resident memory when one route is written 100,000 times, from the first 10,000 on."""
    upstream = Upstream()
    sluice = Sluice(upstream.port, pin=False)
    body = json.dumps({"uri": "/shop/detail", "upstream_id": "1", "desc": "change {i}"})
    total = 20000 if bench.quick else 100000
    try:
        put(sluice, total // 10, "/apisix/admin/routes/1", body, 16)
        before = measure.resident_bytes(sluice.gateway.serving())
        put(sluice, total - total // 10, "/apisix/admin/routes/1", body, 16)
        after = measure.resident_bytes(sluice.gateway.serving())
    finally:
        sluice.stop()
        upstream.stop()
    return [figure("updates.growth_mb", "MB", [(after - before) / 1e6])]


class Applied:
    """Asks the status API of a gateway which revision every worker serves by, on one connection."""

    def __init__(self, gateway):
        self.connection = http.client.HTTPConnection(*gateway.address("status"))

    def revision(self):
        self.connection.request("GET", "/status")
        return json.loads(self.connection.getresponse().read())["applied_revision"]


def watched_write(writer, applied, index):
    """(milliseconds from etcd's answer until it is live, those of the last question about that)"""
    value = encode(json.dumps({"id": "1", "uri": "/a", "desc": str(index), "upstream_id": "1"}))
    question = {"key": encode("/apisix/routes/1"), "value": value}
    writer.request("POST", "/v3/kv/put", json.dumps(question))
    revision = int(json.loads(writer.getresponse().read())["header"]["revision"])
    began = last = time.perf_counter()
    while applied.revision() < revision:
        last = time.perf_counter()
        if last - began > 5:
            raise SystemExit("bench: a write to etcd was not live within 5 s")
    ended = time.perf_counter()
    return (ended - began) * 1e3, (ended - last) * 1e3


def watch(bench):
    """From etcd's answer to somebody's write, which is when it tells those who watch, until every worker
    serves by it. The gateway is asked for that without a pause, so an answer's way is included."""
    if not installed():
        print("   etcd is not installed (Debian: etcd-server): NOT measured")
        return []
    etcd = Cluster().start()
    sluice = Sluice(None, pin=False, over=on_etcd(etcd), workers=2)
    try:
        applied = Applied(sluice.gateway)
        host, _, port = etcd.members[0].url.removeprefix("http://").partition(":")
        writer = http.client.HTTPConnection(host, int(port))
        for index in range(200):  # warms up
            watched_write(writer, applied, index)
        rounds = [
            [watched_write(writer, applied, index) for index in range(1000)]
            for _ in range(bench.rounds)
        ]
    finally:
        sluice.stop()
        etcd.close()
    times = [[live for live, _ in one] for one in rounds]
    questions = [question for one in rounds for _, question in one]
    return [
        figure("watch.p99_ms", "ms", [statistics.quantiles(one, n=100)[98] for one in times]),
        figure("watch.p50_ms", "ms", [statistics.median(one) for one in times]),
        figure("watch.question_ms", "ms", [statistics.median(questions)]),
    ]


ALL = {"admin_put": admin_put, "start100k": start100k, "updates": updates, "watch": watch}
