#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS in bad weather, with hellos of openssl and by hand: broken up, absurd, slow, and servers that lie.

tls_weather_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

from http2_peer import resident
from papers import Authority
from story import check, eventually, put, run
from stream_peer import was_reset

from client import Connection, request_bytes  # behind story, which knows where it is

SECONDS = 20
SLOW = {"apisix": {"proxy_mode": "http&stream"}, "nginx_config": {"http": {"client_header_timeout": "1s"}}}


def hello_of(name, version=None):
    """The first bytes that Python's ssl, which is OpenSSL, says to a server."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.maximum_version = version
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(into, out, server_hostname=name)
    try:
        secure.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def records_of(handshake, size):
    """A handshake message in records of at most `size` bytes (RFC 8446 §5.1)."""
    pieces = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(piece)) + piece for piece in pieces)


def hello_by_hand(extensions, ciphers=b"\x13\x01\x13\x02\xc0\x2b\xc0\x2f"):
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack(">H", len(ciphers)) + ciphers + b"\x01\0"
    body += struct.pack(">H", len(extensions) & 0xFFFF) + extensions
    return b"\x01" + struct.pack(">I", len(body))[1:] + body


def extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


def server_name(name, kind=0):
    entry = bytes([kind]) + struct.pack(">H", len(name)) + name
    return extension(0, struct.pack(">H", len(entry)) + entry)


def with_tls(story, config=None):
    gateway, upstream, authority = story.gateway(config), story.upstream(), Authority(story.folder)
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", {"snis": ["a.test"], "cert": pair.pem, "key": pair.key_pem})
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes})
    if config and "proxy_mode" in config.get("apisix", {}):
        put(gateway, "stream_routes/1", {"upstream": nodes})
    return gateway, authority


def first_answer(gateway, *pieces, port="tls"):
    """What comes back first: "hello" of the server, "alert", "closed"."""
    with socket.create_connection(gateway.address(port), SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.settimeout(SECONDS)
            read = sock.recv(4096)
        except ConnectionError:
            return "closed"
    return {b"\x16": "hello", b"\x15": "alert"}.get(read[:1], "closed" if not read else "nonsense")


def said(gateway, handshake):
    return first_answer(gateway, records_of(handshake, 16384))


def honest(gateway, authority, port="tls"):
    context = ssl.create_default_context(cafile=authority.certificate)
    with socket.create_connection(gateway.address(port), SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname="a.test") as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            read = secure.recv(65536)
    check(read.startswith(b"HTTP/1.1 200"), f"an honest client was answered {read[:200]!r}")


def test_a_hello_in_any_two_pieces(story):
    gateway, authority = with_tls(story)
    for version in (None, ssl.TLSVersion.TLSv1_2):
        hello = hello_of("a.test", version)
        for at in range(1, len(hello), 3):
            check(first_answer(gateway, hello[:at], hello[at:]) == "hello", f"cut at {at}")
    honest(gateway, authority)


def test_a_hello_in_many_records(story):
    gateway, authority = with_tls(story)
    handshake = hello_of("a.test")[5:]
    for size in (1, 2, 3, 50, 100, 16384):
        check(first_answer(gateway, records_of(handshake, size)) == "hello", f"records of {size} bytes")
    honest(gateway, authority)


def test_absurd_extensions(story):
    gateway, authority = with_tls(story)
    groups = extension(10, b"\0\x02\0\x17") + extension(13, b"\0\x02\x04\x03") + extension(11, b"\x01\0")
    good = server_name(b"a.test") + groups
    check(said(gateway, hello_by_hand(good)) == "hello", "by hand, and good")
    many = b"".join(extension(1000 + n, b"") for n in range(10000)) + good
    check(said(gateway, hello_by_hand(many)) == "hello", "10,000 that nobody knows")
    absurd = {
        "no name at all": groups,
        "an empty name": server_name(b"") + groups,
        "a name of 60,000 bytes": server_name(b"a" * 60000) + groups,
        "a name with a zero in it": server_name(b"a.test\0evil") + groups,
        "a name of bytes": server_name(bytes(range(128, 250))) + groups,
        "a name of another kind": server_name(b"a.test", kind=7) + groups,
        "a list of names that lies": extension(0, b"\xff\xff\0\0\x06a.test") + groups,
        "a length beyond the end": extension(0, b"\0\x09\0\xff\xffa.test") + groups,
        "an extension of nothing": extension(0, b"") + groups,
        "the name twice": server_name(b"a.test") * 2 + groups,
        "extensions cut short": good[:-3],
        "60,000 bytes of padding": extension(21, b"\0" * 60000) + b"\0\x15",
    }
    for what, extensions in absurd.items():
        told = said(gateway, hello_by_hand(extensions))
        check(told in ("alert", "closed"), f"{what}: {told}")
    check(said(gateway, hello_by_hand(good, b"")) in ("alert", "closed"), "no ciphers")
    announced = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * 16380  # a hello of 16 MiB
    before = resident(gateway)
    for _ in range(50):
        check(first_answer(gateway, announced) in ("alert", "closed"), "a hello of 16 MiB")
    check(resident(gateway) - before < 16 << 20, "memory follows what is announced")
    check("accepted" not in gateway.output(), gateway.output())
    honest(gateway, authority)


def test_slow_handshakes_are_bounded(story):
    """Whoever has not finished in client_header_timeout is hung up on, whatever he says meanwhile."""
    gateway, authority = with_tls(story, SLOW)
    hello = hello_of("a.test")
    for port in ("tls", "stream-tls"):
        socks = [socket.create_connection(gateway.address(port), SECONDS) for _ in range(40)]
        began, sent, open_ = time.monotonic(), 0, set(socks)
        while open_ and time.monotonic() - began < SECONDS:
            for sock in list(open_):
                try:
                    sock.send(hello[sent : sent + 1])
                except OSError:
                    open_.discard(sock)
            sent += 1
            ended, _, _ = select.select(list(open_), [], [], 0.1)
            open_ -= set(ended)
        check(not open_, f"{len(open_)} of 40 slow clients are still there on port {port}")
        check(time.monotonic() - began < 5, f"it took {time.monotonic() - began:.1f} s")
        for sock in socks:
            sock.close()
        honest(gateway, authority, port)


class Server:
    """A server of TLS with one certificate."""

    def __init__(self, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.certificate, pair.key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
                with raw, self.context.wrap_socket(raw, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def close(self):
        self.listener.close()


def logged(gateway, *patterns):
    """One line of the log has them all."""

    def found():
        lines = gateway.log().splitlines()
        return any(all(re.search(pattern, line) for pattern in patterns) for line in lines)

    eventually(found, f"a line of the log has {patterns}")


def test_an_upstream_certificate_that_does_not_hold(story):
    """502, and a line in the log that names the upstream, why, and which setting says so."""
    authority = Authority(story.folder)
    trusting = {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}, "proxy_mode": "http&stream"}
    gateway = story.gateway({"apisix": trusting})
    cases = {
        "expired": (authority.signed("late", ["a.test"], days=-1), "expired"),
        "named": (authority.signed("named", ["other.test"]), "[Hh]ostname mismatch"),
        "alone": (authority.made("alone", ["-x509", "-subj", "/CN=a.test"]), "self.signed"),
    }
    for name, (pair, reason) in cases.items():
        server = story.add(Server(pair))
        nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}}
        put(gateway, f"upstreams/{name}", {**nodes, "scheme": "https"})
        put(gateway, "routes/1", {"uri": "/*", "upstream_id": name})
        wire = request_bytes("GET", "/", [("Host", "a.test"), ("Connection", "close")])
        answer = Connection(gateway.address("data")).exchange("GET", wire)
        check(answer.status == 502, f"{name}: {answer.brief()}")
        logged(gateway, f"upstream {name}[ ,]", f"127.0.0.1:{server.port}", reason, "tls.verify")
        streamed = f"{name}-stream"
        named = {"pass_host": "rewrite", "upstream_host": "a.test"}
        put(gateway, f"upstreams/{streamed}", {**nodes, "scheme": "tls", **named})
        put(gateway, "stream_routes/1", {"upstream_id": streamed})
        check(was_reset(gateway.address("stream")), f"{name}: the stream is reset")
        logged(gateway, f"upstream {streamed}[ ,]", f"127.0.0.1:{server.port}", reason, "tls.verify")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["openssl"]))
