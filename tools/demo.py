#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `make run` starts: a demo upstream, the gateway on the prefix build/run, and a first route.

Prints the curl line that works and where the Admin API and its key are; stays until Ctrl-C.
"""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PREFIX = TOP / "build/run"
BINARY = TOP / "build/release/sluice"
START_SECONDS = 20


class Demo(BaseHTTPRequestHandler):
    """Answers every request with what it saw."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        told = {"hello": "from the demo upstream", "method": self.command, "path": self.path}
        told["headers"] = {name.lower(): value for name, value in self.headers.items()}
        if body:
            told["body"] = body
        wire = (json.dumps(told, indent=2) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(wire)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(wire)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def any_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def prepare():
    """The prefix with conf/config.yaml; a port that somebody else has is replaced. {default port: port}"""
    for folder in ("conf", "logs", "data"):
        (PREFIX / folder).mkdir(parents=True, exist_ok=True)
    text = (TOP / "conf/config.yaml").read_text()
    ports = {}
    for word in re.findall(r"^\s+port: (\d+)", text, re.M):
        ports[word] = int(word)
        if not is_free(int(word)):
            ports[word] = any_port()
            print(f"== port {word} is taken on this machine: using {ports[word]} instead", flush=True)
    text = re.sub(r"^(\s+port: )(\d+)", lambda found: found[1] + str(ports[found[2]]), text, flags=re.M)
    (PREFIX / "conf/config.yaml").write_text(text)
    return ports


def admin(port, key, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, json.dumps(body) if body else None, {"X-API-KEY": key})
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace")


def wait_for_admin(gateway, port, key_file):
    end, pause = time.monotonic() + START_SECONDS, threading.Event()
    status = "no answer"
    while time.monotonic() < end:
        if gateway.poll() is not None:
            raise SystemExit(
                f"the gateway ended with exit code {gateway.returncode}; see {PREFIX}/logs/error.log"
            )
        try:
            key = key_file.read_text().strip()
            status, _ = admin(port, key, "GET", "/apisix/admin/routes")
            if status == 200:
                return key
        except OSError:
            pass
        pause.wait(0.05)
    raise SystemExit(f"the Admin API on port {port} is not ready: {status}; see {PREFIX}/logs/error.log")


def main():
    ports = prepare()
    demo = ThreadingHTTPServer(("127.0.0.1", 0), Demo)
    demo.daemon_threads = True
    threading.Thread(target=demo.serve_forever, daemon=True).start()
    print(f"== demo upstream on 127.0.0.1:{demo.server_port}", flush=True)
    gateway = subprocess.Popen([str(BINARY), "run", "-p", str(PREFIX)], start_new_session=True)
    try:
        key_file = PREFIX / "data/admin.key"
        key = wait_for_admin(gateway, ports["9180"], key_file)
        nodes = {f"127.0.0.1:{demo.server_port}": 1}
        route = {"name": "demo", "uri": "/demo/*", "upstream": {"type": "roundrobin", "nodes": nodes}}
        status, told = admin(ports["9180"], key, "PUT", "/apisix/admin/routes/demo?wait=applied", route)
        if status not in (200, 201):
            raise SystemExit(f"the Admin API refused the demo route: {status} {told}")
        admin_line = f'curl -H "X-API-KEY: $(cat {key_file.relative_to(TOP)})"'
        print(
            f"== Sluice runs. Try, in another terminal:\n\n"
            f"   curl http://127.0.0.1:{ports['9080']}/demo/hello\n\n"
            f"   Admin API   http://127.0.0.1:{ports['9180']}/apisix/admin\n"
            f"   its key     {key_file.relative_to(TOP)}\n"
            f"   as in       {admin_line} http://127.0.0.1:{ports['9180']}/apisix/admin/routes\n"
            f"   logs        {PREFIX.relative_to(TOP)}/logs/\n\n"
            f"== Ctrl-C ends it",
            flush=True,
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        return gateway.wait()
    except KeyboardInterrupt:
        print("\n== ending", flush=True)
        return 0
    finally:
        if gateway.poll() is None:
            gateway.terminate()
            gateway.wait(30)


if __name__ == "__main__":
    sys.exit(main())
