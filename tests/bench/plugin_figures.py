# SPDX-License-Identifier: Apache-2.0
"""What each plugin costs a request; proxy-cache and gzip next to nginx."""

import base64
import hashlib
import hmac
import json
import re
import shutil
import statistics
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

import contestants
import measure
from contestants import TOP, Configured, Sluice, Upstream, free_ports, load
from figures import figure
from identity import CLIENT, Provider, log_in, token

KEYED = 100000
GOALS = {
    "plugin.key-auth.user_us": 0.3,
    "plugin.ip-restriction.user_us": 0.3,
    "plugin.cors.user_us": 0.3,
    "plugin.redirect.user_us": 0.3,
    "plugin.uri-blocker.user_us": 0.3,
    "plugin.limit-count.user_us": 0.3,
    "plugin.basic-auth.user_us": 1.0,
    "plugin.jwt-auth.user_us": 1.0,
    "plugin.hmac-auth.user_us": 5.0,
    "plugin.100k_consumers.user_us": 0.2,
    "cache.user_ratio_nginx": 0.5,
    "cache.total_ratio_nginx": 0.9,
    "gzip.total_ratio_nginx": 1.05,
}
SECRET = "a-secret-of-the-bench-of-32-bytes"


def hmac_headers(target):
    date = formatdate(time.time(), usegmt=True)
    text = f"joe\nGET {target}\ndate: {date}\n"
    signature = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
    told = 'Signature keyId="joe",algorithm="hmac-sha256",headers="@request-target date"'
    told += f',signature="{signature}"'
    return [f"Date: {date}", f"Authorization: {told}"]


CONSUMER = {
    "key-auth": {"key": "joe-key"},
    "basic-auth": {"username": "joe", "password": "secret"},
    "jwt-auth": {"key": "joe", "secret": SECRET},
    "hmac-auth": {"key_id": "joe", "secret_key": SECRET},
    "wolf-rbac": {"appid": "bench", "server": "@SERVICE@"},
}
NETWORKS = [f"10.{i // 256}.{i % 256}.0/24" for i in range(9999)] + ["127.0.0.1"]
# A config that lets the bench's request through, and the fields the request needs.
PLUGINS = {
    "key-auth": ({}, ["apikey: joe-key"]),
    "basic-auth": ({}, ["Authorization: Basic am9lOnNlY3JldA=="]),
    "jwt-auth": ({}, [f"Authorization: {token({'key': 'joe', 'exp': 4000000000}, SECRET)}"]),
    "hmac-auth": ({"clock_skew": 100000}, None),
    "ip-restriction": ({"whitelist": NETWORKS}, []),
    "cors": ({}, ["Origin: https://a.test"]),
    "redirect": ({"uri": "/elsewhere", "ret_code": 302}, []),
    "uri-blocker": ({"block_rules": [f"bad{i}/.*[.]php" for i in range(50)]}, []),
    "limit-count": ({"count": 2000000000, "time_window": 3600}, []),
    "limit-req": ({"rate": 1000000, "burst": 1000000, "key": "remote_addr"}, []),
    "limit-conn": ({"conn": 10000, "burst": 10000, "default_conn_delay": 0.1, "key": "remote_addr"}, []),
    "api-breaker": ({"break_response_code": 502}, []),
    "consumer-restriction": ({"blacklist": ["nobody"], "type": "route_id"}, []),
    "referer-restriction": ({"blacklist": ["a.test", "*.b.test"]}, []),
    "ua-restriction": ({"denylist": ["curl/.*", "bot"]}, []),
    "request-validation": ({"header_schema": {"type": "object", "required": ["host"]}}, []),
    "real-ip": ({"source": "http_x_real_ip", "trusted_addresses": ["127.0.0.1"]}, ["X-Real-IP: 10.1.2.3"]),
    "client-control": ({"max_body_size": 1000}, []),
    "request-id": ({}, []),
    "fault-injection": ({"abort": {"http_status": 500, "percentage": 0}}, []),
    "mocking": ({"response_example": "hello", "content_type": "text/plain"}, []),
    "traffic-split": ({"rules": [{"weighted_upstreams": [{"weight": 1}, {"weight": 1}]}]}, []),
    "proxy-rewrite": ({"headers": {"set": {"X-Bench": "$remote_addr"}}}, []),
    "response-rewrite": ({"headers": {"set": {"X-Bench": "$remote_addr"}}}, []),
    "echo": ({"before_body": "a", "body": "b", "after_body": "c"}, []),
    "prometheus": ({}, []),
    "proxy-cache": ({"cache_strategy": "memory", "cache_zone": "memory_cache"}, []),
    "gzip": ({"types": "*", "min_length": 1, "comp_level": 1}, ["Accept-Encoding: gzip"]),
    "brotli": ({"types": "*", "min_length": 1, "comp_level": 1}, ["Accept-Encoding: br"]),
    "openid-connect": ({**CLIENT, "discovery": "@PROVIDER@/.well-known/openid-configuration",
                        "session": {"secret": SECRET}, "set_userinfo_header": False}, None),
    "forward-auth": ({"uri": "@SERVICE@/auth"}, []),
    "wolf-rbac": ({}, ["x-rbac-token: V1#bench#t"]),
    "authz-keycloak": ({"token_endpoint": "@SERVICE@/token", "client_id": "c", "permissions": ["a"]},
                       ["Authorization: Bearer t"]),
    "proxy-mirror": ({"host": "@SERVICE@"}, []),
    "http-logger": ({"uri": "@SERVICE@/log"}, []),
    "public-api": ({"uri": "/apisix/batch-requests"}, []),  # the endpoint refuses, so it is the way there
    "batch-requests": ({}, []),  # one request in a batch
}
# What else a row's request and route have.
REQUESTS = {
    "public-api": {"method": "POST", "body": "{}"},
    "batch-requests": {"method": "POST", "body": '{"pipeline": [{"path": "/plain"}]}'},
}
BESIDE = {"batch-requests": {"public-api": {"uri": "/apisix/batch-requests"}}}


