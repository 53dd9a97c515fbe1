#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with clients: curl, nghttp and h2load ask a gateway, and hostile frames by hand try to wear it out.

http2_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time

from http2_frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE
from http2_frames import PRIORITY, RST, SETTINGS, connection, frame, frames_in
from papers import Authority
from story import check, eventually, put, run

# GET / http localhost, by the static table and literals that are not indexed.
REQUEST = b"\x82\x86\x84\x41\x09localhost"
RESIDENT_MAX = 60e6  # bytes that an attack may add
CPU_MAX = 3  # seconds of processor that it may cost


def with_route(story, config=None, **behaviour):
    """A gateway with one route to an upstream, an authority and a certificate for a.test."""
    gateway = story.gateway(config)
    upstream = story.upstream(**behaviour)
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes})
    authority = Authority(story.folder)
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", {"cert": pair.pem, "key": pair.key_pem, "snis": ["a.test"]})
    return gateway, authority, upstream


def told_by(*command, status=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode("utf-8", "replace")
    check(done.returncode == status, f"exit code {done.returncode}: {told}")
    return told


def curl(gateway, authority, *words, path="/"):
    port = gateway.ports["tls"]
    place = ["--connect-to", f"a.test:{port}:127.0.0.1:{port}", "--cacert", authority.certificate]
    place += ["-m", "30", "--noproxy", "*"]
    return told_by("curl", "-sS", *place, *words, f"https://a.test:{port}{path}")


def plain(gateway):
    return f"http://127.0.0.1:{gateway.ports['data']}"


def resident(gateway):
    with open(f"/proc/{gateway.serving()}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def processor(gateway):
    """Seconds that the process has used."""
    with open(f"/proc/{gateway.serving()}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hostile(gateway, wire, times=1):
    """Sends what no honest client sends, `times` over; what came back, and whether it was hung up on."""
    before, spent, came, ended = resident(gateway), processor(gateway), b"", False
    with socket.create_connection(gateway.address("data"), 20) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        sock.setblocking(False)
        end, left, sent = time.monotonic() + 20, b"", 0
        while time.monotonic() < end and not ended:
            if not left and sent < times:
                left, sent = wire(sent), sent + 1
            writers = [sock] if left else []
            readable, writable, _ = select.select([sock], writers, [], 2 if sent >= times else 0.2)
            try:
                if writable:
                    left = left[sock.send(left) :]
                if readable:
                    read = sock.recv(65536)
                    came, ended = (came + read)[-200000:], not read
            except ConnectionError:
                ended = True
            if sent >= times and not readable and not writable:
                break
    check(resident(gateway) - before < RESIDENT_MAX, "memory has grown")
    check(processor(gateway) - spent < CPU_MAX, f"it cost {processor(gateway) - spent:.1f} s of processor")
    return came, ended


def still_serves(gateway):
    words = ["-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge"]
    code = told_by("curl", "-sS", *words, plain(gateway))
    check(code == "200", code)


def test_curl_over_tls_and_without(story):
    gateway, authority, upstream = with_route(story)
    told = curl(gateway, authority, "--http2", "-w", " %{http_version}")
    check(told.endswith(" 2"), told)
    headers = json.loads(told[:-2])["headers"]
    check(headers["host"].startswith("a.test") and headers["x-forwarded-proto"] == "https", headers)
    told = curl(gateway, authority, "--http1.1", "-w", " %{http_version}")
    check(told.endswith(" 1.1"), told)
    words = ["curl", "-sS", "-w", " %{http_version} %{http_code}"]
    told = told_by(*words, "--http2-prior-knowledge", f"{plain(gateway)}/x?y=1", "-b", "a=1", "-H", "X-A: b")
    check(told.endswith(" 2 200"), told)
    seen = json.loads(told[: -len(" 2 200")])
    check(seen["target"] == "/x?y=1" and seen["headers"]["x-a"] == "b", seen)
    check(seen["headers"]["cookie"] == "a=1", seen)
    check(told_by(*words, "--http1.1", plain(gateway)).endswith(" 1.1 200"), "HTTP/1.1 on the same port")
    told = told_by(*words, "--http2-prior-knowledge", "-I", plain(gateway))
    check(told.endswith(" 2 200"), told)
    upstream.become({"kind": "reply", "status": 204, "headers": []})
    check(told_by(*words, "--http2-prior-knowledge", plain(gateway)).endswith(" 2 204"), "no body")


def test_bodies_both_ways(story):
    gateway, authority, upstream = with_route(story)
    big = story.folder / "big"
    big.write_bytes(bytes(range(256)) * 16384)
    words = ["-o", "/dev/null", "-w", "%{http_code}"]
    told = curl(gateway, authority, "--http2", "--data-binary", f"@{big}", *words)
    check(told == "200", told)
    check(upstream.requests[-1].body == big.read_bytes(), "the body arrived")
    told = curl(gateway, authority, "--http2", "--data-binary", "small")
    check(json.loads(told)["body"] == "small", told)
    upstream.become({"kind": "reply", "status": 200, "body": big.read_bytes(), "headers": []})
    out = story.folder / "out"
    for chunked in (False, True):
        upstream.become({**upstream.behaviour, "chunked": chunked})
        curl(gateway, authority, "--http2", "-o", out)
        check(out.read_bytes() == big.read_bytes(), f"the response arrived, chunked {chunked}")


def test_trailers(story):
    gateway, _, upstream = with_route(story)
    reply = {"kind": "reply", "status": 200, "body": b"abcd", "headers": []}
    upstream.become({**reply, "chunked": True, "trailers": [("X-T", "v")]})
    told = told_by("nghttp", "-v", plain(gateway))
    check("x-t: v" in told, told)


def test_trailers_of_requests(story):
    gateway, _, _ = with_route(story)
    head = frame(HEADERS, END_HEADERS, 1, b"\x83" + REQUEST[1:])
    trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x03x-t\x01v\x00\x06cookie\x01c")
    with socket.create_connection(gateway.address("data"), 20) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + head + frame(DATA, 0, 1, b"abc"))
        sock.sendall(trailers)
        told = b"".join(payload for kind, _, _, payload in ended(sock) if kind == DATA)
    seen = json.loads(told)
    check(seen["body"] == "abc" and {k.lower(): v for k, v in seen["trailers"].items()}["x-t"] == "v", seen)


def ended(sock):
    """Frames up to the end of stream 1."""
    for one in connection(sock):
        yield one
        if one[2] == 1 and one[1] & END_STREAM:
            return


def test_off(story):
    gateway, authority, _ = with_route(story, {"apisix": {"enable_http2": False}})
    check(curl(gateway, authority, "--http2", "-w", " %{http_version}").endswith(" 1.1"), "falls back")


def test_many_streams(story):
    gateway, _, _ = with_route(story)
    told = told_by("h2load", "-n", "4000", "-c", "4", "-m", "32", plain(gateway))
    found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", told)
    check(found and found[1] == "4000", told)


def test_goaway_behind_keepalive_requests(story):
    gateway, _, _ = with_route(story, {"nginx_config": {"http": {"keepalive_requests": 5}}})
    wire = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, REQUEST) for i in range(5))
    came, _ = hostile(gateway, lambda _: wire)
    kinds = frames_in(came)
    check(kinds.count(GOAWAY) == 1 and kinds.count(HEADERS) == 5, kinds)


