#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket over HTTP/2 (RFC 8441), with Python's h2 as the client: tunnels to a server of HTTP/1.1.

http2_websocket_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import os
import socket
import subprocess
import sys
import time

try:
    import h2.config
    import h2.connection
    import h2.events
    from h2.settings import SettingCodes
except ImportError:  # Debian's python3-h2 is for Debian's python3
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    print("not installed: h2 (python3-h2); WebSocket over HTTP/2 is NOT tested")
    sys.exit(77)

from story import check, put, run


class Client:
    """One connection; `wait` reads until a condition holds."""

    def __init__(self, story, gateway):
        self.sock = story.add(socket.create_connection(gateway.address("data"), 20))
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.heads, self.bytes, self.ended, self.told_to_go = {}, {}, set(), None
        self.send()

    def send(self):
        self.sock.sendall(self.h2.data_to_send())

    def wait(self, condition, what):
        while not condition():
            read = self.sock.recv(65536)
            check(read, f"the gateway hung up before: {what}")
            for event in self.h2.receive_data(read):
                self.take(event)
            self.send()

    def take(self, event):
        if isinstance(event, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bytes[event.stream_id] = self.bytes.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            # Streams go on behind it (RFC 9113 §6.8); h2 thinks that all is over.
            self.told_to_go = event.error_code
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN

    def open(self, path="/", protocol="websocket"):
        """A stream, and the status that it was answered with."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path)]
        fields += [(":authority", "a.test"), ("sec-websocket-version", "13"), ("origin", "http://a.test")]
        self.h2.send_headers(stream, fields)
        self.send()
        self.wait(lambda: stream in self.heads, "an answer")
        return stream, self.heads[stream][":status"]

    def say(self, stream, data, end=False):
        self.h2.send_data(stream, data, end)
        self.send()


def with_route(story, **fields):
    gateway = story.gateway(workers=1)
    upstream = story.upstream(kind="upgrade")
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes, "enable_websocket": True, **fields})
    return gateway, upstream


def test_it_is_offered(story):
    gateway, _ = with_route(story)
    client = Client(story, gateway)
    told = client.h2.remote_settings
    client.wait(lambda: told.get(SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1, "the setting")


def test_bytes_both_ways(story):
    gateway, upstream = with_route(story)
    client = Client(story, gateway)
    first, status = client.open("/chat?x=1")
    check(status == "200" and "upgrade" not in client.heads[first], client.heads)
    check("sec-websocket-accept" not in client.heads[first], client.heads)
    seen = upstream.requests[-1]
    headers = {name.lower(): value for name, value in seen.headers}
    check(seen.method == "GET" and seen.target == "/chat?x=1", seen)
    check(headers["upgrade"] == "websocket" and headers["connection"].lower() == "upgrade", headers)
    check(headers["sec-websocket-version"] == "13" and len(headers["sec-websocket-key"]) == 24, headers)
    second, _ = client.open()
    for i in range(50):
        for stream in (first, second):
            client.say(stream, b"%d," % i)
    for stream in (first, second):
        wanted = b"".join(b"%d," % i for i in range(50))
        client.wait(lambda one=stream: client.bytes.get(one) == wanted, "an echo")
    client.say(first, b"", end=True)
    client.wait(lambda: first in client.ended, "the server ends it too")
    client.say(second, b"more")
    client.wait(lambda: client.bytes[second].endswith(b"more"), "the other one lives on")


def test_windows(story):
    gateway, _ = with_route(story)
    client = Client(story, gateway)
    stream, _ = client.open()
    sent, total = 0, 3 << 20
    while sent < total:
        room = min(client.h2.local_flow_control_window(stream), 16384, total - sent)
        if room:
            client.say(stream, b"x" * room)
            sent += room
        else:
            client.wait(lambda: client.h2.local_flow_control_window(stream) > 0, "a window")
    client.wait(lambda: len(client.bytes.get(stream, b"")) == total, "all of it")


def test_not_allowed(story):
    gateway, upstream = with_route(story, enable_websocket=False)
    client = Client(story, gateway)
    upstream.become({"kind": "echo"})
    check(client.open()[1] == "501", "a server that answers 200 to a GET has opened no tunnel")
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    put(gateway, "routes/1", {"uri": "/only", "upstream": nodes})
    check(client.open()[1] == "404", "no route")
    check(client.open("/", "other")[1] == "501", "no such protocol")


def test_a_server_that_refuses(story):
    gateway, upstream = with_route(story)
    upstream.become({"kind": "reply", "status": 403, "body": b"no", "headers": []})
    client = Client(story, gateway)
    stream, status = client.open()
    client.wait(lambda: stream in client.ended, "an end")
    check(status == "403" and client.bytes[stream] == b"no", (status, client.bytes))


def test_silence(story):
    gateway, upstream = with_route(story)
    nodes = {"type": "roundrobin", "nodes": {upstream.address: 1}}
    nodes["timeout"] = {"connect": 5, "send": 5, "read": 1}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes, "enable_websocket": True})
    client = Client(story, gateway)
    stream, _ = client.open()
    begun = time.monotonic()
    client.wait(lambda: stream in client.ended, "an end")
    check(0.5 < time.monotonic() - begun < 10, "after the read timeout")
    check(client.open()[1] == "200", "the connection lives on")


def test_a_client_that_goes(story):
    gateway, upstream = with_route(story)
    client = Client(story, gateway)
    stream, _ = client.open()
    client.h2.reset_stream(stream)
    client.send()
    again, _ = client.open()
    client.say(again, b"still")
    client.wait(lambda: client.bytes.get(again) == b"still", "an echo")
    check(len(upstream.requests) == 2, upstream.requests)


def test_it_outlives_a_reload_and_an_upgrade(story):
    gateway, _ = with_route(story)
    for verb in ("reload", "upgrade"):
        client = Client(story, gateway)
        stream, _ = client.open()
        command = [gateway.binary, verb, "-p", str(gateway.prefix)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        check(done.returncode == 0, done)
        client.wait(lambda one=client: one.told_to_go is not None, "GOAWAY")
        check(client.told_to_go == 0, client.told_to_go)
        for i in range(3):
            client.say(stream, b"%d," % i)
        client.wait(lambda one=client, at=stream: one.bytes.get(at) == b"0,1,2,", "an echo")
        client.say(stream, b"", end=True)
        client.wait(lambda one=client, at=stream: at in one.ended, "the server ends it too")
        check(client.sock.recv(100) == b"", "the connection ends with its last stream")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, []))
