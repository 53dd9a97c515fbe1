#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits counted in a real Redis: one server, with password and TLS, one that sentinels name, a cluster.

redis_peer.py [--binary PATH] [NAME...]: the tests whose name has one of the words. Ends with `N passed,
N failed`; exit code 77 when Redis is not installed.
"""

import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from story import accepts, check, eventually, put, run

from client import Connection, request_bytes
from etcd_cluster import Certificates
from gateway import die_with_parent, free_ports

COUNT = {"count": 3, "time_window": 600, "rejected_code": 429, "policy": "redis"}


class Redis:
    """One redis-server (or sentinel) on a free port of 127.0.0.1."""

    def __init__(self, *words, sentinel=False, tls=None):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_ports(1)[0]
        self.tls = tls
        self.words = list(map(str, words))
        self.sentinel = sentinel
        self.process = None
        self.start()

    def command(self):
        ports = ["--port", self.port] if not self.tls else ["--port", 0, "--tls-port", self.port]
        if self.tls:
            certificate, key = self.tls.server
            ports += ["--tls-cert-file", certificate, "--tls-key-file", key]
            ports += ["--tls-ca-cert-file", self.tls.authority, "--tls-auth-clients", "no"]
        own = ["--bind", "127.0.0.1", "--dir", self.folder.name, "--save", "", "--daemonize", "no"]
        if not self.sentinel:
            return ["redis-server", *map(str, ports + own), *self.words]
        file = Path(self.folder.name) / "sentinel.conf"
        if not file.exists():
            file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder.name}\n" + self.words[0])
        return ["redis-server", str(file), "--sentinel"]

    def start(self):
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent
        )
        eventually(self.listens, "redis-server does not start")

    def listens(self):
        return accepts("127.0.0.1", self.port)

    def ask(self, *words):
        """Inline commands are enough here: no argument has a blank in it."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall((" ".join(map(str, words)) + "\r\n").encode())
            return sock.recv(65536).decode()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.folder.cleanup()


def get(node, path):
    wire = request_bytes("GET", path, [("Connection", "close")])
    return Connection(node.address("data")).exchange("GET", wire)


def statuses(node, path, times):
    return [get(node, path).status for _ in range(times)]


def route(story, node, number, uri, plugins):
    upstream = story.upstream(kind="reply", status=200, body=b"hello", headers=[])
    value = {"uri": uri, "upstream": {"nodes": {upstream.address: 1}}, "plugins": plugins}
    put(node, f"routes/{number}?wait=applied", value)


def at(server, **more):
    return {**COUNT, "redis_host": "127.0.0.1", "redis_port": server.port, **more}


def test_a_limit_is_shared_by_gateways(story):
    redis = story.add(Redis())
    first, second = story.gateway(), story.gateway()
    for node in (first, second):
        route(story, node, 1, "/a", {"limit-count": at(redis)})
    check(statuses(first, "/a", 2) == [200, 200], "two are let through")
    check(statuses(second, "/a", 2) == [200, 429], "the third elsewhere, and no more")
    answer = get(first, "/a")
    check(answer.status == 429 and answer.all("X-RateLimit-Remaining") == ["0"], answer.brief())


def test_windows_slide_and_buckets_leak(story):
    redis = story.add(Redis())
    node = story.gateway()
    route(story, node, 1, "/slide", {"limit-count": at(redis, window_type="sliding")})
    bucket = {"rate": 0.01, "burst": 1, "key": "remote_addr", "nodelay": True, "policy": "redis"}
    bucket |= {"redis_host": "127.0.0.1", "redis_port": redis.port, "rejected_code": 429}
    route(story, node, 2, "/leak", {"limit-req": bucket})
    check(statuses(node, "/slide", 4) == [200, 200, 200, 429], "the window takes three")
    check(statuses(node, "/leak", 3) == [200, 200, 429], "the bucket holds one beside the one that leaks")


