# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider that lets anybody in, for the bench: discovery, tokens signed with the client's secret.
And a login at it, whose session the bench's requests bring."""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT = {"client_id": "bench", "client_secret": "a-secret-of-the-client-of-the-bench"}


def coded(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def token(claims, secret):
    """A JSON Web Token, HS256."""
    text = coded({"alg": "HS256", "typ": "JWT"}) + b"." + coded(claims)
    return (text + b"." + coded(hmac.new(secret.encode(), text, hashlib.sha256).digest())).decode()


class Provider:
    def __init__(self):
        provider = self

        class Answer(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def tell(self, value):
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                names = {"authorization": "auth", "token": "token"}
                told = {f"{name}_endpoint": f"{provider.issuer}/{path}" for name, path in names.items()}
                self.tell({"issuer": provider.issuer, **told})

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                now = int(time.time())
                claims = {"iss": provider.issuer, "sub": "joe", "aud": CLIENT["client_id"]}
                claims |= {"iat": now, "exp": now + 3600}
                signed = token(claims, CLIENT["client_secret"])
                self.tell({"access_token": "a" * 64, "expires_in": 3600, "id_token": signed})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def cookies_of(answer):
    return "; ".join(value.split(";")[0] for value in answer.headers.get_all("Set-Cookie", []))


def ask(port, target, cookies):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", target, headers={"Cookie": cookies} if cookies else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def log_in(port, target):
    """The cookies of a session at a route with plugin openid-connect."""
    first = ask(port, target, "")
    state = parse_qs(urlsplit(first.headers["Location"]).query)["state"][0]
    back = target + "/.apisix/redirect?" + urlencode({"code": "c", "state": state})
    return cookies_of(ask(port, back, cookies_of(first)))
