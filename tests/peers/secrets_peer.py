#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway asks secret managers: Vault, AWS and Google as they answer and check whoever asks, over TLS.

secrets_peer.py [--binary PATH] [NAME...]: the tests whose name has one of the words. Ends with `N passed,
N failed`; exit code 77 when openssl is not installed.
"""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import story
from etcd_cluster import Certificates
from story import check, eventually, put, run

# story has put the scenarios' modules on the path
from client import Connection, request_bytes

AWS = {"access_key_id": "AKID", "secret_access_key": "aws+secret/key", "region": "eu-west-1"}


def signature(key, day, region, service, text):
    """AWS Signature Version 4, as its documentation has it."""
    key = ("AWS4" + key).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Refusal(Exception):
    pass


def want(holds, what):
    if not holds:
        raise Refusal(what)


class Managers:
    """All three at one address with TLS. `secrets` by name; `refused` says what was wrong with a question."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.papers = Certificates(folder)
        self.secrets = {}
        self.refused = []
        self.asked = []
        self.account_key = self.folder / "account.pem"
        rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.account_key]
        self.papers.openssl("genpkey", *rsa)
        self.papers.openssl("pkey", "-in", self.account_key, "-pubout", "-out", self.folder / "account.pub")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.papers.server)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handler(self):
        managers = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                managers.asked.append(self.path)
                try:
                    status, told = managers.answer(self, body)
                except Refusal as refusal:
                    managers.refused.append(str(refusal))
                    status, told = 403, {"refused": str(refusal)}
                text = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *words):
                pass

        return Handler

    def answer(self, request, body):
        if request.path.startswith("/v1/kv/"):
            return self.vault(request)
        if request.path == "/token":
            return self.token(request, body)
        if request.path.startswith("/google/"):
            return self.google(request)
        return self.aws(request, body)

    def vault(self, request):
        want(request.headers["X-Vault-Token"] == "vault-token", "not the token")
        found = self.secrets.get(request.path.removeprefix("/v1/kv/"))
        return (200, {"data": found}) if found else (404, {"errors": []})

    def aws(self, request, body):
        want(request.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue", "not the target")
        words = request.headers["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", ")
        parts = dict(word.split("=", 1) for word in words)
        key_id, day, region, service, _ = parts["Credential"].split("/")
        want((key_id, region, service) == ("AKID", "eu-west-1", "secretsmanager"), f"not for {key_id}")
        names = parts["SignedHeaders"].split(";")
        want({"host", "x-amz-date"} <= set(names), "host and date are not signed")
        fields = "".join(f"{name}:{request.headers[name]}\n" for name in names)
        digest = hashlib.sha256(body).hexdigest()
        canonical = "\n".join([request.command, "/", "", fields, ";".join(names), digest])
        scope = f"{day}/{region}/{service}/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", request.headers["X-Amz-Date"], scope, hashed])
        expected = signature(AWS["secret_access_key"], day, region, service, text)
        want(parts["Signature"] == expected, "the signature does not match")
        name = json.loads(body)["SecretId"]
        if name not in self.secrets:
            return 400, {"__type": "ResourceNotFoundException"}
        return 200, {"Name": name, "SecretString": self.secrets[name]}

    def token(self, request, body):
        form = urllib.parse.parse_qs(body.decode())
        want(form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "not the grant type")
        head, claims, signed = form["assertion"][0].split(".")
        (self.folder / "signed").write_bytes(base64.urlsafe_b64decode(signed + "=="))
        command = ["openssl", "dgst", "-sha256", "-verify", "account.pub", "-signature", "signed"]
        text = f"{head}.{claims}".encode()
        verified = subprocess.run(command, input=text, cwd=self.folder, capture_output=True, check=False)
        want(verified.returncode == 0, "the assertion's signature does not match")
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        want(told["iss"] == "robot@example.com" and told["aud"] == f"{self.url}/token", f"claims {told}")
        want(told["exp"] - told["iat"] == 3600 and "cloud-platform" in told["scope"], f"claims {told}")
        return 200, {"access_token": "google-token", "expires_in": 3600, "token_type": "Bearer"}

    def google(self, request):
        want(request.headers["Authorization"] == "Bearer google-token", "not the token")
        before, behind = "/google/projects/p/secrets/", "/versions/latest:access"
        found = self.secrets.get(request.path.removeprefix(before).removesuffix(behind))
        if found is None:
            return 404, {"error": {"status": "NOT_FOUND"}}
        return 200, {"payload": {"data": base64.b64encode(found.encode()).decode()}}


class Story(story.Story):
    def __init__(self):
        super().__init__()
        self.hello = self.upstream(kind="reply", status=200, body=b"hello", headers=[])
        self.managers = self.add(Managers(self.folder))

    def node(self, trusts=True, **apisix):
        trusted = {"ssl_trusted_certificate": str(self.managers.papers.authority)} if trusts else {}
        node = self.gateway({"apisix": {"ssl": trusted, **apisix}})
        upstream = {"nodes": {self.hello.address: 1}}
        put(node, "routes/1", {"uri": "/a", "upstream": upstream, "plugins": {"key-auth": {}}})
        return node


def known_by(node, name, key):
    return put(node, f"consumers/{name}", {"username": name, "plugins": {"key-auth": {"key": key}}}).json()


def let_in(node, key):
    wire = request_bytes("GET", "/a", [("Connection", "close"), ("apikey", key)])
    return Connection(node.address("data")).exchange("GET", wire).status == 200


def vault(managers, **more):
    return {"uri": managers.url, "prefix": "kv", "token": "vault-token", **more}