def path_of(name):
    return f"/p/{name}"


def bare_path(name):
    """A path as long, on the route without plugins."""
    return f"/q/{name}"


def fields_of(name, port):
    if name == "openid-connect":
        return ["Cookie: " + log_in(port, path_of(name))]
    return hmac_headers(path_of(name)) if name == "hmac-auth" else PLUGINS[name][1]


class Services:
    """Whom plugins ask: a gateway that answers what a wolf server would, and an OpenID provider."""

    def __init__(self):
        self.provider, self.gateway = Provider(), Sluice(None, pin=False)
        user = {"ok": True, "data": {"userInfo": {"id": 1, "username": "joe", "nickname": "Joe"}}}
        plugins = {"mocking": {"response_example": json.dumps(user)}}
        self.gateway.put("routes/1", {"uri": "/*", "plugins": plugins})
        self.names = {"@PROVIDER@": self.provider.issuer}
        self.names["@SERVICE@"] = f"http://127.0.0.1:{self.gateway.port}"

    def told(self, value):
        """The config with the addresses it names."""
        text = json.dumps(value)
        for name, address in self.names.items():
            text = text.replace(name, address)
        return json.loads(text)

    def stop(self):
        self.gateway.stop()
        self.provider.stop()


def rows(bench):
    """The plugins to measure: all, or those that are named."""
    unknown = set(bench.plugins) - set(PLUGINS)
    if unknown:
        raise SystemExit(f"bench: no row is of {', '.join(unknown)}; there are {', '.join(PLUGINS)}")
    return [name for name in PLUGINS if not bench.plugins or name in bench.plugins]


