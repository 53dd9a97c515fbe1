# SPDX-License-Identifier: Apache-2.0
"""Thousands of WebSockets: a server that answers each message with itself, in a process of its own, and
clients that say something on every one and want it back.

web_sockets.py is the server: it prints its port and serves until standard input ends.
"""

import os
import resource
import selectors
import socket
import subprocess
import sys

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
MASK = b"\x11\x22\x33\x44"
SECONDS = 30


def raise_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def masked(payload):
    return bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def from_client(payload):
    """A text frame as clients send it (RFC 6455 §5.2); up to 125 bytes."""
    return bytes([0x81, 0x80 | len(payload)]) + MASK + masked(payload)


def from_server(payload):
    return bytes([0x81, len(payload)]) + payload


class Server:
    """The process of the server, seen from the storm."""

    def __init__(self):
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class WebSocket:
    def __init__(self, address):
        self.sock = socket.create_connection(address, SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def open(self):
        self.sock.sendall(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = self.sock.recv(1 if head else 16)
            if not more:
                break
            head += more
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"a WebSocket was answered {head[:200]!r}")
        return self

    def say(self, payload):
        self.sock.sendall(from_client(payload))

    def hears(self, payload):
        """What is wrong, or None."""
        wanted, got = from_server(payload), b""
        while len(got) < len(wanted):
            more = self.sock.recv(len(wanted) - len(got))
            if not more:
                return "a WebSocket was ended"
            got += more
        return None if got == wanted else f"a WebSocket heard {got!r} for {wanted!r}"

    def close(self):
        self.sock.close()


class Crowd:
    """So many WebSockets; `problems` is what was wrong with them so far."""

    def __init__(self, address, count):
        self.address, self.rounds, self.messages, self.problems = address, 0, 0, []
        self.all = []
        self.join(count)

    def join(self, count):
        self.all += [WebSocket(self.address).open() for _ in range(count)]

    def leave(self, count):
        """The oldest of them end."""
        for one in self.all[:count]:
            one.close()
        del self.all[:count]

    def talk(self):
        """Each says something, and hears it."""
        self.rounds += 1
        payloads = [b"%d of round %d" % (number, self.rounds) for number in range(len(self.all))]
        lost = set()
        for how in (WebSocket.say, WebSocket.hears):
            for one, payload in zip(self.all, payloads):
                if one in lost:
                    continue
                try:
                    problem = how(one, payload)
                except OSError as error:
                    problem = f"{type(error).__name__}: {error}"
                if problem:
                    self.problems.append(problem)
                    lost.add(one)
        self.messages += len(self.all) - len(lost)
        self.all = [one for one in self.all if one not in lost]

    def close(self):
        self.leave(len(self.all))


def answer(sock, waiting):
    """Takes what has come on a socket of the server; False when it has ended."""
    try:
        more = sock.recv(65536)
    except OSError:
        return False
    if not more:
        return False
    waiting += more
    if waiting.startswith(b"GET "):
        end = waiting.find(b"\r\n\r\n")
        if end >= 0:
            sock.sendall(ACCEPTED)
            del waiting[: end + 4]
        return True
    while len(waiting) >= 2 and len(waiting) >= 6 + (waiting[1] & 0x7F):
        size = waiting[1] & 0x7F
        payload = masked(bytes(waiting[6 : 6 + size]))
        del waiting[: 6 + size]
        sock.sendall(from_server(payload))
    return True


def serve():
    raise_limit()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    chosen = selectors.DefaultSelector()
    chosen.register(listener, selectors.EVENT_READ)
    chosen.register(sys.stdin.fileno(), selectors.EVENT_READ)
    while True:
        for key, _ in chosen.select():
            if key.fileobj is listener:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chosen.register(sock, selectors.EVENT_READ, bytearray())
            elif key.data is None:
                if not os.read(sys.stdin.fileno(), 4096):
                    return
            elif not answer(key.fileobj, key.data):
                chosen.unregister(key.fileobj)
                key.fileobj.close()


if __name__ == "__main__":
    serve()
