#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hammers the Admin API with junk, huge and deeply nested bodies, and with a million wrong keys: it answers
each in a clear way, grows by nothing, and lets in who has the key.

hammer.py [--binary PATH] [--bodies 20000] [--keys 1000000] [--seed N]. Ends with `N passed, N failed`.
"""

import json
import random
import sys

import storm

sys.path.insert(0, str(storm.TOP / "tests/bench"))
import measure
from client import Connection, connect, request_bytes
from gateway import KEY

GROWTH_MAX = 48 << 20
AT_ONCE = 200  # wrong keys in one write
WORDS = ['"uri"', '"/a"', ":", ",", "{", "}", "[", "]", '"plugins"', "1e999", "-", "null", "\\ud800", "\x00"]


def junk(chance):
    """Bytes, or what looks like JSON for a while, or a body of a resource with a part of it exchanged."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return "".join(chance.choice(WORDS) for _ in range(chance.randrange(30))).encode()
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    if kind == 2:
        depth = chance.choice([65, 1000, 50000])
        return (opening * depth + "1" + closing * chance.choice([0, depth])).encode()
    text = json.dumps({"uri": "/a", "plugins": {"cors": {}}, "upstream": {"nodes": {"127.0.0.1:1": 1}}})
    at = chance.randrange(len(text))
    return (text[:at] + chance.choice(WORDS) + text[at + chance.randrange(8) :]).encode("utf-8", "replace")


def bodies(gateway, options):
    """None, or what was wrong with an answer."""
    chance = random.Random(options.seed)
    connection = Connection(gateway.address("admin"))
    for number in range(options.bodies):
        body = junk(chance)
        method = chance.choice(["PUT", "PATCH", "POST"])
        path = chance.choice(["routes/1", "consumers/a", "ssls/1", "transactions", "secrets/vault/1"])
        wire = request_bytes(method, "/apisix/admin/" + path, [("X-API-KEY", KEY)], body)
        answer = connection.exchange(method, wire)
        if answer.status not in (200, 201, 400, 404, 405, 409):
            return f"body {number} (seed {options.seed}): {body[:80]!r} was answered {answer.brief()}"
    connection.close()
    return None


def huge(gateway):
    """A body over the limit is refused, however it comes."""
    address = gateway.address("admin")
    for size in (2 << 20, 64 << 20):
        head = f"PUT /apisix/admin/routes/1 HTTP/1.1\r\nHost: a\r\nX-API-KEY: {KEY}\r\n"
        with connect(address) as sock:
            sock.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
            try:
                for _ in range(size >> 20):
                    sock.sendall(b"x" * (1 << 20))
            except OSError:
                pass  # it has heard enough
            try:
                answer = sock.recv(4096)
            except ConnectionResetError:
                continue
            if answer and not answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")):
                return f"{size} bytes were answered {answer[:200]!r}"
    return None


def read_answers(sock, count):
    """The statuses of so many answers on a kept connection."""
    told, rest = [], b""
    while len(told) < count:
        end = rest.find(b"\r\n\r\n")
        length = 0
        if end >= 0:
            head = rest[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if end < 0 or len(rest) < end + 4 + length:
            more = sock.recv(1 << 16)
            if not more:
                raise storm.Failure(f"the connection ended behind {len(told)} of {count} answers")
            rest += more
            continue
        told.append(int(rest[9:12]))
        rest = rest[end + 4 + length :]
    return told


def wrong_keys(gateway, count, chance):
    """How often each status was the answer to so many guesses."""
    statuses = {}
    for _ in range(0, count, AT_ONCE):
        guesses = (chance.randbytes(16).hex() for _ in range(AT_ONCE))
        opening = "GET /apisix/admin/routes HTTP/1.1\r\nHost: a\r\nX-API-KEY: "
        with connect(gateway.address("admin")) as sock:
            sock.sendall("".join(f"{opening}{guess}\r\n\r\n" for guess in guesses).encode())
            for status in read_answers(sock, AT_ONCE):
                statuses[status] = statuses.get(status, 0) + 1
    return statuses


def problems(gateway, options):
    route = json.dumps({"uri": "/kept", "upstream": {"nodes": {"127.0.0.1:1": 1}}}).encode()
    kept = gateway.admin("PUT", "/apisix/admin/routes/kept", route)
    yield None if kept.status == 201 else kept.brief()
    wrong_keys(gateway, 10 * AT_ONCE, random.Random(0))
    before = measure.resident_bytes(gateway.serving())
    yield bodies(gateway, options)
    yield huge(gateway)
    began = storm.time.monotonic()
    statuses = wrong_keys(gateway, options.keys, random.Random(options.seed))
    seconds = storm.time.monotonic() - began
    yield None if set(statuses) <= {401, 429} else f"guesses were answered {statuses}"
    most = 100 + 12 * (seconds + 1)
    checked = statuses.get(401, 0)
    yield None if checked <= most else f"{checked} guesses were looked at in {seconds:.0f} s"
    lines = gateway.log().count("refused: ")
    yield None if lines <= seconds + 20 else f"{lines} lines in the log for {seconds:.0f} s"
    answer = gateway.admin("GET", "/apisix/admin/routes/kept")
    yield None if answer.status == 200 else f"who has the key is answered {answer.brief()}"
    grown = measure.resident_bytes(gateway.serving()) - before
    yield None if grown < GROWTH_MAX else f"the gateway has grown by {grown >> 20} MB"
    told = f"{options.keys} wrong keys in {seconds:.0f} s, {lines} lines, {grown >> 20} MB"
    print(f"{options.bodies} bodies; {told}")


def main():
    options = storm.options_of(__doc__, bodies=20000, keys=1000000, seed=1)
    return storm.run(problems, options)


if __name__ == "__main__":
    sys.exit(main())