def account(managers, **more):
    return {
        "client_email": "robot@example.com",
        "private_key": managers.account_key.read_text(),
        "project_id": "p",
        "token_uri": f"{managers.url}/token",
        "entries_uri": f"{managers.url}/google",
        **more,
    }


# -- the tests --


def test_each_manager_is_asked_as_it_wants(story):
    managers = story.managers
    managers.secrets = {"team/jack": {"key": "from-vault"}, "aws/name": json.dumps({"key": "from-aws"})}
    managers.secrets |= {"google-name": "from-google", "google-json": json.dumps({"a": "from-google-json"})}
    node = story.node()
    put(node, "secrets/vault/1", vault(managers))
    put(node, "secrets/aws/1", {**AWS, "endpoint_url": managers.url})
    put(node, "secrets/gcp/1", {"auth_config": account(managers)})
    file = managers.folder / "account.json"
    file.write_text(json.dumps(account(managers)))
    put(node, "secrets/gcp/2", {"auth_file": str(file)})
    references = {
        "$secret://vault/1/team/jack/key": "from-vault",
        "$secret://aws/1/aws/name/key": "from-aws",
        "$secret://gcp/1/google-name": "from-google",
        "$secret://gcp/2/google-json/a": "from-google-json",
    }
    for number, (reference, key) in enumerate(references.items()):
        answer = known_by(node, f"c{number}", reference)
        check("warnings" not in answer, answer)
        check(let_in(node, key), f"{key} is not let in")
        check(not let_in(node, reference), "a reference is a key")
    check(not managers.refused, managers.refused)
    check(managers.asked.count("/token") == 2, "a token is asked for once an account")
    check(not any(key in node.log() for key in references.values()), "a secret is in the log")


def test_who_is_not_known_is_refused(story):
    managers = story.managers
    managers.secrets = {"a": {"key": "k"}, "name": "k"}
    node = story.node()
    put(node, "secrets/vault/1", vault(managers, token="guessed"))
    put(node, "secrets/aws/1", {**AWS, "secret_access_key": "guessed", "endpoint_url": managers.url})
    put(node, "secrets/gcp/1", {"auth_config": account(managers, client_email="somebody@example.com")})
    for reference in ("$secret://vault/1/a/key", "$secret://aws/1/name", "$secret://gcp/1/name"):
        told = known_by(node, "jack", reference)["warnings"][0]["what"]
        check("answered 403" in told and "guessed" not in told, told)
        check(not let_in(node, "k"), "let in")


def test_certificates_are_verified(story):
    managers = story.managers
    managers.secrets = {"a": {"key": "k"}, "name": "google-key"}
    node = story.node(trusts=False)
    put(node, "secrets/vault/1", vault(managers))
    told = known_by(node, "jack", "$secret://vault/1/a/key")["warnings"][0]["what"]
    check("certificate" in told, told)
    check(not managers.asked, "it was told a token")
    put(node, "secrets/gcp/1", {"auth_config": account(managers), "ssl_verify": False})
    known_by(node, "jack", "$secret://gcp/1/name")
    check(let_in(node, "google-key"), "ssl_verify: false is not taken")


def test_a_silent_manager_is_waited_for_a_while(story):
    silent = story.upstream(kind="hang")
    node = story.node()
    put(node, "secrets/vault/1", {"uri": f"http://{silent.address}", "prefix": "kv", "token": "t"})
    told = known_by(node, "jack", "$secret://vault/1/a/key")["warnings"][0]["what"]
    check("$secret://vault/1/a/key" in told, told)
    check(let_in(node, "k") is False, "let in")


def test_what_is_changed_there_is_taken_up(story):
    managers = story.managers
    managers.secrets = {"a": {"key": "first"}}
    node = story.node(lru={"secret": {"ttl": 1, "neg_ttl": 1}})
    put(node, "secrets/vault/1", vault(managers))
    known_by(node, "jack", "$secret://vault/1/a/key")
    check(let_in(node, "first"), "not let in")
    managers.secrets = {"a": {"key": "second"}}
    eventually(lambda: let_in(node, "second"), "not taken up")
    check(not let_in(node, "first"), "the old one still counts")
    managers.secrets = {}
    eventually(lambda: "what was known before stays" in node.log(), "not said in the log")
    check(let_in(node, "second"), "what was known is forgotten")
    put(node, "secrets/vault/1", vault(managers, prefix="kv/other"))
    managers.secrets = {"other/a": {"key": "third"}}
    eventually(lambda: let_in(node, "third"), "the changed manager is not asked")


def test_secrets_are_known_before_the_first_request(story):
    managers = story.managers
    certificate, key = (path.read_text() for path in managers.papers.client)
    managers.secrets = {"a": {"key": "k"}, "pair": {"cert": certificate, "key": key}}
    node = story.node()
    put(node, "secrets/vault/1", vault(managers))
    known_by(node, "jack", "$secret://vault/1/a/key")
    pair = {"cert": "$secret://vault/1/pair/cert", "key": "$secret://vault/1/pair/key"}
    check("warnings" not in put(node, "ssls/1", {"type": "client", **pair}).json(), "the pair is not known")
    mixed = {"type": "client", "cert": certificate, "key": "$secret://vault/1/a/key"}
    put(node, "ssls/2", mixed, status=(400,))
    node.stop()
    node.start()
    check(let_in(node, "k"), "not let in after a start")
    check("left_out" not in node.admin("GET", "/apisix/admin/status").json(), "something is left out")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["openssl"], Story))
