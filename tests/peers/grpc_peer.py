#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC with grpcio on both sides: all kinds of calls, over plaintext and TLS, and what goes wrong with them.

grpc_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

try:
    import grpc
except ImportError:  # Debian's python3-grpcio is for Debian's python3
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    print("not installed: grpc (python3-grpcio); gRPC is NOT tested")
    sys.exit(77)

from http2_frames import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, connection, frame
from papers import Authority
from story import check, eventually, put, run

CALL = "/test.Echo/"
BIG = 8 << 20
Code = grpc.StatusCode


class Service(grpc.GenericRpcHandler):
    """Messages are bytes: what a call says about itself is in its metadata and its first message."""

    def __init__(self):
        self.active, self.cancelled, self.seen = 0, 0, []

    def service(self, details):
        kind = details.method.rpartition("/")[2]
        made = {
            "Unary": lambda: grpc.unary_unary_rpc_method_handler(self.unary),
            "Collect": lambda: grpc.stream_unary_rpc_method_handler(self.collect),
            "Expand": lambda: grpc.unary_stream_rpc_method_handler(self.expand),
            "Chat": lambda: grpc.stream_stream_rpc_method_handler(self.chat),
        }.get(kind)
        return made() if made else None

    def unary(self, request, context):
        self.seen.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata((("behind", "it"), ("behind-bin", b"\0\xff")))
        if request == b"refuse":
            context.abort(Code.FAILED_PRECONDITION, "not today: 100% sure")
        if request == b"wait":
            gone = threading.Event()
            context.add_callback(lambda: (setattr(self, "cancelled", self.cancelled + 1), gone.set()))
            gone.wait(30)
        if request == b"slow":
            threading.Event().wait(0.1)
        context.send_initial_metadata((("before", "it"),))
        return request * 2 if len(request) < BIG else request

    def collect(self, requests, _):
        return b",".join(requests)

    def expand(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i
        if request == b"3":
            context.abort(Code.DATA_LOSS, "behind three")

    def chat(self, requests, _):
        for request in requests:
            if request == b"die":
                yield b"last words"
                os.kill(os.getpid(), signal.SIGKILL)
            yield b"heard " + request


class Server:
    def __init__(self, credentials=None, **options):
        self.service_of_it = Service()
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        given = [(f"grpc.{name}", value) for name, value in options.items()]
        self.server = grpc.server(ThreadPoolExecutor(64), options=sizes + given)
        self.server.add_generic_rpc_handlers((self.service_of_it,))
        if credentials:
            self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        else:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(None).wait()

    def connections(self):
        """How many the gateway has with it."""
        end, count = f"0100007F:{self.port:04X}", 0
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as lines:
                fields = [line.split() for line in lines.readlines()[1:]]
            count += sum(one[1].endswith(end) and one[3] == "01" for one in fields)
        return count


class Mortal:
    """A server in a process of its own."""

    def __init__(self):
        command = [sys.executable, __file__, "--serve"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def with_server(story, server=None, scheme="grpc", config=None, **upstream):
    server = story.add(server or Server())
    gateway = story.gateway(config)
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, "scheme": scheme, **upstream}
    put(gateway, "routes/1", {"uri": "/test.Echo/*", "upstream": nodes})
    return gateway, server


class Client:
    def __init__(self, story, gateway, credentials=None, host=None):
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        sizes += [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        if host:
            sizes += [("grpc.ssl_target_name_override", host)]
        port = gateway.ports["tls" if credentials else "data"]
        place = f"127.0.0.1:{port}"
        made = grpc.secure_channel(place, credentials, sizes) if credentials else None
        self.channel = story.add(made or grpc.insecure_channel(place, sizes))
        self.unary = self.channel.unary_unary(CALL + "Unary")
        self.collect = self.channel.stream_unary(CALL + "Collect")
        self.expand = self.channel.unary_stream(CALL + "Expand")
        self.chat = self.channel.stream_stream(CALL + "Chat")


def refusal(call):
    """(code, details) of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("it was answered")


def check_all_kinds(client):
    answer, call = client.unary.with_call(b"ab", metadata=(("asked", "so"),), timeout=20)
    check(answer == b"abab", answer)
    check(dict(call.initial_metadata())["before"] == "it", call.initial_metadata())
    trailing = dict(call.trailing_metadata())
    check(trailing["behind"] == "it" and trailing["behind-bin"] == b"\0\xff", trailing)
    check(client.unary(b"", timeout=20) == b"", "an empty message")
    check(client.collect(iter([b"a", b"", b"c"]), timeout=20) == b"a,,c", "from a stream")
    check(list(client.expand(b"5", timeout=20)) == [b"0", b"1", b"2", b"3", b"4"], "to a stream")
    # Both ways at once: the next question is asked when the last was answered.
    asked, told = threading.Semaphore(1), []

    def questions():
        for i in range(20):
            asked.acquire()
            yield b"%d" % i

    for answer in client.chat(questions(), timeout=20):
        told.append(answer)
        asked.release()
    check(told == [b"heard %d" % i for i in range(20)], told)


def test_all_kinds_in_plaintext(story):
    gateway, server = with_server(story)
    check_all_kinds(Client(story, gateway))
    seen = server.service_of_it.seen[0]
    check(seen["asked"] == "so" and seen["x-real-ip"] == "127.0.0.1", seen)


def test_all_kinds_over_tls(story):
    authority = Authority(story.folder)
    pair = authority.signed("server", ["grpc.test"])
    keys = [(pair.key_pem.encode(), pair.pem.encode())]
    mutual = grpc.ssl_server_credentials(keys, authority.pem.encode(), True)
    trusted = {"apisix": {"ssl": {"ssl_trusted_certificate": str(authority.certificate)}}}
    shown = authority.signed("gateway", [])
    gateway, _ = with_server(
        story,
        Server(mutual),
        "grpcs",
        trusted,
        pass_host="rewrite",
        upstream_host="grpc.test",
        tls={"client_cert": shown.pem, "client_key": shown.key_pem},
    )
    front = authority.signed("front", ["front.test"])
    put(gateway, "ssls/1", {"cert": front.pem, "key": front.key_pem, "snis": ["front.test"]})
    credentials = grpc.ssl_channel_credentials(authority.pem.encode())
    check_all_kinds(Client(story, gateway, credentials, "front.test"))


def test_a_server_that_is_not_trusted(story):
    authority = Authority(story.folder)
    pair = authority.signed("server", ["grpc.test"])
    credentials = grpc.ssl_server_credentials([(pair.key_pem.encode(), pair.pem.encode())])
    gateway, _ = with_server(story, Server(credentials), "grpcs")
    code, details = refusal(lambda: Client(story, gateway).unary(b"", timeout=20))
    check(code == Code.UNAVAILABLE, (code, details))
    check("ssl_trusted_certificate" in gateway.log(), "the log says what to do")


def test_errors_of_the_server(story):
    gateway, _ = with_server(story)
    client = Client(story, gateway)
    told = refusal(lambda: client.unary(b"refuse", timeout=20))
    check(told == (Code.FAILED_PRECONDITION, "not today: 100% sure"), told)
    got = []
    told = refusal(lambda: got.extend(client.expand(b"3", timeout=20)))
    check(told == (Code.DATA_LOSS, "behind three"), told)
    nothing = client.channel.unary_unary(CALL + "Nothing")
    check(refusal(lambda: nothing(b"", timeout=20))[0] == Code.UNIMPLEMENTED, "no such method")


def test_errors_of_the_gateway(story):
    gateway, server = with_server(story)
    client = Client(story, gateway)
    nowhere = client.channel.unary_unary("/no.Where/Unary")
    told = refusal(lambda: nowhere(b"", timeout=20))
    check(told == (Code.UNIMPLEMENTED, "404 Route Not Found"), told)
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, "scheme": "grpc"}
    put(gateway, "routes/2", {"uri": "/locked/*", "plugins": {"key-auth": {}}, "upstream": nodes})
    locked = client.channel.unary_unary("/locked/Unary")
    told = refusal(lambda: locked(b"", timeout=20))
    check(told == (Code.UNAUTHENTICATED, "Missing API key in request"), told)
    put(gateway, "routes/3", {"uri": "/dead/*", "upstream": {**nodes, "nodes": {"127.0.0.1:1": 1}}})
    told = refusal(lambda: client.channel.unary_unary("/dead/Unary")(b"", timeout=20))
    check(told[0] == Code.UNAVAILABLE, told)
    eventually(lambda: " 401 " in gateway.log("access.log"), "the access log has HTTP's status")


def test_deadlines(story):
    gateway, server = with_server(story)
    client = Client(story, gateway)
    told = refusal(lambda: client.unary(b"wait", timeout=0.3))
    check(told[0] == Code.DEADLINE_EXCEEDED, "the client's own")
    eventually(lambda: server.service_of_it.cancelled == 1, "the server learns that nobody waits")
    # A client that says when it stops waiting, and waits on: the gateway keeps to what it said.
    fields = b"\x83\x86\x44\x10/test.Echo/Unary\x41\x09localhost"
    sent = {b"content-type": b"application/grpc", b"grpc-timeout": b"300m", b"te": b"trailers"}
    for name, value in sent.items():
        fields += b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
    message = b"\0\0\0\0\4wait"
    begun = time.monotonic()
    with socket.create_connection(gateway.address("data"), 20) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, fields))
        sock.sendall(frame(DATA, END_STREAM, 1, message))
        for kind, flags, stream, payload in connection(sock):
            if kind == HEADERS:
                break
    check(flags & END_STREAM, "an answer of trailers only")
    check(0.25 < time.monotonic() - begun < 5, "in time")
    eventually(lambda: server.service_of_it.cancelled == 2, "the server learns of it")


def test_a_client_that_cancels(story):
    gateway, server = with_server(story)
    call = Client(story, gateway).unary.future(b"wait")
    eventually(lambda: server.service_of_it.seen, "the call arrived")
    call.cancel()
    eventually(lambda: server.service_of_it.cancelled == 1, "the server learns of it")


def test_a_server_that_dies(story):
    gateway, server = with_server(story, Mortal())
    client = Client(story, gateway)
    told = []

    def talk():
        for answer in client.chat(iter([b"a", b"die", b"b"]), timeout=20):
            told.append(answer)

    code, details = refusal(talk)
    check(code == Code.UNAVAILABLE, (code, details))
    check(told[:1] == [b"heard a"], told)
    check(server.process.wait(20) != 0, "it died")
    check(refusal(lambda: client.unary(b"", timeout=20))[0] == Code.UNAVAILABLE, "nobody is there")
    another = story.add(Server())
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{another.port}": 1}, "scheme": "grpc"}
    put(gateway, "routes/1", {"uri": "/test.Echo/*", "upstream": nodes})
    check_all_kinds(client)


def test_big_messages(story):
    gateway, _ = with_server(story)
    client = Client(story, gateway)
    big = os.urandom(BIG)
    check(client.unary(big, timeout=60) == big, "both ways")
    pieces = [os.urandom(100000) for _ in range(50)]
    check(client.collect(iter(pieces), timeout=60) == b",".join(pieces), "up")


def test_many_calls_share_few_connections(story):
    gateway, server = with_server(story)
    client = Client(story, gateway)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: client.unary(b"%d" % i, timeout=60), range(500)))
    check(answers == [b"%d" % i * 2 for i in range(500)], "each got its own answer")
    check(server.connections() <= 2, f"{server.connections()} connections of two workers")


def test_a_server_that_admits_few_streams(story):
    gateway, server = with_server(story, Server(max_concurrent_streams=2))
    client = Client(story, gateway)
    client.unary(b"", timeout=20)  # what the server admits is known from here on
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.unary(b"slow", timeout=60), range(40)))
    check(answers == [b"slowslow"] * 40, "all were answered")
    check(server.connections() > 1, "over more than one connection")


def test_a_server_that_leaves_its_connections(story):
    ages = {"max_connection_age_ms": 100, "max_connection_age_grace_ms": 2000}
    gateway, _ = with_server(story, Server(**ages))
    client = Client(story, gateway)
    end = time.monotonic() + 3
    count = 0
    while time.monotonic() < end:
        check(client.unary(b"x", timeout=20) == b"xx", "GOAWAY between calls costs none of them")
        count += 1
    check(count > 20, count)


def web_call(gateway, kind, body, method="Unary"):
    """A call as a browser makes it: (headers, body of the answer)."""
    client = http.client.HTTPConnection(*gateway.address("data"), timeout=20)
    client.request("POST", f"/web{CALL}{method}", body, {"Content-Type": f"application/{kind}"})
    answer = client.getresponse()
    told = answer.read()
    client.close()
    check(answer.status == 200, (answer.status, told))
    return answer.headers, told


def test_browsers(story):
    gateway, server = with_server(story)
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, "scheme": "grpc"}
    put(gateway, "routes/2", {"uri": "/web/*", "plugins": {"grpc-web": {}}, "upstream": nodes})
    asked, answered = b"\0\0\0\0\2hi", b"\0\0\0\0\4hihi"
    headers, told = web_call(gateway, "grpc-web+proto", asked)
    check(headers["Content-Type"] == "application/grpc-web+proto", headers)
    check(told.startswith(answered + b"\x80\0\0\0"), told)
    check(b"grpc-status:0\r\ngrpc-message:\r\n" in told and b"behind:it\r\n" in told, told)
    headers, told = web_call(gateway, "grpc-web-text", base64.b64encode(asked))
    check(told.startswith(base64.b64encode(answered)), told)
    headers, told = web_call(gateway, "grpc-web", b"\0\0\0\0\x013", "Expand")
    check(told.startswith(b"".join(b"\0\0\0\0\1%d" % i for i in range(3)) + b"\x80"), told)
    check(b"grpc-status:15\r\ngrpc-message:behind three\r\n" in told, told)
    headers, told = web_call(gateway, "grpc-web", b"\0\0\0\0\6refuse")
    status = headers["grpc-status"] or told.partition(b"grpc-status:")[2][:1].decode()
    check(status == "9", (headers, told))


def serve():
    server = Server()
    print(server.port, flush=True)
    signal.pause()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    sys.exit(run(globals(), __doc__, []))