def test_rapid_reset(story):
    gateway, _, upstream = with_route(story, {"nginx_config": {"http": {"keepalive_requests": 1000000}}})
    upstream.become({"kind": "hang"})

    def resets(turn):
        wire = b""
        for i in range(100):
            stream = 1 + 2 * (turn * 100 + i)
            wire += frame(HEADERS, END_HEADERS | END_STREAM, stream, REQUEST)
            wire += frame(RST, 0, stream, struct.pack(">I", 8))
        return wire

    _, ended = hostile(gateway, resets, 200)
    check(ended, "20,000 resets end the connection")
    upstream.become({"kind": "echo"})
    still_serves(gateway)


def test_floods(story):
    gateway, _, _ = with_route(story)
    head = frame(HEADERS, END_HEADERS, 1, b"\x83" + REQUEST[1:])
    for name, wire in (
        ("pings", lambda _: frame(PING, 0, 0, b"12345678") * 200),
        ("settings", lambda _: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 200),
        ("priorities", lambda _: frame(PRIORITY, 0, 1, b"\0\0\0\0\1") * 200),
        ("empty frames", lambda turn: (head if turn == 0 else b"") + frame(DATA, 0, 1) * 200),
    ):
        _, ended = hostile(gateway, wire, 100)
        check(ended, f"20,000 {name} end the connection")
        still_serves(gateway)


def test_continuations_and_header_bombs(story):
    gateway, _, _ = with_route(story)
    begin = frame(HEADERS, END_STREAM, 1, REQUEST)
    junk = frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100)
    _, ended = hostile(gateway, lambda turn: begin if turn == 0 else junk * 50, 100)
    check(ended, "a head without an end ends the connection")
    # One large field in the dynamic table, then named again and again by one byte each.
    field = b"\x40\x01x" + b"\x7f\x81\x1e" + b"y" * 4000
    bomb = frame(HEADERS, END_HEADERS | END_STREAM, 1, REQUEST + field + b"\xbe" * 12000)
    came, _ = hostile(gateway, lambda _: bomb)
    check(len(came) < 4096, "refused")
    still_serves(gateway)


def test_a_client_that_takes_nothing(story):
    gateway, _, upstream = with_route(story, {"nginx_config": {"http": {"send_timeout": "1s"}}})
    upstream.become({"kind": "reply", "status": 200, "body": b"x" * 10000000, "headers": []})
    window = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 10))
    wire = window + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, REQUEST) for i in range(100))
    before = resident(gateway)
    with socket.create_connection(gateway.address("data"), 20) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + wire)
        came = b""
        while frames_in(came).count(RST) < 100:
            read = sock.recv(65536)
            check(read, "each stream is reset on its own")
            came += read
    check(resident(gateway) - before < RESIDENT_MAX, "bodies are pulled only as they are taken")


def test_nonsense(story):
    gateway, _, _ = with_route(story)
    for wire in (
        frame(HEADERS, END_HEADERS | END_STREAM, 2, REQUEST),
        frame(DATA, 0, 1, b"x"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 50),
        frame(SETTINGS, 0, 1),
        b"\xff" * 500,
    ):
        hostile(gateway, lambda _, wire=wire: wire)
    for fields in (b"\x82\x86\x44\x06/a b c", b"\x82\x86\x84\x41\x03a b", b"\x82\x86"):
        hostile(gateway, lambda _, fields=fields: frame(HEADERS, 5, 1, fields))
    still_serves(gateway)


def test_a_reload_ends_connections_with_goaway(story):
    gateway, _, upstream = with_route(story)
    with socket.create_connection(gateway.address("data"), 20) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS | END_STREAM, 1, REQUEST))
        check(upstream.wait(lambda: upstream.requests, 10), "a request")
        told_by(gateway.binary, "reload", "-p", gateway.prefix)
        came = b""
        while True:
            read = sock.recv(65536)
            if not read:
                break
            came += read
    check(GOAWAY in frames_in(came) and HEADERS in frames_in(came), frames_in(came))
    eventually(lambda: still_serves(gateway) is None, "the new process serves")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["curl", "openssl", "nghttp", "h2load"]))
