#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket with Python's websockets on both sides, and pages in Chromium: HTTP/2, WebSocket, gRPC-Web.

websocket_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import asyncio
import contextlib
import http
import os
import shutil
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

try:
    import grpc
    import websockets
    from websockets.exceptions import ConnectionClosed, InvalidStatusCode
except ImportError:  # Debian's packages are for Debian's python3
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    print("not installed: python3-websockets, python3-grpcio; WebSocket and browsers are NOT tested")
    sys.exit(77)

from papers import Authority
from story import check, eventually, put, run
from webdriver import Chromium

BIG = 4 << 20
SECONDS = 60
PAGE = b"""<!doctype html><title>under way</title><script>
const told = [];
const tell = text => { told.push(text); document.title = told.join(" | "); };
async function call(bytes) {
  const answer = await fetch("/web/test.Echo/Unary", {method: "POST", body: new Uint8Array(bytes),
    headers: {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}});
  const got = new Uint8Array(await answer.arrayBuffer());
  const message = new TextDecoder().decode(got.slice(5, 5 + got[4]));
  const trailers = new TextDecoder().decode(got.slice(5 + got[4] + 5));
  return message + " " + /grpc-status: ?(\\d+)/.exec(trailers)[1];
}
async function all() {
  tell(performance.getEntriesByType("navigation")[0].nextHopProtocol);
  const socket = new WebSocket("wss://" + location.host + "/ws", "echo.test");
  socket.onerror = () => tell("the socket broke");
  await new Promise(done => { socket.onopen = done; });
  tell("open " + socket.protocol);
  const answers = new Promise(done => { let got = ""; socket.onmessage = event => {
    got += event.data; if (got.endsWith("last")) done(got); }; });
  socket.send("first,"); socket.send("x".repeat(100000) + ","); socket.send("last");
  tell((await answers).replace(/x+/, all => all.length));
  const closed = new Promise(done => { socket.onclose = event => done(event.code + event.reason); });
  socket.send("close"); tell(await closed);
  tell(await call([0, 0, 0, 0, 2, 104, 105]));
  tell("done");
}
all().catch(error => tell("failed: " + error));
</script>"""


class Server:
    """Sends messages back; serves the page; tells its clients' handshakes."""

    def __init__(self):
        self.loop, self.seen = asyncio.new_event_loop(), []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ready = threading.Event()
        self.thread.start()
        check(self.ready.wait(SECONDS), "the server starts")

    def run(self):
        asyncio.set_event_loop(self.loop)
        serving = websockets.serve(
            self.echo, "127.0.0.1", 0, process_request=self.page, subprotocols=["echo.test"], max_size=None
        )
        self.server = self.loop.run_until_complete(serving)
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    async def page(self, path, headers):
        self.seen.append(dict(headers))
        if path == "/refuse":
            return http.HTTPStatus.FORBIDDEN, [], b"not you"
        if path == "/page":
            return http.HTTPStatus.OK, [("Content-Type", "text/html")], PAGE
        return None

    async def echo(self, socket):
        with contextlib.suppress(ConnectionClosed):  # without a word, where a test wants that
            async for message in socket:
                if message == "close":
                    return await socket.close(4001, "as you wish")
                await socket.send(message)
        return None

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def with_route(story, **more):
    server, gateway = story.add(Server()), story.gateway()
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{server.port}": 1}, **more}
    put(gateway, "routes/1", {"uri": "/*", "enable_websocket": True, "upstream": nodes})
    return gateway, server


def talk(gateway, said, path="/ws", port="data", **options):
    """What `said` (a coroutine of a socket) tells."""
    scheme = "wss" if "ssl" in options else "ws"
    uri = f"{scheme}://127.0.0.1:{gateway.ports[port]}{path}"

    async def all_of_it():
        async with websockets.connect(uri, max_size=None, open_timeout=SECONDS, **options) as socket:
            return await asyncio.wait_for(said(socket), SECONDS)

    return asyncio.run(all_of_it())


async def messages_come_back(socket):
    for message in ("", "text", "grüße", b"", b"\0bytes", os.urandom(BIG), "x" * BIG):
        await socket.send(message)
        got = await socket.recv()
        check(got == message and type(got) is type(message), f"{len(message)} came back as {len(got)}")
    await socket.send(["in ", "three ", "fragments"])
    check(await socket.recv() == "in three fragments", "fragments")
    await (await socket.ping(b"are you there?"))


