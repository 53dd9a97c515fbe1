# SPDX-License-Identifier: Apache-2.0
"""Figures of TLS and HTTP/2, next to nginx: h2load and openssl s_time load, the proxy's CPU counts."""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from contestants import LOAD_CORE, TOP, Configured, Sluice, Upstream, free_ports, pinned
from figures import figure

sys.path.insert(0, str(TOP / "tests/peers"))
from papers import Authority

GOALS = {"https.total_ratio_nginx": 0.9, "handshake.total_ratio_nginx": 0.95, "http2.total_ratio_nginx": 1.0}
HOST = "bench.test"


def loaded(command):
    done = subprocess.run([*pinned(LOAD_CORE), *command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def h2load(port, *words):
    """How many requests were answered; every one must be."""
    told = loaded(["h2load", *words, f"https://127.0.0.1:{port}/"])
    found = re.search(r"(\d+) total, \d+ started, \d+ done, (\d+) succeeded", told)
    if not found or found[1] != found[2]:
        raise SystemExit(f"bench: h2load failed: {told[-2000:]}")
    return int(found[2])


def handshakes(port, seconds):
    """How many full handshakes one client made, one after the other."""
    told = loaded(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)])
    found = re.search(r"(\d+) connections in \d+ real seconds", told)
    if not found:
        raise SystemExit(f"bench: s_time failed: {told[-2000:]}")
    return int(found[1])


class Contestants:
    """Sluice and nginx with the same ECDSA certificate, sessions kept by the server on both sides."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-bench-tls-"))
        pair = Authority(self.folder).signed("bench", [HOST])
        self.upstream = Upstream()
        self.sluice = Sluice(self.upstream.port, over={"apisix": {"ssl": {"fallback_sni": HOST}}})
        self.sluice.put("routes/1", {"uri": "/*", "upstream_id": "1"})
        self.sluice.put("ssls/1", {"cert": pair.pem, "key": pair.key_pem, "snis": [HOST]})
        (port,) = free_ports(1)
        self.nginx = Configured("nginx", self.upstream.port, tls_lines(port, pair))
        self.ports = {self.sluice: self.sluice.gateway.ports["tls"], self.nginx: port}

    def stop(self):
        for one in (self.sluice, self.nginx, self.upstream):
            one.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def us(self, contestant, work):
        """CPU of the proxy for each of what `work` counts."""
        before = measure.cpu(contestant.process.pid)
        count = work(self.ports[contestant])
        return (measure.cpu(contestant.process.pid) - before).total / count / 1e3


def tls_lines(port, pair):
    return f"""listen 127.0.0.1:{port} ssl http2 backlog=4096;
    ssl_certificate {pair.certificate};
    ssl_certificate_key {pair.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:20m;
    ssl_session_tickets off;"""


def tls(bench):
    """HTTPS keep-alive, HTTP/2 with 4 connections of 32 streams, and full TLS 1.3 handshakes."""
    requests = "20000" if bench.quick else "200000"
    seconds = 3 if bench.quick else 12
    works = {
        "https": lambda port: h2load(port, "--h1", "-n", requests, "-c", "64"),
        "http2": lambda port: h2load(port, "-n", requests, "-c", "4", "-m", "32"),
        "handshake": lambda port: handshakes(port, seconds),
    }
    contestants = Contestants()
    told = {name: ([], []) for name in works}
    try:
        for number in range(bench.rounds):
            for name, work in works.items():
                pair = [contestants.us(one, work) for one in (contestants.sluice, contestants.nginx)]
                for values, value in zip(told[name], pair):
                    values.append(value)
                costs = f"{pair[0]:8.2f} µs CPU, nginx {pair[1]:8.2f}"
                print(f"   round {number + 1} {name:12} {costs}", flush=True)
    finally:
        contestants.stop()
    results = []
    for name, (ours, theirs) in told.items():
        ratios = [one / other for one, other in zip(ours, theirs)]
        results.append(figure(f"{name}.total_ratio_nginx", "ratio", ratios, {"nginx": 1.0}))
        results.append(figure(f"{name}.total_us", "µs", ours, {"nginx": statistics.median(theirs)}))
    return results


ALL = {"tls": tls}
