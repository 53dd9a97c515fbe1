# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 client that shows all it got: interim responses, trailers, what came after, the close."""

import json
import select
import socket
import ssl

from upstream import Reader, find

SECONDS = 15


class Response:
    def __init__(self):
        self.status, self.reason, self.version = None, "", ""
        self.headers, self.trailers, self.body = [], [], b""
        self.interim, self.count, self.complete, self.closed = [], 0, True, False

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    def brief(self):
        if self.status is None:
            return "no response" + (", connection closed" if self.closed else ", connection open")
        body = self.body[:300].decode("latin-1")
        return f"{self.status} {self.reason}".strip() + f", body {body!r}"


def connect(address, source=None):
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.settimeout(SECONDS)
    if source:
        sock.bind((source, 0))
    sock.connect(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request_bytes(method, target, headers, body=b"", chunked=False, version="1.1"):
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/{version}"]
    if "host" not in names:
        lines.append("Host: localhost")
    lines += [f"{name}: {value}" for name, value in headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in halves(body)) + b"0\r\n\r\n"
    elif (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in names:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def halves(body):
    middle = len(body) // 2
    return [part for part in (body[:middle], body[middle:]) if part]


def read_response(reader, method):
    """One final response; interim ones are kept beside it."""
    response = Response()
    while True:
        line, headers = reader.head()
        parts = line.split(" ", 2)
        status = int(parts[1])
        if 100 <= status < 200 and status != 101:
            response.interim.append(status)
            continue
        break
    response.version, response.status, response.headers = parts[0], status, headers
    response.reason = parts[2] if len(parts) > 2 else ""
    if method == "HEAD" or status in (101, 204, 304):
        return response
    try:
        if "chunked" in (find(headers, "transfer-encoding") or "").lower():
            response.body, response.trailers = reader.chunked()
        elif find(headers, "content-length") is not None:
            response.body = reader.exactly(int(find(headers, "content-length")))
        else:
            read_to_end(reader)
            response.body, reader.buffer = reader.buffer, b""
            response.closed = True
    except (EOFError, ConnectionError):
        response.complete, response.closed = False, True
    return response


def read_to_end(reader):
    try:
        while True:
            reader.more()
    except (EOFError, ConnectionError):
        pass


class Connection:
    """One connection to the gateway; opened again when the gateway closed it between two requests."""

    def __init__(self, address, source=None):
        self.address, self.source = address, source
        self.sock = self.reader = None

    def exchange(self, method, wire):
        if self.sock is None:
            self.sock = connect(self.address, self.source)
            self.reader = Reader(self.sock)
        response = Response()
        try:
            self.sock.sendall(wire)
        except ConnectionError:
            pass  # an answer may have come before the whole request was taken
        try:
            response = read_response(self.reader, method)
        except (EOFError, ConnectionError):
            response.closed = True
        response.count = 0 if response.status is None else 1
        if response.closed or (find(response.headers, "connection") or "").lower() == "close":
            self.close()
            response.closed = True
        return response

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None


def raw_exchange(address, source, segments, half_close, wants, look_at_end):
    """Sends segments, each in a packet of its own; reads `wants` responses; looks how the connection ends."""
    sock = connect(address, source)
    reader, first, count = Reader(sock), Response(), 0
    try:
        for index, segment in enumerate(segments):
            try:
                sock.sendall(segment)
            except ConnectionError:
                break
            if index + 1 < len(segments):
                select.select([sock], [], [], 0.05)
        if half_close:
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        method = segments[0].split(b" ")[0].decode("latin-1") if segments else ""
        while count < wants:
            try:
                response = read_response(reader, method)
            except (EOFError, ConnectionError):
                first.closed = True
                break
            except TimeoutError:
                break
            count += 1
            first = response if count == 1 else first
        first.count = count
        first.closed = first.closed or (look_at_end and ended(sock))
    finally:
        sock.close()
    return first


def stream_exchange(address, source, segments, half_close, sni, enough):
    """Sends segments over a connection below HTTP and reads until `enough` holds or the other side ends."""
    response = Response()
    try:
        sock = connect(address, source)
    except ConnectionResetError:  # it was taken and refused before the system told of it
        response.closed = True
        return response
    try:
        if sni is not None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=sni)
        for segment in segments:
            sock.sendall(segment)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        while not enough(response):
            piece = sock.recv(65536)
            response.body += piece
            if not piece:
                break
        response.closed = ended(sock)
    except (ConnectionError, ssl.SSLError):
        response.closed = True
    except TimeoutError:
        pass
    finally:
        sock.close()
    return response


def ended(sock):
    """Whether the other side has closed, or does so within half a second."""
    readable, _, _ = select.select([sock], [], [], 0.5)
    try:
        return bool(readable) and sock.recv(1) == b""
    except ConnectionError:
        return True
