#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""UDP through the gateway: socat on both sides, dnsmasq behind it, a flood of sources, peers that are away.

udp_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import os
import socket
import struct
import subprocess
import sys
import threading

from story import check, eventually, put, run

from client import Connection, request_bytes  # behind story, which knows where it is
from gateway import die_with_parent, free_ports  # behind story, which knows where it is


class Socat:
    """Answers each datagram with its own bytes."""

    def __init__(self, address="127.0.0.1", family="UDP4"):
        self.port = free_datagram_ports(1)[0]
        place = f"{family}-RECVFROM:{self.port},bind={address},fork,reuseaddr"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["socat", place, "EXEC:cat"], preexec_fn=die_with_parent, **quiet)
        host = address.strip("[]")
        eventually(lambda: asked(self.port, b"up?", host, 0.3) == b"up?", "socat answers")

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Dnsmasq:
    """A name server that knows one name. It takes its port for TCP as well, where it may be in use."""

    def __init__(self, folder):
        for _ in range(10):
            if self.starts(folder):
                return
        raise AssertionError("dnsmasq does not start")

    def starts(self, folder):
        self.port = free_datagram_ports(1)[0]
        words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
        words += [f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--user="]
        words += ["--address=/known.test/192.0.2.77", f"--pid-file={folder}/dnsmasq.pid"]
        words += ["--txt-record=known.test," + "x" * 250]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, preexec_fn=die_with_parent, **quiet)
        question = query("known.test", 1)
        eventually(
            lambda: self.process.poll() is not None or asked(self.port, question, wait=0.3), "dnsmasq answers"
        )
        return self.process.poll() is None

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def query(name, kind):
    """A question of DNS (RFC 1035) with id 7."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


class Named:
    """Answers with its name and who asked; `silent` when it has to say nothing."""

    def __init__(self, name, silent=False):
        self.name, self.silent, self.got = name, silent, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.ended = False
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()

    def answer(self):
        self.sock.settimeout(0.1)
        while not self.ended:
            try:
                data, source = self.sock.recvfrom(65535)
            except TimeoutError:
                continue
            except OSError:
                return
            self.got.append((data, source))
            if not self.silent:
                self.sock.sendto(self.name.encode() + b":" + data, source)

    def close(self):
        self.ended = True
        self.thread.join(5)
        self.sock.close()


def free_datagram_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def client(port, host="127.0.0.1", source=None):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(10)
    if source:
        sock.bind((source, 0))
    sock.connect((host, port))
    return sock


def asked(port, data, host="127.0.0.1", wait=10, source=None):
    """The answer to one datagram of a client of its own; None when there is none."""
    with client(port, host, source) as sock:
        sock.settimeout(wait)
        try:
            sock.send(data)
            return sock.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def with_route(story, ports, places=None, workers=2, config=None, **upstream):
    """A gateway with a UDP port that leads to the ports."""
    (own,) = free_datagram_ports(1)
    listen = [place.format(own) for place in places or ["127.0.0.1:{}"]]
    settings = {"proxy_mode": "http&stream", "stream_proxy": {"udp": listen}}
    gateway = story.gateway({"apisix": settings, **(config or {})}, workers)
    gateway.own = own
    route(gateway, ports, **upstream)
    return gateway


def route(gateway, ports, more=None, **upstream):
    nodes = {f"127.0.0.1:{port}": 1 for port in ports}
    value = {"upstream": {"type": "roundrobin", "scheme": "udp", "nodes": nodes, **upstream}, **(more or {})}
    put(gateway, "stream_routes/1?wait=applied", value)


def log_has(gateway, text):
    eventually(lambda: text in gateway.log() + gateway.output(), f"the log says: {text}")


def test_socat_on_both_sides(story):
    socat = story.add(Socat())
    gateway = with_route(story, [socat.port])
    for text in ("hello", "again"):
        words = ["socat", "-t", "5", "-", f"UDP4:127.0.0.1:{gateway.own}"]
        told = subprocess.run(words, input=text.encode(), capture_output=True, timeout=30, check=False)
        check(told.stdout == text.encode(), f"socat: {told}")


def test_datagrams_stay_what_they_are(story):
    named = story.add(Named("a"))
    gateway = with_route(story, [named.port])
    with client(gateway.own) as sock:
        for data in (b"", b"x", b"\0" * 1400, bytes(range(256)) * 200):
            sock.send(data)
            check(sock.recv(65535) == b"a:" + data, f"a datagram of {len(data)} bytes")
    check(len({source for _, source in named.got}) == 1, "a session has several sockets")


def test_each_client_has_its_session(story):
    a, b = story.add(Named("a")), story.add(Named("b"))
    gateway = with_route(story, [a.port, b.port])
    seen = set()
    for _ in range(40):
        with client(gateway.own) as sock:
            answers = set()
            for number in range(3):
                sock.send(str(number).encode())
                answers.add(sock.recv(100)[:1])
            check(len(answers) == 1, f"a session went to {answers}")
            seen |= answers
    check(seen == {b"a", b"b"}, f"the peers were {seen}")


def test_answers_come_from_where_the_client_wrote_to(story):
    named = story.add(Named("a"))
    gateway = with_route(story, [named.port], ["0.0.0.0:{}", "[::]:{}"])
    for host in ("127.0.0.1", "127.0.0.9", "::1"):  # a connected socket takes answers from there alone
        check(asked(gateway.own, b"x", host) == b"a:x", f"no answer from {host}")


def test_chash_by_address(story):
    names = [story.add(Named(name)) for name in "abc"]
    gateway = with_route(story, [one.port for one in names], type="chash", hash_on="vars", key="remote_addr")
    found = {}
    for source in [f"127.0.0.{last}" for last in range(10, 40)] * 2:
        answer = asked(gateway.own, b"x", source=source)
        check(found.setdefault(source, answer) == answer, f"{source} came to several peers")
    check(len(set(found.values())) == 3, f"the peers were {set(found.values())}")


def test_a_peer_that_is_away_is_left(story):
    (gone,) = free_datagram_ports(1)
    named = story.add(Named("a"))
    gateway = with_route(story, [gone, named.port], workers=1)
    log_port = f"127.0.0.1:{gone}"
    for _ in range(10):
        with client(gateway.own) as sock:
            sock.settimeout(1)
            answered = False
            for _ in range(5):  # what is lost is sent again, as UDP's clients do
                sock.send(b"x")
                try:
                    answered = sock.recv(100) == b"a:x"
                except TimeoutError:
                    continue
                break
            check(answered, "no peer was found")
    log_has(gateway, log_port)


def test_a_session_ends_when_it_is_silent(story):
    named = story.add(Named("a"))
    short = {"connect": 1, "send": 1, "read": 0.3}
    gateway = with_route(story, [named.port], timeout=short)
    with client(gateway.own) as sock:
        for _ in range(2):
            sock.send(b"x")
            check(sock.recv(100) == b"a:x", "an answer")
            threading.Event().wait(1.5)  # longer than the session lives
    check(len({source for _, source in named.got}) == 2, "the session did not end")


def test_no_route_and_no_upstream(story):
    named = story.add(Named("a"))
    gateway = with_route(story, [named.port])
    route(gateway, [named.port], {"remote_addr": "192.0.2.0/24"})
    check(asked(gateway.own, b"x", wait=0.5) is None, "a client without a route was answered")
    log_has(gateway, "no stream route takes it")
    check(not named.got, "the peer was asked")


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.serving()}/fd"))


def test_a_flood_of_sources_is_bounded(story):
    silent, named = story.add(Named("s", silent=True)), story.add(Named("a"))
    gateway = with_route(story, [silent.port], workers=1)
    full = "silent sessions were closed for others"
    for second in range(1, 30):
        for number in range(1000):
            with client(gateway.own, source=f"127.{second}.{number // 200}.{1 + number % 200}") as sock:
                sock.send(b"flood")  # more than the socket's queue takes
        if full in gateway.log() + gateway.output():
            break
    log_has(gateway, full)
    check(descriptors(gateway) < 4096 + 200, f"{descriptors(gateway)} descriptors are open")
    route(gateway, [named.port])
    check(asked(gateway.own, b"x") == b"a:x", "an honest client afterwards")


def test_an_edit_leaves_sessions_alone(story):
    a, b = story.add(Named("a")), story.add(Named("b"))
    gateway = with_route(story, [a.port])
    with client(gateway.own) as sock:
        sock.send(b"1")
        check(sock.recv(100) == b"a:1", "the first peer")
        route(gateway, [b.port])
        sock.send(b"2")
        check(sock.recv(100) == b"a:2", "a session changed its peer")
    check(asked(gateway.own, b"3") == b"b:3", "new clients go where the edit says")


def test_names_are_asked_of_dnsmasq(story):
    server = story.add(Dnsmasq(story.folder))
    gateway = with_route(story, [server.port])
    direct, through = (asked(port, query("known.test", 1)) for port in (server.port, gateway.own))
    check(through == direct and socket.inet_aton("192.0.2.77") in through, f"told {through}")
    with client(gateway.own) as sock:  # many questions of one client, its answers in any order
        for number in range(50):
            sock.send(struct.pack("!H", number) + query("known.test", 16)[2:])
        told = {sock.recv(4096)[:2] for _ in range(50)}
    check(len(told) == 50, f"{len(told)} of 50 questions were answered")


def test_sessions_are_logged_and_counted(story):
    named = story.add(Named("a"))
    form = "<$protocol $status in=$bytes_received out=$bytes_sent up=$upstream_addr $upstream_bytes_received>"
    stream = {"enable_access_log": True, "access_log": "logs/s.log", "access_log_format": form}
    short = {"connect": 1, "send": 1, "read": 0.3}
    config = {"nginx_config": {"worker_processes": 1, "stream": stream}}
    gateway = with_route(story, [named.port], config=config, timeout=short)
    plugins = {"prometheus": {}}
    route(gateway, [named.port], {"plugins": plugins}, timeout=short)
    check(asked(gateway.own, b"1234") == b"a:1234", "an answer")
    line = f"<UDP 200 in=4 out=6 up=127.0.0.1:{named.port} 6>"
    eventually(lambda: line in gateway.log("s.log"), f"the access log has {line}")
    address = gateway.address("metrics")
    wire = request_bytes("GET", "/apisix/prometheus/metrics", [("Connection", "close")])

    def counted():
        told = Connection(address).exchange("GET", wire).body
        return b'apisix_stream_connection_total{route="1"} 1\n' in told

    eventually(counted, "the session is counted")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["socat", "dnsmasq"]))
