# SPDX-License-Identifier: Apache-2.0
"""The figures: what is set up, loaded and computed for each; named as in results.json."""

import json
import statistics
import subprocess
import time

import measure
from contestants import KEY, Configured, Sluice, Upstream, load, load_command

ROUTES, HOSTS, HELD = 100000, 1000, 15000
GOALS = {
    "plain.user_us": 1.5,
    "plain.total_ratio_nginx": 0.9,
    "plugins3.user_us": 2.5,
    "routes100k.ratio": 1.1,
    "change100k.p99_ms": 1.0,
    "change100k.traffic_p99_ratio": 1.2,
    "rss.idle_mb": 25,
    "rss.per_route_kb": 2.5,
    "body1m.total_ratio_nginx": 0.8,
    "idle_connection.kb": 4,
}


def figure(name, unit, values, peers=None):
    return {
        "name": name,
        "value": statistics.median(values),
        "unit": unit,
        "peers": peers or {},
        "spread": [min(values), max(values)],
    }


class Round:
    """One contestant under load for a while."""

    def __init__(self, contestant, options):
        before = measure.cpu(contestant.process.pid)
        told = load(contestant.port, **options)
        used = measure.cpu(contestant.process.pid) - before
        if used.lost_ticks() > 5 + used.whole / 50:
            lost = f"{used.lost_ticks()} of {used.whole} ticks of CPU"
            raise SystemExit(f"bench: {contestant.name}: {lost} went with threads that ended; not counted")
        if told["errors"] or set(told["statuses"]) != {"200"}:
            raise SystemExit(
                f"bench: {contestant.name} answered {told['statuses']} with {told['errors']} errors"
            )
        self.total_us = used.total / told["requests"] / 1e3
        self.user_us = used.user_ns() / told["requests"] / 1e3
        self.rate = told["requests"] / told["seconds"]
        self.p50_us, self.p99_us = told["p50_us"], told["p99_us"]


class Bench:
    def __init__(self, options):
        self.rounds, self.seconds = (3, 2) if options.quick else (5, 12)
        self.quick, self.with_sluice = options.quick, not options.without_sluice
        self.plugins = options.plugin

    def interleave(self, contestants, loads):
        """{name: [Round]}; the first short load of each only warms up."""
        told = {name: [] for name in contestants}
        for name, contestant in contestants.items():
            load(contestant.port, **{**loads[name], "seconds": 0.5})
        for number in range(self.rounds):
            for name, contestant in contestants.items():
                one = Round(contestant, {**loads[name], "seconds": self.seconds})
                told[name].append(one)
                print(
                    f"   round {number + 1} {name:10} {one.total_us:7.2f} µs CPU ({one.user_us:5.2f} user)"
                    f" {one.rate:9.0f} requests/s  p50 {one.p50_us:.0f} µs  p99 {one.p99_us:.0f} µs",
                    flush=True,
                )
        return told

    def side_by_side(self, prefix, body, connections):
        """Plain proxying by everybody: user µs, and the total against nginx's round by round."""
        upstream = Upstream(body)
        contestants = {}
        try:
            if self.with_sluice:
                sluice = Sluice(upstream.port)
                sluice.put("routes/1", {"uri": "/*", "upstream_id": "1"})
                contestants["sluice"] = sluice
            for name in ("nginx", "haproxy"):
                contestants[name] = Configured(name, upstream.port)
            loads = dict.fromkeys(contestants, {"connections": connections})
            told = self.interleave(contestants, loads)
        finally:
            for contestant in contestants.values():
                contestant.stop()
            upstream.stop()
        return side_by_side_figures(prefix, told)


def side_by_side_figures(prefix, told):
    def peers(read):
        names = [name for name in ("nginx", "haproxy") if name in told]
        return {name: statistics.median(read(one) for one in told[name]) for name in names}

    first = next(iter(told))
    nginx = told["nginx"]
    ratios = {
        name: [one.total_us / other.total_us for one, other in zip(rounds, nginx)]
        for name, rounds in told.items()
    }
    haproxy = {"haproxy": statistics.median(ratios["haproxy"])} if "haproxy" in told else {}
    figures = [figure(f"{prefix}.total_ratio_nginx", "ratio", ratios[first], {"nginx": 1.0, **haproxy})]
    for name, unit in (
        ("user_us", "µs"),
        ("total_us", "µs"),
        ("rate", "1/s"),
        ("p50_us", "µs"),
        ("p99_us", "µs"),
    ):
        values = [getattr(one, name) for one in told[first]]
        figures.append(
            figure(f"{prefix}.{name}", unit, values, peers(lambda one, key=name: getattr(one, key)))
        )
    return figures


