#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Syslog receivers, of Python and of socat: what plugin syslog sends over TCP, UDP and TLS.

syslog_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import contextlib
import json
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import types

from papers import Authority
from story import check, eventually, put, run

from client import Connection, request_bytes  # behind story, which knows where it is
from gateway import die_with_parent, free_ports

LINE = re.compile(
    r"<46>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<host>\S+) apisix \d+ - - (?P<entry>\{.*\})\n"
)
ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SOON = {"batch_max_size": 1}
MODE = {"apisix": {"proxy_mode": "http&stream"}}


class Receiver:
    """Keeps what it is sent: over TCP the lines, over UDP the datagrams."""

    def __init__(self, kind="tcp", pair=None, port=0, host="127.0.0.1"):
        self.got, self.connections = [], []
        receiver, over_tcp = self, kind == "tcp"

        class Handler(
            socketserver.StreamRequestHandler if over_tcp else socketserver.DatagramRequestHandler
        ):
            def handle(self):
                receiver.connections.append(self.request)
                for line in self.rfile if over_tcp else [self.rfile.read()]:
                    receiver.got.append(line.decode())

        class Server(socketserver.ThreadingTCPServer if over_tcp else socketserver.ThreadingUDPServer):
            allow_reuse_address = daemon_threads = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def entries(self):
        found = [LINE.fullmatch(text) for text in self.got]
        check(all(found), f"no lines of syslog: {self.got}")
        return [(line["host"], json.loads(line["entry"])) for line in found]

    def wait(self, count):
        eventually(lambda: len(self.got) >= count, f"{count} entries arrive")
        return self.entries()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            if isinstance(connection, socket.socket):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def connect_once(gateway):
    """A connection by the stream route: a request, for the upstream speaks HTTP."""
    with socket.create_connection(gateway.address("stream"), 20) as sock:
        sock.sendall(ASKED)
        check(sock.recv(65536).startswith(b"HTTP/1.1 200"), "the upstream answers")


def with_routes(story, receiver, config=None, **plugin):
    gateway, upstream = story.gateway(config or MODE, workers=1), story.upstream()
    settings = {"host": "127.0.0.1", "port": receiver.port, **SOON, **plugin}
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    for kind, more in (("routes", {"uri": "/*"}), ("stream_routes", {})):
        put(gateway, f"{kind}/1", {"plugins": {"syslog": settings}, "upstream": nodes, **more})
    return gateway


def ask(gateway):
    connection = Connection(gateway.address("data"))
    answer = connection.exchange("GET", request_bytes("GET", "/a", [("Host", "a.test")]))
    check(answer.status == 200, answer.brief())
    connection.close()


def test_over_tcp(story):
    receiver = story.add(Receiver())
    gateway = with_routes(story, receiver)
    for _ in range(3):
        ask(gateway)
    entries = receiver.wait(3)
    for host, entry in entries:
        check(host == "a.test", f"the host is {host}")
        check(entry["request"]["uri"] == "/a" and entry["response"]["status"] == 200, f"{entry}")
        check(entry["route_id"] == "1", f"{entry}")
    check(len(receiver.connections) == 1, f"{receiver.connections}: several connections for three entries")


def test_of_connections(story):
    receiver = story.add(Receiver())
    gateway = with_routes(story, receiver)
    connect_once(gateway)
    ((host, entry),) = receiver.wait(1)
    check(host == "-", f"the host is {host}")
    check(entry["protocol"] == "TCP" and entry["status"] == 200 and entry["route_id"] == "1", f"{entry}")
    check(entry["client"]["bytes_received"] == len(ASKED) < entry["client"]["bytes_sent"], f"{entry}")
    check(entry["upstream"]["bytes_sent"] == len(ASKED), f"{entry}")


def test_a_format_of_the_metadata(story):
    receiver = story.add(Receiver())
    gateway = with_routes(story, receiver)
    put(gateway, "plugin_metadata/syslog", {"log_format": {"by": "$remote_addr", "over": "$protocol"}})
    connect_once(gateway)
    ((_, entry),) = receiver.wait(1)
    check(entry == {"by": "127.0.0.1", "over": "TCP", "route_id": "1"}, f"{entry}")


def test_over_udp(story):
    receiver = story.add(Receiver("udp"))
    gateway = with_routes(story, receiver, sock_type="udp", batch_max_size=2)
    ask(gateway)
    connect_once(gateway)
    entries = receiver.wait(2)
    check(entries[0][0] == "a.test" and entries[1][1]["protocol"] == "TCP", f"{entries}")


def test_over_tls(story):
    authority = Authority(story.folder)
    receiver = story.add(Receiver(pair=authority.signed("logs", ["127.0.0.1"])))
    trusted = {"apisix": {**MODE["apisix"], "ssl": {"ssl_trusted_certificate": str(authority.certificate)}}}
    gateway = with_routes(story, receiver, trusted, tls=True, ssl_verify=True)
    ask(gateway)
    receiver.wait(1)


def test_a_receiver_that_is_not_trusted(story):
    authority = Authority(story.folder)
    receiver = story.add(Receiver(pair=authority.signed("logs", ["127.0.0.1"])))
    gateway = with_routes(story, receiver, tls=True, ssl_verify=True)
    ask(gateway)
    eventually(lambda: "entries could not be sent" in gateway.log(), "the log says so")
    check(not receiver.got, f"it was sent {receiver.got}")


def test_a_receiver_that_goes_and_comes(story):
    first = Receiver()
    gateway = with_routes(story, first, max_retry_count=60, retry_delay=1)
    ask(gateway)
    first.wait(1)
    first.close()
    ask(gateway)
    eventually(lambda: "entries could not be sent" in gateway.log(), "the log says so")
    second = story.add(Receiver(port=first.port))
    second.wait(1)


def test_socat_receives(story):
    (port,) = free_ports(1)
    path = story.folder / "received"
    words = ["socat", "-u", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"OPEN:{path},creat,append"]
    socat = subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:

        gateway = with_routes(story, types.SimpleNamespace(port=port))
        ask(gateway)
        eventually(lambda: path.exists() and LINE.search(path.read_text()), "the line is in the file")
    finally:
        socat.terminate()
        socat.wait(10)


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["socat", "openssl"]))
