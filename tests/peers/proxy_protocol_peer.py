#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol with haproxy in front of the gateway, versions 1 and 2, and nginx and haproxy behind it.

proxy_protocol_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import json
import socket
import ssl
import subprocess

from papers import Authority
from story import accepts, check, eventually, put, run

from gateway import die_with_parent, free_ports  # behind story, which knows where it is

NGINX_TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
CLIENT = "127.0.0.77"  # another loopback address than that of haproxy itself


class Haproxy:
    """Passes TCP on to a port of the gateway, with the header that `send` names."""

    def __init__(self, folder, port, send, on="127.0.0.1"):
        (self.port,) = free_ports(1)
        self.on = on
        place = f"[{on}]" if ":" in on else on
        settings = folder / f"haproxy-{self.port}.cfg"
        settings.write_text(
            "global\n  maxconn 64\n"
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
            f"listen one\n  bind {place}:{self.port}\n  server gateway {place}:{port} {send}\n",
            encoding="ascii",
        )
        self.process = subprocess.Popen(
            ["haproxy", "-f", str(settings), "-db"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        eventually(self.listens, "haproxy listens")

    def listens(self):
        return accepts(self.on, self.port)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def asked(port, context=None):
    """What the upstream saw of a request by CLIENT, and the port it came from."""
    with socket.create_connection(("127.0.0.1", port), 10, (CLIENT, 0)) as plain:
        own = plain.getsockname()[1]
        sock = context.wrap_socket(plain, server_hostname="a.test") if context else plain
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        came = b""
        while piece := sock.recv(65536):
            came += piece
    head, _, body = came.partition(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1.1 200"), f"answered {came[:300]!r}")
    return json.loads(body)["headers"], head.decode(), own


def with_route(story):
    gateway, upstream = story.gateway(), story.upstream()
    told = {"headers": {"set": {"x-client": "$remote_addr:$remote_port"}}}
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes, "plugins": {"response-rewrite": told}})
    return gateway


def look_at(story, gateway, send):
    haproxy = story.add(Haproxy(story.folder, gateway.ports["proxied"], send))
    for _ in range(3):
        headers, head, own = asked(haproxy.port)
        check(headers["x-real-ip"] == CLIENT, f"the upstream was told {headers}")
        check(f"x-client: {CLIENT}:{own}" in head.lower(), f"the client is {head}")


def test_version_1_names_the_client(story):
    look_at(story, with_route(story), "send-proxy")


def test_version_2_names_the_client(story):
    look_at(story, with_route(story), "send-proxy-v2")


def test_version_2_with_extensions(story):
    look_at(story, with_route(story), "send-proxy-v2 proxy-v2-options crc32c,unique-id")


def test_checks_of_the_proxy_itself(story):
    """haproxy's own checks speak for themselves: LOCAL, without a client."""
    gateway = with_route(story)
    haproxy = story.add(Haproxy(story.folder, gateway.ports["proxied"], "send-proxy-v2 check inter 100ms"))
    for _ in range(5):
        headers, _, _ = asked(haproxy.port)
        check(headers["x-real-ip"] == CLIENT, f"the upstream was told {headers}")


def test_before_a_handshake(story):
    gateway, authority = with_route(story), Authority(story.folder)
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", {"cert": pair.pem, "key": pair.key_pem, "snis": ["a.test"]})
    for send in ("send-proxy", "send-proxy-v2"):
        haproxy = story.add(Haproxy(story.folder, gateway.ports["proxied_tls"], send))
        context = ssl.create_default_context(cafile=authority.certificate)
        headers, _, _ = asked(haproxy.port, context)
        check(headers["x-real-ip"] == CLIENT, f"the upstream was told {headers}")
        check(headers["x-forwarded-proto"] == "https", f"the upstream was told {headers}")


def test_no_header_is_hung_up_on(story):
    gateway = with_route(story)
    haproxy = story.add(Haproxy(story.folder, gateway.ports["proxied"], ""))
    with socket.create_connection(("127.0.0.1", haproxy.port), 10) as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
        check(sock.recv(100) == b"", "answered without a header")
    wanted = f"port {gateway.ports['proxied']} is for proxies"
    eventually(lambda: wanted in gateway.log() + gateway.output(), "the log names the port")


def test_before_a_handshake_of_a_stream(story):
    """The header, then TLS that ends here; the route goes by the name and the client named."""
    (port,), upstream, authority = free_ports(1), story.upstream(), Authority(story.folder)
    place = {"addr": f"127.0.0.1:{port}", "tls": True, "proxy_protocol": True}
    gateway = story.gateway({"apisix": {"proxy_mode": "http&stream", "stream_proxy": {"tcp": [place]}}})
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", {"cert": pair.pem, "key": pair.key_pem, "snis": ["a.test"]})
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "stream_routes/1", {"sni": "a.test", "remote_addr": CLIENT, "upstream": nodes})
    context = ssl.create_default_context(cafile=authority.certificate)
    for send in ("send-proxy", "send-proxy-v2"):
        haproxy = story.add(Haproxy(story.folder, port, send))
        with socket.create_connection(("127.0.0.1", haproxy.port), 10, (CLIENT, 0)) as plain:
            with context.wrap_socket(plain, server_hostname="a.test") as secure:
                secure.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                check(secure.recv(100).startswith(b"HTTP/1.1 200"), f"{send}: the upstream answers")