def plain(bench):
    return bench.side_by_side("plain", 34, 64)


def body1m(bench):
    return bench.side_by_side("body1m", 1 << 20, 16)


def plugins3(bench):
    """key-auth, limit-count and prometheus on the route, next to the same gateway without them."""
    upstream = Upstream()
    with_plugins, without = Sluice(upstream.port), Sluice(upstream.port)
    try:
        with_plugins.put("consumers/joe", {"username": "joe", "plugins": {"key-auth": {"key": "bench-key"}}})
        limit = {"count": 2000000000, "time_window": 3600, "key": "remote_addr"}
        plugins = {"key-auth": {}, "limit-count": limit, "prometheus": {}}
        with_plugins.put("routes/1", {"uri": "/*", "upstream_id": "1", "plugins": plugins})
        without.put("routes/1", {"uri": "/*", "upstream_id": "1"})
        keyed = {"connections": 64, "header": ["apikey: bench-key"]}
        told = bench.interleave({"sluice": with_plugins, "plain": without}, {"sluice": keyed, "plain": keyed})
    finally:
        with_plugins.stop()
        without.stop()
        upstream.stop()
    costs = [one.user_us - other.user_us for one, other in zip(told["sluice"], told["plain"])]
    return [
        figure("plugins3.user_us", "µs", [one.user_us for one in told["sluice"]]),
        figure("plugins3.cost_us", "µs", costs),
    ]


def put_routes(sluice, plugins):
    body = {"uri": "/shop/{i}/detail", "host": "h{h}.test", "upstream_id": "1", "plugins": plugins}
    return sluice.put_many(ROUTES, "/apisix/admin/routes/{i}", json.dumps(body))


def routes100k(bench):
    """The same gateway with one route and with 100,000, requests uniform over all of them."""
    upstream = Upstream()
    one, many = Sluice(upstream.port), Sluice(upstream.port)
    try:
        one.put("routes/1", {"uri": "/*", "upstream_id": "1"})
        put_routes(many, {})
        spread = {"target": "/shop/{i}/detail", "host": "h{h}.test", "count": ROUTES, "hosts": HOSTS}
        loads = {"one": {**spread, "connections": 64}, "many": {**spread, "connections": 64}}
        told = bench.interleave({"one": one, "many": many}, loads)
    finally:
        one.stop()
        many.stop()
        upstream.stop()
    ratios = [few.total_us / base.total_us for few, base in zip(told["many"], told["one"])]
    return [figure("routes100k.ratio", "ratio", ratios)]


def change100k(bench):
    """Changes one route of 100,000 at a time, at half of peak load; see README.md for what is counted."""
    upstream = Upstream()
    sluice = Sluice(upstream.port, pin=False)
    try:
        put_routes(sluice, {})
        spread = {
            "target": "/shop/{i}/detail",
            "host": "h{h}.test",
            "count": ROUTES,
            "hosts": HOSTS,
            "connections": 64,
        }
        peaks = []
        sluice.pin_busiest(lambda: peaks.append(load(sluice.port, **spread, seconds=3)))
        peak = load(sluice.port, **spread, seconds=3)
        spread["rate"] = int(peak["requests"] / peak["seconds"] / 2)
        rounds = [changes_beside_load(bench, sluice, spread) for _ in range(1 if bench.quick else 3)]
    finally:
        sluice.stop()
        upstream.stop()
    p99 = [statistics.quantiles(times, n=100)[98] for times, _ in rounds]
    return [
        figure("change100k.p99_ms", "ms", p99),
        figure("change100k.p50_ms", "ms", [statistics.median(times) for times, _ in rounds]),
        figure("change100k.traffic_p99_ratio", "ratio", [ratio for _, ratio in rounds]),
    ]


