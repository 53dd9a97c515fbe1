#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams: socat and openssl s_client through stream routes to socat, haproxy and a TLS server.

stream_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading

from papers import Authority
from story import accepts, check, delete, eventually, put, run

# story has put the scenarios' modules on the path
from client import Connection, request_bytes
from gateway import free_ports

BIG = 64 << 20
SECONDS = 60
MODE = {"apisix": {"proxy_mode": "http&stream"}}


class Program:
    """A server on a port of its own, for as long as the test."""

    def __init__(self, *command):
        (self.port,) = free_ports(1)
        self.started()
        words = [str(word).replace("PORT", str(self.port)) for word in command]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        eventually(self.answers, "it listens")

    def started(self):
        """The port is known, and nothing runs yet."""

    def answers(self):
        return accepts("127.0.0.1", self.port)

    def close(self):
        with contextlib.suppress(ProcessLookupError):  # a test has killed it, and its children have gone
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def echo():
    place = "TCP-LISTEN:PORT,fork,reuseaddr,backlog=128,bind=127.0.0.1"
    return Program("socat", "-t", "20", place, "EXEC:cat")


def route(gateway, port, number=1, with_=None, **upstream):
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{port}": 1}, **upstream}
    put(gateway, f"stream_routes/{number}", {"upstream": nodes, **(with_ or {})})


def said(gateway, what, port="stream"):
    """What socat gets back when it says `what` and then nothing more."""
    command = ["socat", "-t", "20", "-", f"TCP:127.0.0.1:{gateway.ports[port]}"]
    done = subprocess.run(command, input=what, capture_output=True, timeout=SECONDS, check=False)
    return done.stdout


