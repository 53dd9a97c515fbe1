# SPDX-License-Identifier: Apache-2.0
"""A scriptable HTTP/1.1 server on a free port of 127.0.0.1: the peers of a scenario, good and bad."""

import json
import socket
import struct
import threading
import time

REASONS = {200: "OK", 204: "No Content", 304: "Not Modified", 404: "Not Found", 500: "Internal Server Error"}


class Request:
    def __init__(self, method, target, version, headers, connection):
        self.method, self.target, self.version = method, target, version
        self.headers, self.connection = headers, connection
        self.body, self.trailers = b"", []

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self):
        headers = {}
        for key, value in self.headers:
            key = key.lower()
            headers[key] = value if key not in headers else headers[key] + ", " + value
        told = {"method": self.method, "target": self.target, "version": self.version, "headers": headers}
        told["body"] = self.body.decode("latin-1")
        told["trailers"] = dict(self.trailers)
        return told


class Reader:
    """Reads HTTP/1.1 from a socket; used by the upstream and by the client."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, count):
        parts = [self.buffer[:count]]
        self.buffer = self.buffer[count:]
        got = len(parts[0])
        while got < count:
            data = self.sock.recv(min(count - got, 1 << 20))
            if not data:
                raise EOFError
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return lines[0], [
            tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line
        ]

    def chunked(self):
        """(body, trailers)"""
        parts = []
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            parts.append(self.exactly(size))
            if self.exactly(2) != b"\r\n":
                raise ValueError("a chunk does not end with CRLF")
        trailers = []
        while True:
            line = self.until(b"\r\n").decode("latin-1")
            if not line:
                return b"".join(parts), trailers
            trailers.append(tuple(part.strip() for part in line.split(":", 1)))


def find(headers, name):
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


class Upstream:
    def __init__(self, name, behaviour):
        self.name, self.behaviour = name, behaviour
        self.changed = threading.Condition()
        self.requests, self.connections = [], 0
        self.listener, self.port = bound_socket()
        self.open, self.listening = set(), False
        self.become(behaviour)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def become(self, behaviour):
        """A bound socket that does not listen refuses connections and keeps its port."""
        self.behaviour = behaviour
        if behaviour["kind"] != "refuse" and not self.listening:
            self.listening = True
            self.listener.listen(512)
            threading.Thread(target=self.accept, daemon=True).start()
        elif behaviour["kind"] == "refuse" and self.listening:
            self.drop()

    def drop(self):
        """Stops listening and hangs up on everybody."""
        if self.listening:
            self.listening = False
            self.listener.shutdown(socket.SHUT_RDWR)
        with self.changed:
            for sock in list(self.open):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.drop()
        self.listener.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.open.add(sock)
                self.connections += 1
                number = self.connections
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()

    def wait(self, condition, seconds):
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def serve(self, sock, number):
        reader, served = Reader(sock), 0
        try:
            while True:
                request = self.receive(reader, sock, number)
                served += 1
                if not self.answer(sock, reader, request, served):
                    break
        except (EOFError, OSError, ValueError, IndexError):
            pass
        finally:
            with self.changed:
                self.open.discard(sock)
            sock.close()

    def receive(self, reader, sock, number):
        line, headers = reader.head()
        method, target, version = line.split(" ", 2)
        request = Request(method, target, version, headers, number)
        early = self.behaviour["kind"] == "early"
        if early:
            self.record(request)
            return request
        if (find(headers, "expect") or "").lower() == "100-continue":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (find(headers, "transfer-encoding") or "").lower():
            request.body, request.trailers = reader.chunked()
        elif find(headers, "content-length"):
            request.body = reader.exactly(int(find(headers, "content-length")))
        self.record(request)
        return request

    def record(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def answer(self, sock, reader, request, served):
        """True while the connection is to be kept."""
        behaviour = self.behaviour
        kind = behaviour["kind"]
        if kind == "close-idle":
            if served > 1:
                return False
            behaviour = {"kind": "reply", "status": 200, "body": b"hello", "headers": []}
        if kind in ("reply", "echo", "close-idle", "early"):
            sock.sendall(self.response(behaviour, request))
            return not behaviour.get("close") and kind != "early"
        if kind == "raw":
            sock.sendall(behaviour["body"])
            return not behaviour.get("close")
        if kind == "hang":
            self.wait_for_hangup(sock)
        elif kind == "reset":
            reset(sock)
        elif kind == "reset-mid-head":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
            reset(sock)
        elif kind == "reset-mid-body":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
            reset(sock)
        elif kind == "garbage":
            sock.sendall(b"\x16\x03\x01 this is no HTTP \x00\xff\r\n\r\n")
        elif kind == "upgrade":
            token = find(request.headers, "upgrade") or "echo"
            head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {token}\r\n\r\n"
            sock.sendall(head.encode() + reader.buffer)
            while data := sock.recv(65536):
                sock.sendall(data)
        return False

    @staticmethod
    def wait_for_hangup(sock):
        while sock.recv(65536):
            pass

    @staticmethod
    def response(behaviour, request):
        status = behaviour.get("status", 200)
        headers = list(behaviour.get("headers", []))
        body = behaviour.get("body", b"")
        if behaviour["kind"] == "echo":
            body = json.dumps(request.json()).encode()
            headers.append(("Content-Type", "application/json"))
        if behaviour.get("chunked"):
            headers.append(("Transfer-Encoding", "chunked"))
            middle = len(body) // 2
            parts = [part for part in (body[:middle], body[middle:]) if part]
            wire = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n"
            wire += b"".join(f"{k}: {v}\r\n".encode() for k, v in behaviour.get("trailers", [])) + b"\r\n"
        else:
            if status not in (204, 304):
                headers.append(("Content-Length", str(len(body))))
            wire = body
        if behaviour.get("close"):
            headers.append(("Connection", "close"))
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n"
        bodiless = request.method == "HEAD" or status in (204, 304)
        return head.encode("latin-1") + (b"" if bodiless else wire)


def bound_socket():
    """Bound by number: a port that the kernel chose would be given back when the socket stops listening."""
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            return listener, port
        except OSError:
            listener.close()
    raise OSError("no free port for an upstream")


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def deadline(seconds):
    """A function that says how many seconds are left, never below zero."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())