def test_what_is_under_way_is_let_go(story):
    redis = story.add(Redis())
    node = story.gateway()
    limit = {"conn": 1, "burst": 0, "default_conn_delay": 0.1, "key": "remote_addr", "policy": "redis"}
    limit |= {"redis_host": "127.0.0.1", "redis_port": redis.port, "rejected_code": 429}
    route(story, node, 1, "/a", {"limit-conn": limit})
    for _ in range(20):
        eventually(lambda: get(node, "/a").status == 200, "a request is not let go")
    eventually(lambda: redis.ask("KEYS", "limit-conn*").startswith("*0"), redis.ask("KEYS", "*"))


def test_exact_under_many_clients(story):
    redis = story.add(Redis())
    nodes = [story.gateway(), story.gateway()]
    for node in nodes:
        route(story, node, 1, "/a", {"limit-count": at(redis, count=100)})
    found = []

    def client(node):
        found.extend(statuses(node, "/a", 40))

    clients = [threading.Thread(target=client, args=(node,)) for node in nodes * 3]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    check(found.count(200) == 100, f"{found.count(200)} of {len(found)} passed")


def test_password_database_and_tls(story):
    with tempfile.TemporaryDirectory() as folder:
        papers = Certificates(folder)
        redis = story.add(Redis("--requirepass", "s3cret", tls=papers))
        node = story.gateway()
        good = at(redis, redis_password="s3cret", redis_database=3, redis_ssl=True)
        route(story, node, 1, "/a", {"limit-count": good})
        check(statuses(node, "/a", 4) == [200, 200, 200, 429], "counted over TLS")
        route(story, node, 2, "/b", {"limit-count": {**good, "redis_password": "wrong"}})
        check(get(node, "/b").status == 500, "a wrong password counts nothing")
        route(story, node, 3, "/c", {"limit-count": {**good, "redis_ssl_verify": True}})
        check(get(node, "/c").status == 500, "nobody vouches for the certificate")


def test_users_of_redis_and_of_sentinels(story):
    user = ["--user", "gate", "on", ">s3cret", "~*", "&*", "+@all"]
    redis = story.add(Redis(*user))
    node = story.gateway()
    named = {"redis_username": "gate", "redis_password": "s3cret"}
    kept = {"redis_keepalive_timeout": 1000, "redis_keepalive_pool": 1}
    for number, (name, config) in enumerate(limits(redis, **named, **kept).items()):
        route(story, node, number, f"/{name}", {name: config})
        check(get(node, f"/{name}").status == 200, f"{name} counts as a user")
    route(story, node, 8, "/wrong", {"limit-count": at(redis, **{**named, "redis_password": "x"})})
    check(get(node, "/wrong").status == 500, "a wrong password counts nothing")
    text = f"sentinel monitor m 127.0.0.1 {redis.port} 1\nsentinel auth-user m gate\n"
    text += "sentinel auth-pass m s3cret\nuser watch on >w4tch ~* &* +@all\n"
    sentinel = story.add(Redis(text, sentinel=True))
    limit = {**COUNT, "policy": "redis-sentinel", "redis_master_name": "m", **named}
    limit |= {"sentinel_username": "watch", "sentinel_password": "w4tch"}
    limit |= {"redis_sentinels": [{"host": "127.0.0.1", "port": sentinel.port}], "redis_role": "master"}
    limit |= {"redis_connect_timeout": 900, "redis_read_timeout": 900}
    route(story, node, 9, "/sentinel", {"limit-count": limit})
    eventually(lambda: get(node, "/sentinel").status == 200, "counted where the sentinel says")


def test_redis_goes_and_comes_back(story):
    redis = story.add(Redis())
    node = story.gateway()
    route(story, node, 1, "/closed", {"limit-count": at(redis, count=1000)})
    route(story, node, 2, "/open", {"limit-count": at(redis, count=1000, allow_degradation=True)})
    check(get(node, "/closed").status == 200, "counted")
    redis.kill()
    check(get(node, "/closed").status == 500, "not counted, not let through")
    check(get(node, "/open").status == 200, "not counted, let through")
    redis.start()
    eventually(lambda: get(node, "/closed").status == 200, "counts again")