def test_bytes_come_back_and_ends_are_told(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    route(gateway, server.port)
    for what in (b"", b"hello\n", os.urandom(100_000)):
        check(said(gateway, what) == what, f"{len(what)} bytes came back")


def test_bulk_arrives_whole_in_both_directions(story):
    """Through pipes of the kernel's: nothing is lost, doubled or out of order."""
    server, gateway = story.add(echo()), story.gateway(MODE)
    route(gateway, server.port)
    bulk = os.urandom(1 << 20) * (BIG >> 20)
    with socket.create_connection(gateway.address("stream"), SECONDS) as sock:

        def send():
            sock.sendall(bulk)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        digest, count = hashlib.sha256(), 0
        while piece := sock.recv(1 << 16):
            digest.update(piece)
            count += len(piece)
        sender.join()
    check(count == BIG, f"{count} of {BIG} bytes came back")
    check(digest.digest() == hashlib.sha256(bulk).digest(), "the bytes are those sent")


def was_reset(address, what=b""):
    """Whether a connection that says `what` is broken, not just ended."""
    try:
        with socket.create_connection(address, SECONDS) as sock:
            sock.sendall(what)
            sock.recv(100)
            return False
    except ConnectionResetError:
        return True


def test_what_is_refused_is_reset(story):
    """A client does not take the end for an empty answer, whether it spoke first or not."""
    gateway = story.gateway(MODE)
    (nobody,) = free_ports(1)
    for _ in range(2):
        for what in (b"", b"hello"):
            check(was_reset(gateway.address("stream"), what), f"a client that says {what} sees an end")
        route(gateway, nobody)


def test_connections_of_one_client_are_bounded(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    limit = {"conn": 2, "burst": 1, "default_conn_delay": 0.1, "key": "remote_addr"}
    route(gateway, server.port, with_={"plugins": {"limit-conn": limit}})
    held, refused = [], 0
    for _ in range(5):
        try:
            sock = socket.create_connection(gateway.address("stream"), SECONDS)
            sock.sendall(b"x")
            check(sock.recv(10) == b"x", "it comes back")
            held.append(sock)
        except ConnectionResetError:
            refused += 1
    check((len(held), refused) == (3, 2), f"{len(held)} connections were taken, {refused} reset")
    for sock in held:
        sock.close()
    eventually(lambda: said(gateway, b"y") == b"y", "there is room again")


def test_many_connections_at_once(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    route(gateway, server.port)
    socks = [socket.create_connection(gateway.address("stream"), SECONDS) for _ in range(100)]
    for number, sock in enumerate(socks):
        sock.sendall(b"%d" % number)
    for number, sock in enumerate(socks):
        check(sock.recv(100) == b"%d" % number, f"connection {number}")
        sock.close()


class Haproxy(Program):
    """haproxy in mode tcp in front of a port."""

    def __init__(self, story, behind):
        self.path, self.behind = story.folder / "haproxy.cfg", behind
        super().__init__("haproxy", "-db", "-f", self.path)

    def started(self):
        self.path.write_text(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
            f"listen l\n bind 127.0.0.1:{self.port}\n server s 127.0.0.1:{self.behind}\n"
        )


def test_haproxy_as_a_peer(story):
    server = story.add(echo())
    proxy, gateway = story.add(Haproxy(story, server.port)), story.gateway(MODE)
    route(gateway, proxy.port)
    what = os.urandom(3 << 20)
    check(said(gateway, what) == what, "3 MiB came back through haproxy")


def s_client(gateway, authority, host, what):
    address = f"127.0.0.1:{gateway.ports['stream-tls']}"
    command = ["openssl", "s_client", "-connect", address, "-servername", host]
    command += ["-CAfile", authority.certificate]
    command += ["-verify_hostname", host, "-verify_return_error", "-quiet", "-no_ign_eof"]
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            process.stdin.write(what)
            process.stdin.flush()
            got = b""
            while len(got) < len(what):
                piece = process.stdout.read1(65536)
                if not piece:
                    break
                got += piece
            return got
        finally:
            process.kill()


def test_tls_ends_at_the_gateway(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    authority = Authority(story.folder)
    pair = authority.signed("a.test", ["a.test"])
    put(gateway, "ssls/1", {"snis": ["a.test"], "cert": pair.pem, "key": pair.key_pem})
    route(gateway, server.port, with_={"sni": "a.test"})
    check(s_client(gateway, authority, "a.test", b"hello\n") == b"hello\n", "it came back")
    check(s_client(gateway, authority, "b.test", b"hello\n") == b"", "nobody is b.test")
    check(said(gateway, b"plain") == b"", "the route is for that name only")


def test_tls_to_the_upstream(story):
    authority = Authority(story.folder)
    pair, client = authority.signed("s.test", ["s.test"]), authority.signed("me", ["me.test"])
    both = story.folder / "both.pem"
    both.write_text(pair.pem + pair.key_pem)
    listen = f"OPENSSL-LISTEN:PORT,fork,reuseaddr,bind=127.0.0.1,cert={both}"
    listen += f",cafile={authority.certificate},verify=1"
    server = story.add(Program("socat", "-t", "20", listen, "EXEC:cat"))
    trusted = {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}}
    gateway = story.gateway({"apisix": {**MODE["apisix"], **trusted}})
    shown = {"client_cert": client.pem, "client_key": client.key_pem}
    names = {"scheme": "tls", "pass_host": "rewrite", "upstream_host": "s.test"}
    route(gateway, server.port, **names, tls=shown)
    with socket.create_connection(gateway.address("stream"), SECONDS) as sock:
        sock.sendall(b"hello")
        check(sock.recv(100) == b"hello", "it came back")
    route(gateway, server.port, **{**names, "upstream_host": "other.test"}, tls=shown)
    check(said(gateway, b"hello") == b"", "the name is verified")
    route(gateway, server.port, **names)
    check(said(gateway, b"hello") == b"", "the server wants a certificate")


def test_a_peer_that_dies_is_passed_over(story):
    first, second = story.add(echo()), story.add(echo())
    gateway = story.gateway(MODE)
    unhealthy = {"interval": 1, "tcp_failures": 1}
    checks = {"active": {"type": "tcp", "healthy": {"interval": 1}, "unhealthy": unhealthy}}
    nodes = {f"127.0.0.1:{server.port}": 1 for server in (first, second)}
    put(gateway, "upstreams/u", {"type": "roundrobin", "nodes": nodes, "checks": checks})
    put(gateway, "stream_routes/1", {"upstream_id": "u"})
    check(said(gateway, b"x") == b"x", "both are there")
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()  # until then its port takes connections
    for _ in range(10):
        check(said(gateway, b"y") == b"y", "the other answers")

    def seen():
        wire = request_bytes("GET", "/v1/healthcheck/upstreams/u", [("Connection", "close")])
        told = Connection(gateway.address("control")).exchange("GET", wire).body
        return b'"unhealthy"' in told

    eventually(seen, "the checker has seen it")


def test_an_edit_cuts_nobody_off_and_quit_waits(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    route(gateway, server.port)
    with socket.create_connection(gateway.address("stream"), SECONDS) as sock:
        sock.sendall(b"one")
        check(sock.recv(100) == b"one", "one")
        delete(gateway, "stream_routes/1")
        sock.sendall(b"two")
        check(sock.recv(100) == b"two", "after its route has gone")
        gateway.process.send_signal(signal.SIGQUIT)
        eventually(lambda: not listens(gateway), "it takes no more connections")
        sock.sendall(b"three")
        check(sock.recv(100) == b"three", "while the process ends")
    check(gateway.exited(SECONDS), "and it ends behind the last connection")


def listens(gateway):
    return accepts(*gateway.address("stream"))


def test_a_reload_opens_new_ports(story):
    server, gateway = story.add(echo()), story.gateway(MODE)
    route(gateway, server.port)
    with socket.create_connection(gateway.address("stream"), SECONDS) as sock:
        sock.sendall(b"one")
        check(sock.recv(100) == b"one", "one")
        (port,) = free_ports(1)
        path = gateway.prefix / "conf/config.yaml"
        before = path.read_text()
        place = f'"127.0.0.1:{gateway.ports["stream"]}"'
        path.write_text(before.replace(place, f"{place}, {port}"))
        gateway.process.send_signal(signal.SIGHUP)

        def echoes():
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as other:
                    other.sendall(b"new")
                    return other.recv(100) == b"new"
            except OSError:
                return False

        eventually(echoes, "the new port is served")
        sock.sendall(b"two")
        check(sock.recv(100) == b"two", "the old connection goes on")


if __name__ == "__main__":
    sys.exit(run(dict(globals()), __doc__, ["socat", "openssl", "haproxy"]))
