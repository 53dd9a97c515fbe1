# SPDX-License-Identifier: Apache-2.0
"""Runs the real binary on free ports in a temporary prefix, and speaks its Admin API."""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from client import Connection, request_bytes
from language import Failure
from upstream import deadline

KEY = "scenario-admin-key"
# What every gateway finds in its environment, for scenarios of $env:// references.
ENVIRONMENT = {"SCENARIO_SECRET": "s3cret", "SCENARIO_SECRETS": '{"key": "k3y"}'}
START_SECONDS = 60 if os.environ.get("SLUICE_SLOW") else 20
STOP_SECONDS = 30
# Deleted in this order, so that nothing refers to what is gone.
KINDS = ["routes", "stream_routes", "services", "upstreams", "plugin_configs", "consumers", "consumer_groups"]
KINDS += ["global_rules", "plugin_metadata", "ssls", "protos", "secrets"]
SANITIZERS = ["ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer", "LeakSanitizer"]
CRASH = ["of the gateway was ended by signal"]
LISTENERS = ["data", "tls", "proxied", "proxied_tls", "admin", "control", "status", "metrics"]
LISTENERS += ["stream", "stream-tls"]


def die_with_parent():
    """In the child: no gateway outlives a runner that was killed (PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_ports(count):
    """Ports nobody listens on; they may be gone a moment later, so a start is tried again."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def merge(base, over):
    """`over` laid on `base`: objects are merged, everything else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {
            key: merge(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key))
            for key in list(base) + [key for key in over if key not in base]
        }
    return over


class Gateway:
    etcd = None  # address of the etcd that is the store of every gateway, each below a prefix of its own

    def __init__(self, binary, config=None, workers=2):
        self.binary, self.extra, self.workers = str(binary), config or {}, workers
        self.prefix = Path(tempfile.mkdtemp(prefix="sluice-scenario-"))
        for folder in ("conf", "logs", "data"):
            (self.prefix / folder).mkdir()
        self.process, self.ports = None, {}

    def address(self, listener):
        return ("127.0.0.1", self.ports[listener])

    def config(self):
        listen = {name: {"ip": "127.0.0.1", "port": port} for name, port in self.ports.items()}
        admin = {"admin_listen": listen["admin"], "allow_admin": ["127.0.0.0/8"]}
        admin["admin_key"] = [{"name": "admin", "key": KEY, "role": "admin"}]
        traditional = {"config_provider": "embedded"}
        base = {
            "apisix": {
                "node_listen": [listen["data"]],
                "ssl": {"listen": [listen["tls"]]},
                "proxy_protocol": {
                    "listen_http_port": listen["proxied"],
                    "listen_https_port": listen["proxied_tls"],
                },
                "control": listen["control"],
                "status": listen["status"],
            },
            "deployment": {"role": "traditional", "role_traditional": traditional, "admin": admin},
            "plugin_attr": {"prometheus": {"export_addr": listen["metrics"]}},
            "nginx_config": {"worker_processes": self.workers, "error_log_level": "info"},
        }
        if self.etcd:
            base["deployment"]["role_traditional"] = {"config_provider": "etcd"}
            base["deployment"]["etcd"] = {"host": [self.etcd], "prefix": "/" + self.prefix.name}
        if "stream" in self.extra.get("apisix", {}).get("proxy_mode", "http"):
            tls = {"addr": f"127.0.0.1:{self.ports['stream-tls']}", "tls": True}
            base["apisix"]["stream_proxy"] = {"tcp": [f"127.0.0.1:{self.ports['stream']}", tls]}
        return merge(base, self.extra)

    def start(self):
        for attempt in range(3):
            if not self.ports or attempt:
                self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS))))
            (self.prefix / "conf/config.yaml").write_text(json.dumps(self.config(), indent=2) + "\n")
            self.spawn()
            if self.wait_ready():
                return
            if "in use" not in self.output() + self.log():
                break
        raise Failure(f"the gateway did not start: {self.story()}")

    def spawn(self):
        output = (self.prefix / "output").open("ab")
        command = [self.binary, "run", "-p", str(self.prefix)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **ENVIRONMENT},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        output.close()

    def wait_ready(self):
        left, pause = deadline(START_SECONDS), threading.Event()
        while left() and self.alive():
            try:
                socket.create_connection(self.address("data"), 1).close()
                if self.answers():
                    return True
            except OSError:
                pass
            pause.wait(0.02)
        return False

    def answers(self):
        if self.config()["deployment"]["role"] != "data_plane":
            return self.admin("GET", "/apisix/admin/routes").status == 200
        wire = request_bytes("GET", "/status", [("Connection", "close")])
        return Connection(self.address("status")).exchange("GET", wire).status == 200

    def serving(self):
        """The process that serves, below the one that was started; the latest, while one takes over."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        below = [int(word) for word in path.read_text().split()] if path.exists() else []
        return below[-1] if below else self.process.pid

    def kill(self):
        """kill -9 of everything at once; comes back when all of it is gone."""
        os.kill(self.process.pid, signal.SIGSTOP)  # or it would put another process to work
        below = os.pidfd_open(self.serving())
        try:
            signal.pidfd_send_signal(below, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            select.select([below], [], [], STOP_SECONDS)
        finally:
            os.close(below)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def exited(self, seconds):
        """Whether the process ends within so many seconds: a close is seen before the exit code."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, how=signal.SIGTERM):
        """Ends the process; its exit code, or None when it had to be killed."""
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
        return self.process.returncode if self.process else None

    def complaint(self, marks=SANITIZERS + CRASH):
        """What a sanitizer, a broken invariant or the supervisor of a crash has said, or nothing."""
        output = self.output() + self.log()
        for mark in marks:
            if mark in output:
                return output[max(0, output.index(mark) - 200) :][:3000]
        return None

    def close(self):
        shutil.rmtree(self.prefix, ignore_errors=True)

    def output(self):
        path = self.prefix / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def log(self, name="error.log"):
        path = self.prefix / "logs" / name
        return path.read_text(errors="replace") if path.exists() else ""

    def data(self):
        """What the files of its data folder hold."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.prefix / "data").iterdir()))

    def story(self):
        state = "running" if self.alive() else f"exit code {self.process.returncode}"
        return f"{state}\n--- output\n{self.output()[-3000:]}\n--- error.log\n{self.log()[-3000:]}"

    def admin(self, method, path, body=b"", headers=()):
        """`?wait=applied` makes a write answer when every worker has it."""
        if method in ("PUT", "POST", "PATCH", "DELETE"):
            path += ("&" if "?" in path else "?") + "wait=applied"
        wire = request_bytes(method, path, [("X-API-KEY", KEY), ("Connection", "close"), *headers], body)
        return Connection(self.address("admin")).exchange(method, wire)

    def wipe(self):
        """Deletes every resource, so that the next scenario finds the gateway as new."""
        for kind in KINDS:
            answer = self.admin("GET", f"/apisix/admin/{kind}")
            if answer.status != 200:
                continue
            for item in answer.json().get("list") or []:
                name = item["key"].removeprefix(f"/apisix/{kind}/")
                gone = self.admin("DELETE", f"/apisix/admin/{kind}/{name}?force=true")
                if gone.status not in (200, 404):
                    raise Failure(f"could not delete {kind}/{name} after a scenario: {gone.brief()}")
