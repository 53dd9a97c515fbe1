# SPDX-License-Identifier: Apache-2.0
"""The words of the scenario language: each is a method `do_WORD`. README.md tells them."""

import json
import subprocess
import threading

import names
from client import SECONDS, Connection, raw_exchange, request_bytes
from expect import check, check_json, compare
from gateway import KEY
from language import Comma, Failure, Text, raw, split_expect
from stream_words import StreamWords
from upstream import Upstream, deadline

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "CONNECT"}
EVENTUAL_SECONDS = 15
# Words that need a gateway of their own, as `config` does.
OWN_GATEWAY = {"config", "gateway", "file"}


class Words:
    """Takes the words of a line from left to right."""

    def __init__(self, words):
        self.words, self.at = [word for word in words if not isinstance(word, Comma)], 0

    def more(self):
        return self.at < len(self.words)

    def take(self, what):
        if not self.more():
            raise Failure(f"{what} is missing at the end of the line")
        self.at += 1
        return self.words[self.at - 1]

    def header(self):
        """`K: V` as two words, or as one text "K: V"."""
        name = self.take("a header's name")
        if isinstance(name, Text):
            key, _, value = name.partition(":")
            return key, value.strip()
        if not name.endswith(":"):
            raise Failure(f'a header is written `Name: value` or "Name: value", not {name}')
        return name[:-1], str(self.take("a header's value"))


class Printed:
    """What a program has printed, as far as clauses ask for it."""

    def __init__(self, text):
        self.body = text


