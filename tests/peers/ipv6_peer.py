#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""IPv6 wherever there are addresses, with curl, openssl and socat: ports, upstreams, lists, headers, loggers.

ipv6_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import json
import socket
import subprocess
import sys

import story as shared
from papers import Authority
from proxy_protocol_peer import Haproxy
from story import accepts, check, eventually, put, run
from syslog_peer import Receiver

from client import Connection, request_bytes  # behind story, which knows where it is
from gateway import Gateway, die_with_parent, free_ports
from upstream import find

HERE = "::1"
SECONDS = 20


class Socat:
    """Sends back what it is told, on [::1]."""

    def __init__(self, kind="TCP6"):
        (self.port,) = free_ports(1)
        listen = f"{kind}-LISTEN" if kind == "TCP6" else f"{kind}-RECVFROM"
        place = f"{listen}:{self.port},bind=[::1],fork,reuseaddr"
        words = ["socat", "-t", "20", place, "EXEC:cat"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        eventually(lambda: kind != "TCP6" or self.listens(), "socat listens")

    def listens(self):
        return accepts(HERE, self.port)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Files(Socat):
    """Python's http.server, with one file."""

    def __init__(self, folder):
        (self.port,) = free_ports(1)
        (folder / "index.html").write_text("from 6")
        words = [sys.executable, "-m", "http.server", str(self.port), "--bind", HERE]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, cwd=folder, preexec_fn=die_with_parent, **quiet)
        eventually(self.listens, "http.server listens")


class OnSix(Gateway):
    """A gateway with every port on [::1]."""

    def __init__(self, allowed=("::1/128",), admits=True):
        self.own, self.admits = free_ports(1)[0], admits
        streams = {"udp": [f"127.0.0.1:{self.own}"]}
        admin = {"allow_admin": list(allowed)}
        settings = {"proxy_mode": "http&stream", "stream_proxy": streams}
        super().__init__(shared.BINARY, {"apisix": settings, "deployment": {"admin": admin}})

    def address(self, listener):
        return (HERE, self.ports[listener])

    def config(self):
        text = json.dumps(super().config())
        return json.loads(text.replace('"127.0.0.1:', '"[::1]:').replace('"127.0.0.1"', '"::1"'))

    def answers(self):
        return super().answers() or not self.admits


def gateway_on_six(story, **how):
    gateway = story.add(OnSix(**how))
    gateway.start()
    return gateway


def upstream(port, **more):
    return {"type": "roundrobin", "nodes": {f"[{HERE}]:{port}": 1}, **more}


def asked(gateway, port="data", path="/", source=HERE):
    connection = Connection((HERE, gateway.ports[port]), source)
    answer = connection.exchange("GET", request_bytes("GET", path, [("Host", "a.test")]))
    connection.close()
    return answer


def test_ports_and_upstreams(story):
    server, gateway = story.add(Files(story.folder)), gateway_on_six(story)
    told = {"headers": {"set": {"x-ends": "$remote_addr $server_addr $upstream_addr"}}}
    plugins = {"response-rewrite": told}
    put(gateway, "routes/1", {"uri": "/*", "plugins": plugins, "upstream": upstream(server.port)})
    answer = asked(gateway)
    check(answer.body == b"from 6", answer.brief())
    ends = find(answer.headers, "x-ends")
    check(ends == f"::1 ::1 [::1]:{server.port}", f"the ends are {ends}")
    nodes = [{"host": f"[{HERE}]", "port": server.port, "weight": 1}]
    listed = {"type": "chash", "key": "remote_addr", "nodes": nodes}
    put(gateway, "routes/1", {"uri": "/*", "upstream": listed})
    check(asked(gateway).body == b"from 6", "a node of a list")
    url = f"http://[{HERE}]:{gateway.ports['data']}/"
    done = subprocess.run(["curl", "-sS", "-g", url], capture_output=True, timeout=SECONDS, check=False)
    check(done.stdout == b"from 6", f"curl: {done}")


def test_tls(story):
    server, gateway = story.add(Files(story.folder)), gateway_on_six(story)
    authority = Authority(story.folder)
    pair = authority.signed("six", ["a.test"])
    put(gateway, "ssls/1", {"snis": ["a.test"], "cert": pair.pem, "key": pair.key_pem})
    put(gateway, "routes/1", {"uri": "/*", "upstream": upstream(server.port)})
    port = gateway.ports["tls"]
    words = ["curl", "-sS", "--cacert", authority.certificate, "--resolve", f"a.test:{port}:[{HERE}]"]
    done = subprocess.run(
        [*map(str, words), f"https://a.test:{port}/"], capture_output=True, timeout=SECONDS, check=False
    )
    check(done.stdout == b"from 6", f"curl: {done}")