class Behind:
    """A server that wants a PROXY header, and answers with whom and what it names."""

    def __init__(self, folder, program):
        (self.port,) = free_ports(1)
        self.on = "127.0.0.1"
        self.folder = folder / f"{program}-{self.port}"
        self.folder.mkdir()
        settings = self.folder / "conf"
        settings.write_text(getattr(self, program)(), encoding="ascii")
        command = {"nginx": ["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(settings)]}
        self.process = subprocess.Popen(
            command.get(program, ["haproxy", "-f", str(settings), "-db"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "errors").open("wb"),
            preexec_fn=die_with_parent,
        )
        eventually(self.listens, f"{program} listens")

    def nginx(self):
        ends = ("addr", "port", "server_addr", "server_port")
        told = " ".join(f"$proxy_protocol_{end}" for end in ends)
        paths = "".join(f" {kind}_temp_path {self.folder};" for kind in NGINX_TEMPORARY)
        return (
            f"daemon off; master_process off; pid {self.folder}/pid; events {{}}\n"
            f"http {{ access_log off;{paths}\n"
            f" server {{ listen 127.0.0.1:{self.port} proxy_protocol; return 200 '{told}'; }} }}\n"
        )

    def haproxy(self):
        told = "%[src] %[src_port] %[dst] %[dst_port]"
        return (
            "global\n  maxconn 64\n"
            "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
            f"frontend one\n  bind 127.0.0.1:{self.port} accept-proxy\n"
            f'  http-request return status 200 content-type text/plain lf-string "{told}"\n'
        )

    def listens(self):
        return Haproxy.listens(self)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def told_behind(gateway, address, source):
    """What a server behind the gateway says of a client at `source`, and the client's own port."""
    with socket.create_connection(address, 10, (source, 0)) as sock:
        own = sock.getsockname()[1]
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        came = b""
        while piece := sock.recv(65536):
            came += piece
    check(came.startswith(b"HTTP/1.1 200"), f"answered {came[:300]!r}: {gateway.log()[-500:]}")
    return came.partition(b"\r\n\r\n")[2].decode().split(), own


def servers_are_told(story, program, version=True):
    server, (port,) = story.add(Behind(story.folder, program)), free_ports(1)
    ports = [f"{at}:{port}" for at in ("127.0.0.1", "[::1]")]
    places = [{"addr": at, "proxy_protocol_to_upstream": version} for at in ports]
    streams = {"proxy_mode": "http&stream", "stream_proxy": {"tcp": places}}
    gateway = story.gateway({"apisix": streams})
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}}
    put(gateway, "stream_routes/1", {"upstream": nodes})
    for address, source in (("127.0.0.1", CLIENT), ("::1", "::1")):
        told, own = told_behind(gateway, (address, port), source)
        check(told == [source, str(own), address, str(port)], f"{program} was told {told}")


def test_nginx_behind_is_told_the_client(story):
    servers_are_told(story, "nginx")


def test_haproxy_behind_is_told_the_client(story):
    servers_are_told(story, "haproxy")


def test_version_2_tells_the_client(story):
    servers_are_told(story, "haproxy", 2)
    servers_are_told(story, "nginx", 2)


def test_from_haproxy_to_nginx(story):
    """What the proxy in front says is said to the server behind, of both versions."""
    server, (port,) = story.add(Behind(story.folder, "nginx")), free_ports(1)
    both = {"proxy_protocol": True, "proxy_protocol_to_upstream": True}
    streams = {"proxy_mode": "http&stream", "stream_proxy": {"tcp": [{"addr": f"127.0.0.1:{port}", **both}]}}
    gateway = story.gateway({"apisix": streams})
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}}
    put(gateway, "stream_routes/1", {"upstream": nodes})
    for send in ("send-proxy", "send-proxy-v2"):
        haproxy = story.add(Haproxy(story.folder, port, send))
        told, own = told_behind(gateway, ("127.0.0.1", haproxy.port), CLIENT)
        check(told == [CLIENT, str(own), "127.0.0.1", str(haproxy.port)], f"nginx was told {told}")


if __name__ == "__main__":
    raise SystemExit(run(globals(), __doc__, ["haproxy", "nginx"]))