def limits(redis, **more):
    """A limit of each plugin that counts in Redis."""
    where = {"policy": "redis", "redis_host": "127.0.0.1", "redis_port": redis.port, **more}
    key = {"key": "remote_addr", "rejected_code": 429}
    return {
        "limit-count": {"count": 1000, "time_window": 600, **key, **where},
        "limit-req": {"rate": 1000, "burst": 1000, "nodelay": True, **key, **where},
        "limit-conn": {"conn": 100, "burst": 0, "default_conn_delay": 0.1, **key, **where},
    }


def test_every_limit_fails_closed_or_open(story):
    redis = story.add(Redis())
    node = story.gateway()
    for number, (name, config) in enumerate(limits(redis, redis_timeout=300).items()):
        route(story, node, 2 * number, f"/closed/{name}", {name: config})
        route(story, node, 2 * number + 1, f"/open/{name}", {name: {**config, "allow_degradation": True}})

    def answers(status):
        for name in limits(redis):
            answer = get(node, f"/closed/{name}")
            check(answer.status == status, f"{name} closed: {answer.brief()}")
            check(get(node, f"/open/{name}").status == 200, f"{name} open")

    answers(200)
    redis.ask("ACL", "SETUSER", "default", "-@scripting")  # now it answers with an error
    answers(500)
    redis.ask("ACL", "SETUSER", "default", "+@scripting")
    answers(200)
    redis.process.send_signal(signal.SIGSTOP)  # slow without end
    answers(500)
    redis.process.send_signal(signal.SIGCONT)
    for name in limits(redis):
        eventually(lambda name=name: get(node, f"/closed/{name}").status == 200, f"{name} counts again")
    redis.kill()
    answers(500)


def test_a_redis_that_speaks_nonsense_is_an_error(story):
    nonsense = story.upstream(kind="garbage")
    node = story.gateway()
    port = int(nonsense.address.rsplit(":", 1)[1])
    config = {**COUNT, "redis_host": "127.0.0.1", "redis_port": port, "redis_timeout": 500}
    route(story, node, 1, "/closed", {"limit-count": config})
    route(story, node, 2, "/open", {"limit-count": {**config, "allow_degradation": True}})
    check(get(node, "/closed").status == 500, "not counted, not let through")
    check(get(node, "/open").status == 200, "not counted, let through")


def test_a_redis_that_hangs_costs_the_timeout(story):
    redis = story.add(Redis())
    node = story.gateway()
    route(story, node, 1, "/a", {"limit-count": at(redis, redis_timeout=200)})
    redis.process.send_signal(signal.SIGSTOP)
    check(get(node, "/a").status == 500, "not let through")
    redis.process.send_signal(signal.SIGCONT)
    eventually(lambda: get(node, "/a").status == 200, "counts again")


def test_sentinels_name_the_master(story):
    master = story.add(Redis())
    replica = story.add(Redis("--replicaof", "127.0.0.1", master.port))
    text = f"sentinel monitor m 127.0.0.1 {master.port} 1\nsentinel down-after-milliseconds m 500\n"
    sentinel = story.add(Redis(text + "sentinel failover-timeout m 2000\n", sentinel=True))
    eventually(lambda: "slave" in sentinel.ask("SENTINEL", "replicas", "m"), "the replica is not seen")
    node = story.gateway()
    limit = {**COUNT, "count": 100000000, "policy": "redis-sentinel", "redis_master_name": "m"}
    limit["redis_sentinels"] = [{"host": "127.0.0.1", "port": sentinel.port}]
    route(story, node, 1, "/a", {"limit-count": limit})
    check(get(node, "/a").status == 200, "counted at the master")
    asking = [Asking(node, "/a") for _ in range(4)]  # requests are under way when it goes
    master.kill()
    eventually(lambda: get(node, "/a").status == 200, "counted at the new master", 60)
    check("role:master" in replica.ask("INFO", "replication"), "the replica took over")
    for one in asking:
        check(one.end() <= {200, 500} and one.slowest < 10, f"{one.statuses}, {one.slowest:.1f} s")
        check(get(node, "/a").status == 200, "counted")