class Runner(StreamWords):
    """Runs the steps of one scenario against one gateway."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.upstreams = {}
        self.certificates = {}
        self.revisions = {}
        self.routes = 0
        names.SERVER.known.clear()
        self.local = threading.local()

    def names(self):
        told = {name: upstream.address for name, upstream in self.upstreams.items()}
        told.update({name + ".port": upstream.port for name, upstream in self.upstreams.items()})
        told.update(self.certificates)
        told.update(self.revisions)
        told.update({"gateway." + name: port for name, port in self.gateway.ports.items()})
        told.update({"admin.key": KEY, "prefix": self.gateway.prefix})
        return told

    def close(self):
        for upstream in self.upstreams.values():
            upstream.close()

    def run(self, steps):
        for step in steps:
            try:
                self.run_step(step)
            except Failure as failure:
                if not hasattr(failure, "line"):
                    failure.line, failure.source = step.line, step.source
                raise
            except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
                failure = Failure(f"{type(error).__name__}: {error}")
                failure.line, failure.source = step.line, step.source
                raise failure from error

    def run_step(self, step):
        words = step.words(self.names())
        head = words[0]
        if head in METHODS:
            return self.request(words)
        method = getattr(self, "do_" + str(head).replace("-", "_"), None)
        if method is None:
            raise Failure(f"unknown word {head}")
        if step.block or head in ("repeat", "parallel", "eventually", "connection"):
            return method(words, step.block)
        return method(words)

    # -- blocks --

    def do_client(self, words, block=None):
        before = getattr(self.local, "source", None)
        self.local.source = words[1]
        if block:
            self.run(block)
            self.local.source = before

    def do_repeat(self, words, block):
        for _ in range(int(words[1])):
            self.run(block)

    def do_parallel(self, words, block):
        """parallel N: the block N times at once; parallel: every line of the block at once."""
        jobs = [block] * int(words[1]) if len(words) > 1 else [[step] for step in block]
        failures, source = [], getattr(self.local, "source", None)

        def work(steps):
            self.local.source = source
            try:
                self.run(steps)
            except Failure as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(steps,)) for steps in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def do_eventually(self, words, block):
        left, pause = deadline(float(words[1]) if len(words) > 1 else EVENTUAL_SECONDS), threading.Event()
        while True:
            try:
                return self.run(block)
            except Failure:
                if not left():
                    raise
            pause.wait(0.05)

    def do_connection(self, words, block):
        self.local.connection = Connection(self.gateway.address("data"), getattr(self.local, "source", None))
        try:
            self.run(block)
        finally:
            self.local.connection.close()
            self.local.connection = None

    # -- upstreams --

    def do_upstream(self, words):
        name, verb = words[1], words[2]
        if verb == "expect" or verb == "saw":
            return self.upstream_expect(self.known(name), words[2:])
        behaviour = self.behaviour(Words(words[2:]))
        if name in self.upstreams:
            self.upstreams[name].become(behaviour)
        else:
            self.upstreams[name] = Upstream(name, behaviour)

    def do_name(self, words):
        """name HOST ADDRESS...: what ${names} answers from now on; without an address: no such name"""
        if len(words) > 2:
            names.SERVER.known[words[1]] = [str(word) for word in words[2:]]
        else:
            names.SERVER.known.pop(words[1], None)

    def known(self, name):
        if name not in self.upstreams:
            raise Failure(f"no upstream {name} in this scenario")
        return self.upstreams[name]

    @staticmethod
    def behaviour(words):
        kind = words.take("what the upstream does")
        told = {"kind": kind, "headers": [], "trailers": [], "body": b""}
        if kind not in {
            "reply",
            "early",
            "echo",
            "raw",
            "hang",
            "refuse",
            "reset",
            "reset-mid-head",
            "reset-mid-body",
            "garbage",
            "close-idle",
            "upgrade",
        }:
            raise Failure(f"an upstream cannot {kind}")
        if kind in ("reply", "early"):
            told["status"] = int(words.take("a status"))
        while words.more():
            option = words.take("an option")
            if isinstance(option, Text):
                told["body"] = raw(option)
            elif option == "header":
                told["headers"].append(words.header())
            elif option == "trailer":
                told["trailers"].append(words.header())
            elif option == "size":
                told["body"] = b"0123456789abcdef" * (int(words.take("a size")) // 16)
            elif option in ("chunked", "close"):
                told[option] = True
            else:
                raise Failure(f"an upstream's reply knows no {option}")
        return told

    def upstream_expect(self, upstream, words):
        if words[0] == "expect":
            wanted, what = int(words[1]), words[2]
            count = {"requests": lambda: len(upstream.requests), "connections": lambda: upstream.connections}
            if what.rstrip("s") + "s" not in count:
                raise Failure(f"an upstream counts requests or connections, not {what}")
            counter = count[what.rstrip("s") + "s"]
            upstream.wait(lambda: counter() >= wanted, EVENTUAL_SECONDS)
            if counter() != wanted:
                raise Failure(f"expected upstream {upstream.name} to have {wanted} {what}, got {counter()}")
            return
        if not upstream.wait(lambda: upstream.requests, EVENTUAL_SECONDS):
            raise Failure(f"upstream {upstream.name} saw no request")
        request = upstream.requests[-1]
        told = {"method": request.method, "target": request.target, "version": request.version}
        if words[1] in told:
            told_words = [words[1]] + words[2:]
            return check([["word", told[words[1]]] + told_words], request, f"upstream {upstream.name} saw")
        return check(split_expect(["expect", *words[1:]])[1], request, f"upstream {upstream.name} saw")

    # -- the Admin API --

    def do_route(self, words):
        """route PATTERN upstream U... [plugin NAME {json}]... [with {json}]"""
        rest = Words(words[1:])
        route = {"uri": str(rest.take("a pattern")), "upstream": {"type": "roundrobin", "nodes": {}}}
        extra = {}
        while rest.more():
            word = rest.take("a word")
            if word == "plugin":
                name = str(rest.take("a plugin's name"))
                route.setdefault("plugins", {})[name] = rest.take("a plugin's configuration")
            elif word == "with":
                extra = rest.take("JSON")
            elif word != "upstream":
                route["upstream"]["nodes"][self.known(word).address] = 1
        self.routes += 1
        if not route["upstream"]["nodes"]:
            del route["upstream"]
        upstream = extra.pop("upstream", None)
        route.update(extra)
        if upstream:
            route["upstream"] = {**route.get("upstream", {}), **upstream}
        name = route.pop("id", f"scenario-{self.routes}")
        self.write("PUT", f"routes/{name}", route)

    def write(self, method, path, body, clauses=None, headers=()):
        if not path.startswith("/"):
            path = "/apisix/admin/" + path
        wire = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        response = self.gateway.admin(method, path, wire, headers)
        if clauses:
            return check(clauses, response, f"{method} {path}")
        if response.status not in (200, 201):
            raise Failure(f"expected the Admin API to accept {method} {path}, got {response.brief()}")
        return response

    def do_admin(self, words):
        before, clauses = split_expect(words)
        rest = Words(before[1:])
        method, path = rest.take("a method"), rest.take("a path")
        body, headers = None, []
        while rest.more():
            word = rest.take("a word")
            if word == "header" and not isinstance(word, Text):
                headers.append(rest.header())
            else:
                body = raw(word) if isinstance(word, Text) else word
        return self.write(method, path, body, clauses, headers)

    def do_revision(self, words):
        """revision NAME: ${NAME} is the store's latest revision"""
        history = self.write("GET", "history?limit=1", None).json()
        latest = history["list"][0]["revision"] if history["list"] else 0
        self.revisions[words[1]] = max(latest, history["kept_since"])

    def do_put(self, words):
        return self.do_admin(["admin", words[0].upper(), *words[1:]])

    do_post = do_patch = do_delete = do_put

    # -- requests --

    def request(self, words, listener="data"):
        before, clauses = split_expect(words)
        rest = Words(before)
        method, target = rest.take("a method"), rest.take("a target")
        headers, body, options = [], b"", {}
        while rest.more():
            word = rest.take("a word")
            if word == "header":
                headers.append(rest.header())
            elif word == "body":
                body = raw(rest.take("a body"))
            elif word == "size":
                body = b"0123456789abcdef" * (int(rest.take("a size")) // 16)
            elif word == "chunked":
                options["chunked"] = True
            elif word == "version":
                options["version"] = rest.take("a version")
            else:
                raise Failure(f"a request knows no {word}")
        connection = getattr(self.local, "connection", None) if listener == "data" else None
        if connection is None:
            headers.append(("Connection", "close")) if not self.has_connection(headers) else None
            address = self.gateway.address(listener)
            connection = Connection(address, getattr(self.local, "source", None))
            response = connection.exchange(method, request_bytes(method, target, headers, body, **options))
            connection.close()
        else:
            response = connection.exchange(method, request_bytes(method, target, headers, body, **options))
        check(clauses or [["200"]], response, f"{method} {target}")

    @staticmethod
    def has_connection(headers):
        return any(name.lower() == "connection" for name, _ in headers)

    def do_control(self, words):
        return self.request(words[1:], "control")

    def do_status(self, words):
        return self.request(words[1:], "status")

    def do_raw(self, words):
        """raw [admin or proxied] "bytes" "more bytes"... [half-close] expect ..."""
        before, clauses = split_expect(words)
        listener = before[1] if before[1:2] in (["admin"], ["proxied"]) else "data"
        segments = [raw(word) for word in before[1:] if isinstance(word, Text)]
        half_close = "half-close" in [word for word in before[1:] if not isinstance(word, Text)]
        kinds = [clause[0] for clause in clauses]
        wants = next((int(clause[1]) for clause in clauses if clause[0] == "responses"), 1)
        source = getattr(self.local, "source", None)
        look_at_end = "closed" in kinds or "open" in kinds
        response = raw_exchange(
            self.gateway.address(listener), source, segments, half_close, wants, look_at_end
        )
        check(clauses, response, "raw")

    # -- what the gateway tells --

    def polled(self, what, read, words):
        verb, text = words[0], words[1]
        left, pause = deadline(EVENTUAL_SECONDS), threading.Event()
        if verb not in ("has", "lacks"):
            raise Failure(f"{what} has or lacks a text, not {verb}")
        while True:
            told = read()
            if (text in told) == (verb == "has"):
                return
            if verb == "lacks" or not left():
                raise Failure(f"expected {what} {verb} {text!r}, got:\n{told[-3000:]}")
            pause.wait(0.05)

    def do_metrics(self, words):
        def read():
            path = "/apisix/prometheus/metrics"
            wire = request_bytes("GET", path, [("Connection", "close")])
            return (
                Connection(self.gateway.address("metrics"))
                .exchange("GET", wire)
                .body.decode("utf-8", "replace")
            )

        self.polled("the metrics", read, words[1:])

    def do_log(self, words):
        self.polled("error.log", lambda: self.gateway.log() + self.gateway.output(), words[1:])

    def do_data(self, words):
        self.polled("data/", lambda: self.gateway.data(), words[1:])

    def do_access_log(self, words):
        self.polled("access.log", lambda: self.gateway.log("access.log"), words[1:])

    # -- the process --

    def do_config(self, words):
        """Taken before the scenario starts: see run.py."""

    def do_embedded(self, words):
        """What it tells holds with the embedded store only; taken before the scenario starts: see run.py."""

    def do_certificate(self, words):
        """certificate NAME HOST...: a pair that signs itself; ${NAME.cert}, ${NAME.key}, as JSON has them"""
        name, hosts = str(words[1]), [str(word) for word in words[2:]]
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "2", "-subj", f"/CN={hosts[0]}", "-keyout", "-"]
        command += ["-addext", "subjectAltName=" + ",".join("DNS:" + host for host in hosts)]
        text = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 4, check=True).stdout
        begin = text.index("-----BEGIN CERTIFICATE")
        for part, pem in (("key", text[:begin]), ("cert", text[begin:])):
            self.certificates[f"{name}.{part}"] = pem.replace("\n", "\\n")

    def do_file(self, words):
        """file PATH "text" or {json}: below the prefix, in one step."""
        path = self.gateway.prefix / str(words[1])
        text = words[2] if isinstance(words[2], str) else json.dumps(words[2])
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(raw(text))
        beside.replace(path)

    def do_gateway(self, words):
        verb = words[1]
        if verb == "kill":
            self.gateway.kill()
        elif verb == "stop":
            code = self.gateway.stop()
            if code != 0:
                raise Failure(
                    f"expected the gateway to end with exit code 0, got {code}: {self.gateway.story()}"
                )
        elif verb == "start":
            self.gateway.start()
        else:
            raise Failure(f"the gateway cannot {verb}")

    def do_sluice(self, words):
        """sluice ARGUMENT... [input "text"] expect exit N, output has "...", json a.b is ... """
        before, clauses = split_expect(words)
        arguments, told = [str(word) for word in before[1:]], None
        if len(before) > 2 and before[-2] == "input" and not isinstance(before[-2], Text):
            arguments, told = arguments[:-2], before[-1]
        done = subprocess.run(
            [self.gateway.binary, *arguments],
            capture_output=True,
            input=(told if isinstance(told, str) else json.dumps(told)) if told is not None else "",
            text=True,
            timeout=SECONDS * 4,
            check=False,
        )
        output = done.stdout + done.stderr
        for clause in clauses:
            if clause[0] == "exit" and done.returncode != int(clause[1]):
                raise Failure(f"expected exit code {clause[1]}, got {done.returncode}: {output}")
            if clause[0] == "output":
                compare("the output", output, clause[1], clause[2])
            if clause[0] == "json":
                check_json(clause, Printed(done.stdout))