def set_up(sluice, services, names):
    """A consumer, a route for each of the names, and one without plugins for the same requests."""
    sluice.put("consumers/joe", {"username": "joe", "plugins": services.told(CONSUMER)})
    sluice.put("routes/plain", {"uri": "/plain", "upstream_id": "1"})
    sluice.put("routes/bare", {"uri": "/q/*", "upstream_id": "1"})
    for name in names:
        made = services.told({name: PLUGINS[name][0], **BESIDE.get(name, {})})
        sluice.put(f"routes/{name}", {"uri": path_of(name) + "*", "upstream_id": "1", "plugins": made})


def cost(contestant, seconds, target, header, **more):
    """(user µs, total µs) a request, whatever is answered; all answers are of one kind."""
    before = measure.cpu(contestant.process.pid)
    told = load(contestant.port, connections=64, seconds=seconds, target=target, header=header, **more)
    used = measure.cpu(contestant.process.pid) - before
    bad = set(told["statuses"]) & {"401", "403", "404", "500", "502", "503"}
    if told["errors"] or len(told["statuses"]) != 1 or bad:
        raise SystemExit(f"bench: {contestant.name} answered {target} with {told['statuses']}")
    return used.user_ns() / told["requests"] / 1e3, used.total / told["requests"] / 1e3


def many_consumers(bench, sluice, seconds, few):
    """What key-auth costs among so many consumers, over what it cost among few."""
    key = '{"username": "c{i}", "plugins": {"key-auth": {"key": "key-{i}"}}}'
    sluice.put_many(KEYED, "/apisix/admin/consumers/c{i}", key)
    added = []
    for number in range(bench.rounds):
        user, bare = with_and_without(sluice, seconds, "key-auth")
        added.append(user - bare - few[number])
    return added


def with_and_without(sluice, seconds, name):
    """User µs of one request at the route with the plugin, and at the one without."""
    fields = fields_of(name, sluice.port)
    before, _ = cost(sluice, seconds / 2, bare_path(name), fields)
    user, _ = cost(sluice, seconds, path_of(name), fields, **REQUESTS.get(name, {}))
    after, _ = cost(sluice, seconds / 2, bare_path(name), fields)  # the machine does not stand still
    return user, (before + after) / 2


def plugins(bench):
    """User CPU a request that each plugin adds, over the same request at a route without plugins."""
    upstream, services = Upstream(), Services()
    sluice = Sluice(upstream.port)
    names = rows(bench)
    seconds = 2 if bench.quick else 4
    added = {name: [] for name in names}
    try:
        set_up(sluice, services, names)
        for number in range(bench.rounds):
            for name in names:
                user, bare = with_and_without(sluice, seconds, name)
                added[name].append(user - bare)
                told = f"{user - bare:6.2f} µs user over {bare:.2f}"
                print(f"   round {number + 1} {name:22} {told}", flush=True)
        if "key-auth" in names:
            added["100k_consumers"] = many_consumers(bench, sluice, seconds, added["key-auth"])
    finally:
        for one in (sluice, services, upstream):
            one.stop()
    return [figure(f"plugin.{name}.user_us", "µs", values) for name, values in added.items()]