class Asking(threading.Thread):
    """Asks again and again until it is told to end."""

    def __init__(self, node, path):
        super().__init__(daemon=True)
        self.node, self.path = node, path
        self.ending, self.statuses, self.slowest = threading.Event(), set(), 0.0
        self.start()

    def run(self):
        while not self.ending.is_set():
            began = time.monotonic()
            self.statuses.add(get(self.node, self.path).status)
            self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self):
        self.ending.set()
        self.join()
        return self.statuses


def serves_all_slots(node):
    told = node.ask("CLUSTER", "INFO")
    return "cluster_state:ok" in told and "cluster_slots_ok:16384" in told


def test_a_cluster_is_asked_where_the_key_is(story):
    words = [("--cluster-enabled", "yes", "--cluster-port", port) for port in free_ports(3)]
    nodes = [story.add(Redis(*one)) for one in words]
    addresses = [f"127.0.0.1:{node.port}" for node in nodes]
    create = ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"]
    subprocess.run(create, check=True, capture_output=True, timeout=60)
    for node in nodes:
        eventually(lambda: serves_all_slots(node), "the cluster does not form")
    gateway = story.gateway()
    limit = {**COUNT, "policy": "redis-cluster", "redis_cluster_name": "c", "key": "arg_k"}
    limit["redis_cluster_nodes"] = addresses[:1]
    route(story, gateway, 1, "/a", {"limit-count": limit})
    for key in range(12):
        check(statuses(gateway, f"/a?k={key}", 4) == [200, 200, 200, 429], f"key {key}")


def test_a_cluster_over_tls(story):
    with tempfile.TemporaryDirectory() as folder:
        papers = Certificates(folder)
        words = [("--cluster-enabled", "yes", "--cluster-port", port) for port in free_ports(3)]
        words = [(*one, "--tls-cluster", "yes", "--requirepass", "s3cret") for one in words]
        nodes = [story.add(Redis(*one, tls=papers)) for one in words]
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        access = ["redis-cli", "--tls", "--cacert", papers.authority, "-a", "s3cret", "--no-auth-warning"]
        create = [*access, "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(list(map(str, create)), check=True, capture_output=True, timeout=60)
        gateway = story.gateway()
        limit = {**COUNT, "policy": "redis-cluster", "redis_cluster_name": "c", "key": "arg_k"}
        limit.update(redis_cluster_nodes=addresses[:1], redis_password="s3cret", redis_cluster_ssl=True)
        route(story, gateway, 1, "/a", {"limit-count": limit})
        eventually(lambda: get(gateway, "/a?k=warm").status == 200, "the cluster does not serve")
        for key in range(6):
            check(statuses(gateway, f"/a?k={key}", 4) == [200, 200, 200, 429], f"key {key}")
        verified = {**limit, "redis_cluster_ssl_verify": True}
        route(story, gateway, 2, "/b", {"limit-count": verified})
        check(get(gateway, "/b?k=1").status == 500, "nobody vouches for the certificates")
        route(story, gateway, 3, "/c", {"limit-count": {**limit, "redis_password": "wrong"}})
        check(get(gateway, "/c?k=1").status == 500, "a wrong password counts nothing")


def test_a_cluster_that_is_down_for_a_moment_is_waited_for(story):
    node = story.add(Redis("--cluster-enabled", "yes", "--cluster-port", free_ports(1)[0]))
    node.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    eventually(lambda: serves_all_slots(node), "the cluster does not form")
    gateway = story.gateway()
    limit = {**COUNT, "policy": "redis-cluster", "redis_cluster_name": "c", "redis_timeout": 10000}
    limit["redis_cluster_nodes"] = [f"127.0.0.1:{node.port}"]
    route(story, gateway, 1, "/a", {"limit-count": limit})
    check(statuses(gateway, "/a", 1) == [200], "a cluster that is well")
    node.ask("CLUSTER", "DELSLOTS", "1")
    eventually(lambda: not serves_all_slots(node), "the cluster does not go down")
    healing = threading.Timer(0.3, node.ask, ["CLUSTER", "ADDSLOTS", "1"])
    healing.start()
    check(statuses(gateway, "/a", 3) == [200, 200, 429], "a cluster that is down for a moment")
    healing.join()


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["redis-server", "redis-cli", "openssl"]))