def test_streams(story):
    server, gateway = story.add(Socat()), gateway_on_six(story)
    mine = {"remote_addr": "::1/128", "server_addr": HERE, "server_port": gateway.ports["stream"]}
    put(gateway, "stream_routes/1", {**mine, "upstream": upstream(server.port)})
    other = {"remote_addr": "2001:db8::/32", "upstream": upstream(1)}
    put(gateway, "stream_routes/0", other)
    words = ["socat", "-t", "20", "-", f"TCP6:[{HERE}]:{gateway.ports['stream']}"]
    done = subprocess.run(words, input=b"hello", capture_output=True, timeout=SECONDS, check=False)
    check(done.stdout == b"hello", f"socat: {done}")


def test_datagrams(story):
    server, gateway = story.add(Socat(kind="UDP6")), gateway_on_six(story)
    mine = {"remote_addr": "::/0", "server_addr": "::1/128"}
    put(gateway, "stream_routes/1", {**mine, "upstream": upstream(server.port, scheme="udp")})
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((HERE, gateway.own))

        def comes_back():
            try:
                sock.send(b"hello")
                return sock.recv(100) == b"hello"
            except (TimeoutError, ConnectionRefusedError):
                return False

        eventually(comes_back, "the datagram comes back")


def test_ip_restriction(story):
    server, gateway = story.add(Files(story.folder)), gateway_on_six(story)
    for lists, status in (
        ({"whitelist": ["::1"]}, 200),
        ({"whitelist": ["2001:db8::/32"]}, 403),
        ({"blacklist": ["::/64"]}, 403),
        ({"blacklist": ["0.0.0.0/0"]}, 200),
    ):
        plugins = {"ip-restriction": lists}
        put(gateway, "routes/1", {"uri": "/*", "plugins": plugins, "upstream": upstream(server.port)})
        check(asked(gateway).status == status, f"{lists}: {asked(gateway).brief()}")
    for lists, answer in (({"whitelist": ["::1"]}, b"HTTP/1.0 200"), ({"blacklist": ["::1"]}, b"")):
        plugins = {"ip-restriction": lists}
        put(gateway, "stream_routes/1", {"plugins": plugins, "upstream": upstream(server.port)})
        try:
            with socket.create_connection(gateway.address("stream"), SECONDS) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                told = sock.recv(12)
        except ConnectionError:
            told = b""
        check(told == answer, f"{lists}: a stream is told {told}")


def test_proxy_headers(story):
    """haproxy tells of clients of IPv6, of both versions, over a connection of IPv4."""
    server, gateway = story.add(Files(story.folder)), gateway_on_six(story)
    told = {"headers": {"set": {"x-client": "$remote_addr"}}}
    plugins = {"response-rewrite": told, "ip-restriction": {"whitelist": ["::1"]}}
    put(gateway, "routes/1", {"uri": "/*", "plugins": plugins, "upstream": upstream(server.port)})
    for send in ("send-proxy", "send-proxy-v2"):
        haproxy = story.add(Haproxy(story.folder, gateway.ports["proxied"], send, on=HERE))
        connection = Connection((HERE, haproxy.port), HERE)
        answer = connection.exchange("GET", request_bytes("GET", "/", [("Host", "a.test")]))
        check(answer.status == 200 and find(answer.headers, "x-client") == "::1", answer.brief())


def test_admin_api(story):
    """allow_admin knows networks of IPv6."""
    for allowed, status in ((["::1"], 200), (["2001:db8::/32", "127.0.0.0/8"], 403)):
        gateway = gateway_on_six(story, allowed=allowed, admits=status == 200)
        answer = gateway.admin("GET", "/apisix/admin/routes")
        check(answer.status == status, f"{allowed}: {answer.brief()}")
        check(asked(gateway).status == 404, "the data port answers")


def test_loggers(story):
    receiver = story.add(Receiver(host=HERE))
    server, gateway = story.add(Files(story.folder)), gateway_on_six(story)
    plugins = {"syslog": {"host": HERE, "port": receiver.port, "batch_max_size": 1}}
    put(gateway, "routes/1", {"uri": "/*", "plugins": plugins, "upstream": upstream(server.port)})
    check(asked(gateway).status == 200, "a request")
    ((_, entry),) = receiver.wait(1)
    check(entry["client_ip"] == HERE, json.dumps(entry))


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["socat", "curl", "openssl", "haproxy"]))
