#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS with upstreams: Python's ssl serves behind a gateway that checks, shows and remembers.

tls_upstream_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import socket
import ssl
import sys
import threading

from papers import Authority
from story import check, eventually, put, run

# story has put the scenarios' modules on the path
from client import Connection, request_bytes


class SecureServer:
    """An HTTP server behind TLS that notes what it saw of each handshake."""

    def __init__(self, pair, clients=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.certificate, pair.key)
        if clients:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(clients.certificate)
        self.context.sni_callback = self.asked
        self.names, self.resumed, self.subjects = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def asked(self, _, name, __):
        self.names.append(name)

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        """One request a connection, so that the next needs a handshake."""
        try:
            with self.context.wrap_socket(raw, server_side=True) as secure:
                read = b""
                while b"\r\n\r\n" not in read:
                    part = secure.recv(65536)
                    if not part:
                        return
                    read += part
                self.resumed.append(secure.session_reused)
                self.subjects.append((secure.getpeercert() or {}).get("subject"))
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecure")
        except (OSError, ConnectionError):
            pass

    def close(self):
        self.listener.close()


def status_of(gateway, path="/", host="a.test"):
    wire = request_bytes("GET", path, [("Host", host), ("Connection", "close")])
    return Connection(gateway.address("data")).exchange("GET", wire).status


def to_server(server, **more):
    nodes = {f"127.0.0.1:{server.port}": 1}
    return {"uri": "/*", "upstream": {"type": "roundrobin", "scheme": "https", "nodes": nodes, **more}}


def test_upstreams_are_verified(story):
    authority = Authority(story.folder)
    trusting = {"apisix": {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}}}
    gateway, careless = story.gateway(trusting), story.gateway({"sluice": {"verify_upstreams": False}})
    good = story.add(SecureServer(authority.signed("good", ["a.test"])))
    for pair, status in (
        (authority.signed("named", ["other.test"]), 502),
        (authority.made("alone", ["-x509", "-subj", "/CN=a.test"]), 502),
        (authority.signed("late", ["a.test"], days=-1), 502),
        (None, 200),
    ):
        server = good if pair is None else story.add(SecureServer(pair))
        put(gateway, "routes/1", to_server(server))
        check(status_of(gateway) == status, f"verified: {pair and pair.certificate}")
        put(gateway, "routes/1", to_server(server, tls={"verify": False}))
        check(status_of(gateway) == 200, "not verified")
        put(careless, "routes/1", to_server(server))
        check(status_of(careless) == 200, "not verified by config.yaml")
    eventually(lambda: "tls.verify" in gateway.log(), "the log names the setting")
    check(set(good.names) == {"a.test"}, good.names)
    put(careless, "routes/1", to_server(good, tls={"verify": True}))
    check(status_of(careless) == 502, "the upstream's own word counts more")


def test_upstreams_are_shown_a_certificate(story):
    authority, clients = Authority(story.folder), Authority(story.folder, "clients")
    gateway = story.gateway()
    server = story.add(SecureServer(authority.signed("good", ["a.test"]), clients))
    mine = clients.signed("mine", [])
    put(gateway, "routes/1", to_server(server, tls={"verify": False}))
    check(status_of(gateway) == 502, "without a certificate")
    pair = {"client_cert": mine.pem, "client_key": mine.key_pem}
    put(gateway, "routes/1", to_server(server, tls={"verify": False, **pair}))
    check(status_of(gateway) == 200, "with the pair")
    put(gateway, "ssls/mine", {"type": "client", "cert": mine.pem, "key": mine.key_pem})
    put(gateway, "routes/1", to_server(server, tls={"verify": False, "client_cert_id": "mine"}))
    check(status_of(gateway) == 200, "with the ssl's pair")
    check(server.subjects[-1] == ((("commonName", "mine"),),), server.subjects)


def test_handshakes_with_upstreams_are_short(story):
    authority = Authority(story.folder)
    trusting = {"apisix": {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}}}
    gateway = story.gateway(trusting, workers=1)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        server = story.add(SecureServer(authority.signed("good", ["a.test", "b.test"])))
        server.context.maximum_version = version
        put(gateway, "routes/1", to_server(server))
        for _ in range(5):
            check(status_of(gateway) == 200, "a request")
        check(server.resumed == [False, True, True, True, True], server.resumed)
        check(status_of(gateway, host="b.test") == 200, "another name")
        check(not server.resumed[-1], "a session is for one name")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["openssl"]))