def test_messages_of_all_kinds(story):
    gateway, _ = with_route(story)
    talk(gateway, messages_come_back)  # compressed, as both sides offer it
    talk(gateway, messages_come_back, compression=None)


def test_over_tls(story):
    gateway, _ = with_route(story)
    authority = Authority(story.folder)
    pair = authority.signed("a", ["127.0.0.1", "a.test"])
    put(gateway, "ssls/1", {"snis": ["a.test"], "cert": pair.pem, "key": pair.key_pem})
    context = ssl.create_default_context(cafile=authority.certificate)
    talk(gateway, messages_come_back, port="tls", ssl=context, server_hostname="a.test")


def test_what_was_agreed_on_reaches_both_sides(story):
    gateway, server = with_route(story)

    async def said(socket):
        return socket.subprotocol, [extension.name for extension in socket.extensions]

    agreed = talk(gateway, said, subprotocols=["other.test", "echo.test"], extra_headers={"X-Own": "1"})
    check(agreed == ("echo.test", ["permessage-deflate"]), f"agreed on {agreed}")
    check(server.seen[-1].get("x-own", server.seen[-1].get("X-Own")) == "1", f"{server.seen[-1]}")


def test_the_code_of_an_end_reaches_the_client(story):
    gateway, _ = with_route(story)

    async def said(socket):
        await socket.send("close")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason

    check(talk(gateway, said) == (4001, "as you wish"), "the code and its reason")


def test_silence_ends_it(story):
    gateway, _ = with_route(story, timeout={"connect": 5, "send": 5, "read": 1})

    async def said(socket):
        await socket.send("the last word")
        await socket.recv()
        began = asyncio.get_running_loop().time()
        await socket.wait_closed()
        return asyncio.get_running_loop().time() - began

    check(0.5 < talk(gateway, said) < 30, "after the upstream's read timeout")


def test_a_server_that_refuses(story):
    gateway, _ = with_route(story)
    try:
        talk(gateway, messages_come_back, "/refuse")
    except InvalidStatusCode as refused:
        check(refused.status_code == 403, f"{refused}")
    else:
        raise AssertionError("it was let in")


def test_many_at_once(story):
    gateway, _ = with_route(story)
    uri = f"ws://127.0.0.1:{gateway.ports['data']}/ws"

    async def one(number):
        async with websockets.connect(uri, open_timeout=SECONDS) as socket:
            for turn in range(10):
                await socket.send(f"{number}:{turn}")
                check(await socket.recv() == f"{number}:{turn}", "another's message")

    async def all_of_them():
        await asyncio.wait_for(asyncio.gather(*map(one, range(100))), SECONDS)

    asyncio.run(all_of_them())


class Echo(grpc.GenericRpcHandler):
    """A gRPC server whose one method says twice what it is told."""

    def __init__(self):
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request * 2)

    def close(self):
        self.server.stop(None).wait()


def test_a_page_in_chromium(story):
    """Over HTTP/2 with TLS: the page itself, a WebSocket, a call of gRPC-Web."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        print("chromium and chromium-driver are not installed; this is NOT tested: pages in a real browser")
        return
    gateway, _ = with_route(story)
    server, authority = story.add(Echo()), Authority(story.folder)
    pair = authority.signed("a", ["localhost"])
    put(gateway, "ssls/1", {"snis": ["localhost"], "cert": pair.pem, "key": pair.key_pem})
    nodes = {"type": "roundrobin", "scheme": "grpc", "nodes": {f"127.0.0.1:{server.port}": 1}}
    put(gateway, "routes/2", {"uri": "/web/*", "plugins": {"grpc-web": {}}, "upstream": nodes})
    browser = story.add(Chromium(story.folder, trusts_any=True))
    browser.go(f"https://localhost:{gateway.ports['tls']}/page")
    eventually(lambda: "done" in browser.title() or "failed" in browser.title(), "the page is through")
    told = browser.title()
    wanted = "h2 | open echo.test | first,100000,last | 4001as you wish | hihi 0 | done"
    check(told == wanted, f"the page says: {told}")
    eventually(lambda: "/ws " in gateway.log("access.log"), "the WebSocket is logged")
    check("/ws HTTP/2.0" in gateway.log("access.log"), gateway.log("access.log"))


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["openssl"]))