def counted(name, path, requests):
    """Instructions of a gateway's whole life in which so many of a row's requests came to `path`."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-callgrind-"))
    binary = folder / "sluice"
    tool = f"valgrind -q --tool=callgrind --callgrind-out-file={folder}/out.%p"
    binary.write_text(f'#!/bin/sh\nexec {tool} {contestants.BINARY} "$@"\n')
    binary.chmod(0o755)
    upstream, services = Upstream(), Services()
    native, contestants.BINARY = contestants.BINARY, str(binary)
    try:
        sluice = Sluice(upstream.port)
    finally:
        contestants.BINARY = native
    try:
        set_up(sluice, services, [name])
        order = {"order": "sequence", "requests": requests, "count": requests}
        more = REQUESTS.get(name, {}) if path == path_of(name) else {}
        load(sluice.port, connections=1, target=path, header=fields_of(name, sluice.port), **order, **more)
    finally:
        for one in (sluice, services, upstream):
            one.stop()
    written = "".join(path.read_text() for path in folder.glob("out.*"))
    shutil.rmtree(folder, ignore_errors=True)
    return sum(int(total) for total in re.findall(r"^totals: (\d+)", written, re.M))


def instructions(bench):
    """Instructions a request that each plugin adds, by callgrind: no noise touches them."""
    few, many = 200, 1200
    results = []
    for name in rows(bench):
        ways = path_of(name), bare_path(name)
        user, bare = ((counted(name, path, many) - counted(name, path, few)) / (many - few) for path in ways)
        print(f"   {name:22} {user - bare:9.0f} instructions over {bare:.0f}", flush=True)
        results.append(figure(f"plugin.{name}.instructions", "", [user - bare]))
    return results


def beside_nginx(bench, sluice, nginx, target, header):
    """[(user, total)] of both, round by round."""
    told = {sluice.name: [], nginx.name: []}
    for number in range(bench.rounds + 1):
        for one in (sluice, nginx):
            value = cost(one, 1 if bench.quick else 8, target, header)
            if number > 0:  # the first only warms up
                told[one.name].append(value)
                costs = f"{value[1]:8.2f} µs CPU ({value[0]:.2f} user)"
                print(f"   round {number} {one.name:8} {costs}", flush=True)
    return told[sluice.name], told[nginx.name]


def compared(name, ours, theirs, scale=1.0, unit="µs"):
    results = []
    for at, part in ((0, "user"), (1, "total")):
        mine, nginx = [one[at] * scale for one in ours], [one[at] * scale for one in theirs]
        ratios = [one / other for one, other in zip(mine, nginx)]
        results.append(figure(f"{name}.{part}_ratio_nginx", "ratio", ratios, {"nginx": 1.0}))
        results.append(figure(f"{name}.{part}_us", unit, mine, {"nginx": statistics.median(nginx)}))
    return results


def cache(bench):
    """Answers of 1 KiB out of the cache, in memory here, by nginx out of files that stay open."""
    upstream = Upstream(1024)
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-cache-"))
    folder.chmod(0o777)
    sluice = Sluice(upstream.port)
    http = f"""proxy_cache_path {folder} levels=1:2 keys_zone=one:50m inactive=1d max_size=1g;
  open_file_cache max=1000 inactive=60s; sendfile on;"""
    more = "proxy_cache one; proxy_cache_valid 200 1d; add_header Apisix-Cache-Status $upstream_cache_status;"
    nginx = Configured("nginx", upstream.port, more, http=http)
    try:
        made = {"cache_strategy": "memory", "cache_zone": "memory_cache", "cache_ttl": 86400}
        sluice.put("routes/1", {"uri": "/*", "upstream_id": "1", "plugins": {"proxy-cache": made}})
        ours, theirs = beside_nginx(bench, sluice, nginx, "/kept", [])
    finally:
        for one in (sluice, nginx, upstream):
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return compared("cache", ours, theirs)


def gzip(bench):
    """A text of 256 KiB at level 1, compressed for each request."""
    size = 256 << 10
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-gzip-"))
    folder.chmod(0o755)
    text = "".join(path.read_text() for path in sorted((TOP / "docs").rglob("*.md")))
    (folder / "text.html").write_bytes((text.encode() * 8)[:size])
    (port,) = free_ports(1)
    source = Configured("nginx", port, passes=f"root {folder}")
    more = "gzip on; gzip_comp_level 1; gzip_proxied any;"
    nginx = Configured("nginx", source.port, more, http="types { text/html html; }")
    sluice = Sluice(source.port)
    try:
        made = {"comp_level": 1, "types": "*"}
        sluice.put("routes/1", {"uri": "/*", "upstream_id": "1", "plugins": {"gzip": made}})
        ours, theirs = beside_nginx(bench, sluice, nginx, "/text.html", ["Accept-Encoding: gzip"])
    finally:
        for one in (sluice, nginx, source):
            one.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return compared("gzip", ours, theirs, (1 << 20) / size, "µs/MB")


ALL = {"plugins": plugins, "instructions": instructions, "cache": cache, "gzip": gzip}
