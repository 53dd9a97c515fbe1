# SPDX-License-Identifier: Apache-2.0
"""Debian's etcd on free ports of 127.0.0.1: one member or several, with or without TLS, spoken to as APISIX
does: through the JSON gateway."""

import base64
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/scenarios"))
from gateway import die_with_parent, free_ports
from upstream import deadline

START_SECONDS = 30


def installed():
    return shutil.which("etcd") is not None


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Certificates:
    """An authority, a server's certificate for 127.0.0.1 and a client's, as PEM files."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.authority = self.folder / "ca.pem"
        self.openssl("req", "-x509", "-subj", "/CN=authority", *self.new_key("ca"), "-out", self.authority)
        self.server = self.signed("server", "serverAuth,clientAuth")
        self.client = self.signed("client", "clientAuth")

    def openssl(self, *words):
        command = ["openssl", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)

    def new_key(self, name):
        key = self.folder / f"{name}.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        return [*curve, "-nodes", "-keyout", key, "-days", "2"]

    def signed(self, name, usage):
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:127.0.0.1,DNS:etcd.test\nextendedKeyUsage={usage}\n")
        self.openssl("req", "-new", "-subj", "/", *self.new_key(name)[:-2], "-out", request)
        signing = ["-CA", self.authority, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2"]
        self.openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", certificate)
        return certificate, self.folder / f"{name}.key"


class Member:
    def __init__(self, cluster, number, client_port, peer_port):
        self.cluster, self.name = cluster, f"m{number}"
        self.url = f"{cluster.scheme}://127.0.0.1:{client_port}"
        self.peer = f"http://127.0.0.1:{peer_port}"
        self.process = None

    def start(self):
        folder = self.cluster.folder / self.name
        command = ["etcd", "--name", self.name, "--data-dir", folder, "--heartbeat-interval", "50"]
        command += ["--election-timeout", "500", "--listen-client-urls", self.url]
        command += ["--advertise-client-urls", self.url, "--listen-peer-urls", self.peer]
        command += ["--initial-advertise-peer-urls", self.peer]
        command += ["--initial-cluster", self.cluster.initial(), *self.cluster.options]
        with (self.cluster.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def status(self):
        return self.cluster.ask(self, "/v3/maintenance/status", {})


class Cluster:
    def __init__(self, size=1, tls=None, client_certificates=False, options=()):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-etcd-"))
        self.scheme, self.context, self.options = "http", None, list(options)
        self.token = None
        if tls:
            self.scheme = "https"
            self.options += ["--cert-file", tls.server[0], "--key-file", tls.server[1]]
            self.options += ["--trusted-ca-file", tls.authority]
            self.context = ssl.create_default_context(cafile=tls.authority)
            self.context.load_cert_chain(*tls.client)
        if client_certificates:
            self.options += ["--client-cert-auth"]
        ports = free_ports(2 * size)
        self.members = [Member(self, n, ports[2 * n], ports[2 * n + 1]) for n in range(size)]

    def initial(self):
        return ",".join(f"{member.name}={member.peer}" for member in self.members)

    def urls(self):
        return [member.url for member in self.members]

    def start(self):
        for member in self.members:
            member.start()
        self.wait_healthy()
        return self

    def close(self):
        for member in self.members:
            member.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self):
        for member in self.members:
            member.kill()

    def wait_healthy(self):
        left, pause = deadline(START_SECONDS), threading.Event()
        while left():
            try:
                for member in self.members:
                    if member.process and "leader" not in member.status():
                        raise OSError("no leader")
                return
            except OSError:
                pause.wait(0.05)
        raise AssertionError("etcd is not healthy in time: " + self.logs())

    def logs(self):
        return "\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.log"))

    def leader(self):
        """The member that leads, among those that run."""
        for member in self.members:
            if member.process:
                status = member.status()
                if status["leader"] == status["header"]["member_id"]:
                    return member
        return None

    # -- as APISIX speaks to it --

    def ask(self, member, path, question):
        request = urllib.request.Request(member.url + path, json.dumps(question).encode())
        if self.token:
            request.add_header("Authorization", self.token)
        with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:
            return json.load(answer)

    def call(self, path, question):
        problem = None
        for member in self.members:
            if not member.process:
                continue
            try:
                return self.ask(member, path, question)
            except urllib.error.HTTPError as refused:
                raise AssertionError(f"{path}: {refused.code} {refused.read()}") from refused
            except OSError as error:
                problem = error
        raise AssertionError(f"no etcd answers: {problem}")

    def put(self, key, value):
        text = value if isinstance(value, str) else json.dumps(value)
        return int(self.call("/v3/kv/put", {"key": encode(key), "value": encode(text)})["header"]["revision"])

    def put_at(self, member, key, value):
        """Whether this member takes it; while there is no leader it does not."""
        try:
            self.ask(member, "/v3/kv/put", {"key": encode(key), "value": encode(json.dumps(value))})
        except OSError:
            return False
        return True

    def get(self, key):
        found = self.call("/v3/kv/range", {"key": encode(key)}).get("kvs")
        return base64.b64decode(found[0]["value"]).decode() if found else None

    def delete(self, key):
        self.call("/v3/kv/deleterange", {"key": encode(key)})

    def compact(self, revision):
        self.call("/v3/kv/compaction", {"revision": str(revision), "physical": True})

    def require_password(self, user, password, role="root"):
        """From now on only `user` may read and write, with the rights of `role`."""
        for path, question in (
            ("/v3/auth/user/add", {"name": "root", "password": "root-password"}),
            ("/v3/auth/role/add", {"name": "root"}),
            ("/v3/auth/user/grant", {"user": "root", "role": "root"}),
            ("/v3/auth/user/add", {"name": user, "password": password}),
            ("/v3/auth/user/grant", {"user": user, "role": role}),
            ("/v3/auth/enable", {}),
        ):
            self.call(path, question)
        self.login()

    def login(self):
        self.token = None
        answer = self.call("/v3/auth/authenticate", {"name": "root", "password": "root-password"})
        self.token = answer["token"]
