#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 to upstreams: nghttpd is asked, by clients of HTTP/1.1 and HTTP/2, over plaintext and TLS.

http2_upstream_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import os
import re
import socket
import subprocess
import sys

from papers import Authority
from story import check, eventually, put, run

# story has put the scenarios' modules on the path
from gateway import free_ports

BIG = 3 << 20


def told_by(*command, status=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode("utf-8", "replace")
    check(done.returncode == status, f"exit code {done.returncode}: {told}")
    return told


class Program:
    """A server on a port of its own, for as long as the test."""

    def __init__(self, *command):
        (self.port,) = free_ports(1)
        words = [str(word).replace("PORT", str(self.port)) for word in command]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        eventually(self.answers, "it listens")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def connections(self):
        end = f"0100007F:{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            lines = [line.split() for line in table.readlines()[1:]]
        return sum(line[1] == end and line[3] == "01" for line in lines)


def files(story):
    (story.folder / "small").write_bytes(b"small")
    (story.folder / "big").write_bytes(os.urandom(BIG))
    return story.folder


def with_server(story, *command, config=None, workers=1, **upstream):
    server = story.add(Program(*command))
    gateway = story.gateway(config, workers)
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, "http_version": "2"}
    put(gateway, "routes/1", {"uri": "/*", "upstream": {**nodes, **upstream}})
    return gateway, server


def plain(gateway, path=""):
    return f"http://127.0.0.1:{gateway.ports['data']}/{path}"


def check_files(story, gateway):
    words = ["curl", "-sS", "-w", " %{http_version} %{http_code}"]
    check(told_by(*words, plain(gateway, "small")) == "small 1.1 200", "a client of HTTP/1.1")
    told = told_by(*words, "--http2-prior-knowledge", plain(gateway, "small"))
    check(told == "small 2 200", told)
    check(told_by(*words, "-I", plain(gateway, "small")).endswith(" 1.1 200"), "HEAD")
    check(told_by(*words, "-o", "/dev/null", plain(gateway, "nothing")).endswith(" 404"), "what is not there")
    out = story.folder / "out"
    for version in ("--http1.1", "--http2-prior-knowledge"):
        told_by("curl", "-sS", version, "-o", out, plain(gateway, "big"))
        check(out.read_bytes() == (story.folder / "big").read_bytes(), "a large body")


def test_plaintext(story):
    folder = files(story)
    gateway, _ = with_server(story, "nghttpd", "--no-tls", "-d", folder, "PORT")
    check_files(story, gateway)


def test_bodies_of_requests(story):
    folder = files(story)
    gateway, _ = with_server(story, "nghttpd", "--no-tls", "--echo-upload", "-d", folder, "PORT")
    out = story.folder / "out"
    sent = ["--data-binary", f"@{folder / 'big'}", "-H", "Expect:"]
    for words in ([], ["-H", "Transfer-Encoding: chunked"], ["--http2-prior-knowledge"]):
        told_by("curl", "-sS", "-o", out, *sent, *words, plain(gateway, "echo"))
        check(out.read_bytes() == (folder / "big").read_bytes(), f"both ways {words}")


def test_tls(story):
    folder = files(story)
    authority = Authority(folder)
    pair = authority.signed("server", ["h2.test"])
    trusted = {"apisix": {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}}}
    command = ["nghttpd", "-d", folder, "PORT", pair.key, pair.certificate]
    name = {"pass_host": "rewrite", "upstream_host": "h2.test", "scheme": "https"}
    gateway, _ = with_server(story, *command, config=trusted, **name)
    check_files(story, gateway)


def test_tls_without_http2(story):
    folder = files(story)
    authority = Authority(folder)
    pair = authority.signed("server", ["h2.test"])
    command = ["openssl", "s_server", "-quiet", "-www", "-accept", "127.0.0.1:PORT"]
    command += ["-cert", pair.certificate, "-key", pair.key]
    gateway, _ = with_server(story, *command, scheme="https", tls={"verify": False})
    told = told_by("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", plain(gateway))
    check(told == "502", told)
    check("does not agree on HTTP/2" in gateway.log(), "the log says why")


def test_many_clients_over_one_connection(story):
    folder = files(story)
    gateway, server = with_server(story, "nghttpd", "--no-tls", "-d", folder, "PORT")
    keep = {"size": 5, "idle_timeout": 60, "requests": 100000000}
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, "http_version": "2"}
    put(gateway, "routes/1", {"uri": "/*", "upstream": {**nodes, "keepalive_pool": keep}})
    told = told_by("h2load", "--h1", "-n", "20000", "-c", "64", plain(gateway, "small"))
    found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", told)
    check(found and found[1] == "20000" and "20000 2xx" in told, told)
    check(server.connections() == 1, f"{server.connections()} connections")


def test_connections_that_are_used_up(story):
    folder = files(story)
    gateway, _ = with_server(story, "nghttpd", "--no-tls", "-d", folder, "PORT")
    told = told_by("h2load", "--h1", "-n", "20000", "-c", "64", plain(gateway, "small"))
    check("20000 2xx" in told, told)


def test_a_server_that_goes_and_comes(story):
    folder = files(story)
    gateway, server = with_server(story, "nghttpd", "--no-tls", "-d", folder, "PORT")
    words = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", plain(gateway, "small")]
    check(told_by(*words) == "200", "it is there")
    server.process.kill()
    server.process.wait()
    check(told_by(*words) == "502", "it is gone")
    command = ["nghttpd", "--no-tls", "-d", str(folder), str(server.port)]
    server.process.stdin.close()
    server.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    eventually(lambda: told_by(*words) == "200", "it is there again")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["curl", "openssl", "nghttpd", "h2load"]))