def changes_beside_load(bench, sluice, spread):
    """(milliseconds of each change, p99 of the traffic with changes over p99 without)"""
    seconds = 4 if bench.quick else 12
    quiet = load(sluice.port, **spread, seconds=seconds)
    beside = subprocess.Popen(
        load_command(sluice.port, {**spread, "seconds": seconds}), stdout=subprocess.PIPE
    )
    times, end = [], time.monotonic() + seconds - 0.5
    while time.monotonic() < end and len(times) < 1000:
        index = len(times) * 97 % ROUTES
        body = {"uri": f"/shop/{index}/detail", "host": f"h{index % HOSTS}.test", "upstream_id": "1"}
        body["desc"] = f"change {len(times)}"
        times.append(one_change(sluice, index, json.dumps(body).encode()))
    told = json.loads(beside.communicate()[0])
    if len(times) < 2:
        raise SystemExit("bench: fewer than two changes were made beside the load")
    rate = spread["rate"]
    print(f"   {len(times)} changes at {rate}/s; traffic p99 {quiet['p99_us']} → {told['p99_us']} µs")
    return times, told["p99_us"] / max(quiet["p99_us"], 0.1)


def one_change(sluice, index, body):
    """What the gateway tells of the time from stored to live, or else the whole round trip, disk included."""
    began = time.perf_counter()
    answer = sluice.gateway.admin("PUT", f"/apisix/admin/routes/{index}", body)
    took = (time.perf_counter() - began) * 1e3
    if answer.status != 200:
        raise SystemExit(f"bench: a change was answered {answer.brief()}")
    told = answer.all("X-Sluice-Apply-Us")
    return float(told[0]) / 1e3 if told else took


def rss(bench):
    """Resident memory at rest, and what a route with host, upstream_id and one plugin adds."""
    upstream = Upstream()
    sluice = Sluice(upstream.port)
    try:
        load(sluice.port, connections=1, requests=1)
        idle = measure.resident_bytes(sluice.gateway.serving())
        put_routes(sluice, {"prometheus": {}})
        loaded = measure.resident_bytes(sluice.gateway.serving())
    finally:
        sluice.stop()
        upstream.stop()
    return [
        figure("rss.idle_mb", "MB", [idle / 1e6]),
        figure("rss.per_route_kb", "KB", [(loaded - idle) / ROUTES / 1e3]),
    ]


def idle_connection(bench):
    """Keep-alive connections held after one request each."""
    upstream = Upstream()
    contestants = [Sluice(upstream.port)] if bench.with_sluice else []
    told = {}
    try:
        if bench.with_sluice:
            contestants[0].put("routes/1", {"uri": "/*", "upstream_id": "1"})
        contestants += [Configured(name, upstream.port) for name in ("nginx", "haproxy")]
        for contestant in contestants:
            told[contestant.name] = hold(contestant)
    finally:
        for contestant in contestants:
            contestant.stop()
        upstream.stop()
    first = next(iter(told))
    peers = [{name: told[name][part] for name in ("nginx", "haproxy")} for part in (0, 1)]
    return [
        figure("idle_connection.kb", "KB", [told[first][0]], peers[0]),
        figure("idle_connection.count", "", [told[first][1]], peers[1]),
    ]


def hold(contestant):
    """(KB a connection, connections held)"""
    load(contestant.port, connections=64, seconds=0.5)
    before = measure.resident_bytes(contestant.process.pid)
    command = load_command(contestant.port, {"hold": HELD})
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    told = json.loads(held.stdout.readline())
    after = measure.resident_bytes(contestant.process.pid)
    held.stdin.close()
    held.wait(30)
    if told["errors"] or set(told["statuses"]) != {"200"}:
        raise SystemExit(f"bench: {contestant.name} did not hold {HELD} connections: {told}")
    count = told["requests"] - told["closed"]
    print(f"   {contestant.name}: {count} connections held", flush=True)
    return (after - before) / max(count, 1) / 1e3, count


ALL = {
    "plain": plain,
    "plugins3": plugins3,
    "routes100k": routes100k,
    "change100k": change100k,
    "rss": rss,
    "body1m": body1m,
    "idle_connection": idle_connection,
}
