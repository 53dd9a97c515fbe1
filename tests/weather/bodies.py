#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends 1 GB through the gateway, and takes 1 GB from it, while its memory must not follow.

bodies.py [--binary PATH] [--megabytes 1024]. Ends with `N passed, N failed`.
"""

import sys
import threading

import storm

sys.path.insert(0, str(storm.TOP / "tests/bench"))
import measure
from client import connect
from upstream import Reader, bound_socket, find

GROWTH_MAX = 32 << 20
PIECE = b"sluice! " * 8192


class Sink(threading.Thread):
    """An upstream that counts a request's body, and answers with as many bytes as the target says."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener, self.port = bound_socket()
        self.listener.listen(16)
        self.got = 0

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        reader = Reader(sock)
        try:
            while True:
                line, headers = reader.head()
                wanted = int(line.split(" ")[1].rsplit("/", 1)[1])
                left = int(find(headers, "content-length") or 0)
                while left:
                    data = reader.exactly(min(left, len(PIECE)))
                    left -= len(data)
                    self.got += len(data)
                sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {wanted}\r\n\r\n".encode())
                for _ in range(wanted // len(PIECE)):
                    sock.sendall(PIECE)
        except (OSError, EOFError, ValueError, IndexError):
            sock.close()


def upload(gateway, size):
    """(status line, largest resident memory on the way)"""
    sock = connect(gateway.address("data"))
    sock.settimeout(120)
    sock.sendall(f"POST /in/0 HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    peak = 0
    for number in range(size // len(PIECE)):
        sock.sendall(PIECE)
        if number % 256 == 255:
            peak = max(peak, measure.resident_bytes(gateway.serving()))
    line, _ = Reader(sock).head()
    sock.close()
    return line, peak


def download(gateway, size):
    sock = connect(gateway.address("data"))
    sock.settimeout(120)
    sock.sendall(f"GET /out/{size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    reader, peak = Reader(sock), 0
    line, _ = reader.head()
    got = len(reader.buffer)
    while got < size:
        data = sock.recv(65536)
        if not data:
            return f"cut off after {got} bytes", peak
        if got >> 24 != (got + len(data)) >> 24:
            peak = max(peak, measure.resident_bytes(gateway.serving()))
        got += len(data)
    sock.close()
    return line, peak


def problems(gateway, options):
    size, sink = options.megabytes << 20, Sink()
    sink.start()
    storm.put_route(gateway, [f"127.0.0.1:{sink.port}"])
    upload(gateway, len(PIECE))
    before = measure.resident_bytes(gateway.serving())
    sink.got = 0
    for name, work in (("upload", upload), ("download", download)):
        line, peak = work(gateway, size)
        grown = max(0, peak - before)
        if " 200 " not in line:
            yield f"{name}: {line}"
        elif grown > GROWTH_MAX:
            yield f"{name}: memory grew by {grown >> 20} MB, {GROWTH_MAX >> 20} are allowed"
        elif name == "upload" and sink.got != size:
            yield f"upload: the upstream got {sink.got} bytes of {size}"
        else:
            print(f"{name} of {size >> 20} MB: memory grew by {grown >> 10} KB")
            yield None


if __name__ == "__main__":
    sys.exit(storm.run(problems, storm.options_of(__doc__, megabytes=1024)))
