#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logins and tokens of a real OpenID provider (npm's oidc-provider), and a login in a real browser.

oidc_peer.py [--binary PATH] [NAME...]: the tests whose name has one of the words. Ends with `N passed,
N failed`; exit code 77 when Node is not installed. The provider's packages are fetched as
tests/peers/oidc/package-lock.json has them.
"""

import base64
import html
import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from story import check, eventually, put, run
from webdriver import Chromium

from gateway import die_with_parent, free_ports

FOLDER = Path(__file__).resolve().parent / "oidc"
SECRET = "a secret of the gateway, long enough"


def packages():
    """Puts the provider's packages there, once."""
    if not (FOLDER / "node_modules/oidc-provider").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
        check(done.returncode == 0, f"npm ci: {done.stderr[-500:]}")


class Provider:
    """The provider on a free port. `clients` are those it knows, `setup` what else it is told."""

    def __init__(self, clients, **setup):
        packages()
        self.port = free_ports(1)[0]
        self.setup = {"clients": clients, **setup}
        self.process = None
        self.start()

    @property
    def issuer(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            ["node", str(FOLDER / "provider.mjs"), str(self.port)],
            env={**os.environ, "OIDC_SETUP": json.dumps(self.setup)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        eventually(self.answers, "the provider does not start")

    def answers(self):
        try:
            return self.ask("/.well-known/openid-configuration")["issuer"] == self.issuer
        except OSError:
            return False

    def ask(self, path, form=None, client=None):
        request = urllib.request.Request(self.issuer + path)
        if form:
            request.data = urllib.parse.urlencode(form).encode()
        if client:
            pair = f"{client['client_id']}:{client['client_secret']}".encode()
            request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def token(self, client, **more):
        form = {"grant_type": "client_credentials", **more}
        return self.ask("/token", form, client)["access_token"]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()


class Answer:
    def __init__(self, status, url, headers, body):
        self.status, self.url, self.headers, self.text = status, url, headers, body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.text)

    def told(self, name):
        """A field that the upstream got, from its echo."""
        return {key.lower(): value for key, value in self.json()["headers"].items()}.get(name.lower())


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


class Browser:
    """Follows redirects, keeps cookies, fills in the provider's forms."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
        self.following = urllib.request.build_opener(cookies)
        self.standing = urllib.request.build_opener(cookies, NoRedirect)

    def get(self, url, form=None, follow=True, headers=()):
        request = urllib.request.Request(url, headers=dict(headers))
        if form is not None:
            request.data = urllib.parse.urlencode(form).encode()
        opener = self.following if follow else self.standing
        try:
            with opener.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.url, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.url, error.headers, error.read())

    def log_in(self, url, user="jack"):
        """Asks for the page behind the login, and goes through the provider's pages."""
        answer = self.get(url)
        for _ in range(3):
            form = re.search(r'<form[^>]*action="([^"]+)"[^>]*method="post"', answer.text)
            if not form:
                return answer
            hidden = r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"'
            fields = dict(re.findall(hidden, answer.text))
            if 'name="login"' in answer.text:
                fields.update(login=user, password="any")
            answer = self.get(urllib.parse.urljoin(answer.url, html.unescape(form[1])), fields)
        return answer

    def cookies(self, name="session"):
        return [cookie for cookie in self.jar if cookie.name.startswith(name)]


def client(gateway, **more):
    base = f"http://127.0.0.1:{gateway.ports['data']}"
    return {
        "client_id": "gw",
        "client_secret": "s3cret of the client",
        "redirect_uris": [base + "/back"],
        "post_logout_redirect_uris": [base + "/bye"],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types": ["code"],
        "scope": "openid profile email read write",
        **more,
    }


def setting(provider, known, **more):
    return {
        "client_id": known["client_id"],
        "client_secret": known["client_secret"],
        "discovery": provider.issuer + "/.well-known/openid-configuration",
        "scope": "openid profile",
        **more,
    }


def begin(story, plugin, config=None, known=None, **setup):
    """A gateway, a provider and a route for everything but /bye. Returns them and the route's address."""
    gateway = story.gateway(config)
    known = client(gateway, **(known or {}))
    provider = story.add(Provider([known], **setup))
    upstream = story.upstream()
    node = {"nodes": {upstream.address: 1}}
    put(gateway, "routes/bye", {"uri": "/bye", "upstream": node})
    put_plugin(gateway, node, setting(provider, known, **plugin))
    return gateway, provider, known, f"http://127.0.0.1:{gateway.ports['data']}"


def put_plugin(gateway, node, config):
    route = {"uri": "/*", "upstream": node, "plugins": {"openid-connect": config}}
    put(gateway, "routes/1?wait=applied", route)


def node_of(gateway):
    return json.loads(gateway.admin("GET", "/apisix/admin/routes/1").body)["value"]["upstream"]


def flow(**more):
    told = {"redirect_uri": "/back", "session": {"secret": SECRET}, "use_pkce": True, "use_nonce": True}
    return {**told, **more}


def claims(text):
    return json.loads(base64.b64decode(text))


def test_a_login_with_pkce_and_its_session(story):
    _, _, _, base = begin(story, flow(set_refresh_token_header=True, set_raw_id_token_header=True), pkce=True)
    browser = Browser()
    first = browser.get(base + "/page?a=1", follow=False)
    check(first.status == 302 and "code_challenge_method=S256" in first.headers["Location"], first.headers)
    answer = browser.log_in(base + "/page?a=1")
    check(
        answer.status == 200 and answer.url == base + "/page?a=1",
        f"{answer.status} {answer.url} {answer.text}",
    )
    check(claims(answer.told("X-Userinfo"))["name"] == "User jack", answer.text)
    check(claims(answer.told("X-Userinfo"))["sub"] == "jack", answer.text)
    check(claims(answer.told("X-ID-Token"))["aud"] == "gw", answer.text)
    check(answer.told("X-Access-Token") and answer.told("X-Refresh-Token"), answer.text)
    check(answer.told("X-Raw-ID-Token").count(".") == 2, answer.text)
    names = [pair.split("=")[0].strip() for pair in (answer.told("Cookie") or "").split(";")]
    check("session" not in names, f"the upstream sees the session: {names}")
    forged = browser.get(base + "/x", headers={"X-Userinfo": "forged", "X-ID-Token": "forged"})
    check(claims(forged.told("X-Userinfo"))["sub"] == "jack", forged.text)
    check(Browser().get(base + "/page", follow=False).status == 302, "a stranger is let through")


def test_another_login_cannot_be_slipped_in(story):
    _, _, _, base = begin(story, flow())
    victim, attacker = Browser(), Browser()
    attacker.get(base + "/a")
    check(victim.get(base + "/back?code=c&state=s", follow=False).status == 400, "no login was begun")
    victim.get(base + "/a")
    for cookie in victim.cookies():
        cookie.value = cookie.value[:-2] + ("AA" if cookie.value[-2:] != "AA" else "BB")
        victim.jar.set_cookie(cookie)
    check(
        victim.get(base + "/back?code=c&state=s", follow=False).status == 400,
        "a cookie that was changed holds",
    )


def test_logout_ends_the_session_and_the_tokens(story):
    plugin = flow(revoke_tokens_on_logout=True)
    gateway, provider, known, base = begin(story, plugin)
    plugin["post_logout_redirect_uri"] = base + "/bye"
    put_plugin(gateway, node_of(gateway), setting(provider, known, **plugin))
    browser = Browser()
    token = browser.log_in(base + "/page").told("X-Access-Token")
    check(provider.ask("/token/introspection", {"token": token}, known)["active"], "the token is not active")
    answer = browser.get(base + "/logout", follow=False)
    check(answer.status == 302 and "id_token_hint=" in answer.headers["Location"], answer.headers)
    check(
        not provider.ask("/token/introspection", {"token": token}, known)["active"],
        "the token was not revoked",
    )
    check(browser.cookies("session") == [], "the cookie is still there")
    check(browser.get(base + "/page", follow=False).status == 302, "still logged in")


def test_an_access_token_is_renewed(story):
    _, _, _, base = begin(story, flow(), ttl={"AccessToken": 2})
    browser = Browser()
    first = browser.log_in(base + "/page").told("X-Access-Token")
    again = lambda: browser.get(base + "/page", follow=False)
    eventually(lambda: again().told("X-Access-Token") != first, "the token is never renewed")
    check(again().status == 200, "the session ended with the token")


def statuses_at_once(urls, cookies):
    """Answers to requests that come together, all with the same cookies."""
    found = []

    def ask(url):
        found.append(Browser().get(url, follow=False, headers={"Cookie": cookies}).status)

    asking = [threading.Thread(target=ask, args=(url,)) for url in urls]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    return found


def cookie_text(browser):
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies())


def test_a_refresh_token_is_used_once(story):
    _, provider, known, base = begin(story, flow(), ttl={"AccessToken": 2}, rotate=True)
    browser = Browser()
    token = browser.log_in(base + "/page").told("X-Access-Token")
    old = cookie_text(browser)
    active = lambda: provider.ask("/token/introspection", {"token": token}, known)["active"]
    eventually(lambda: not active(), "the token is never over")
    check(statuses_at_once([base + "/page"] * 12, old) == [200] * 12, "somebody was logged out")
    check(statuses_at_once([base + "/page"] * 4, old) == [200] * 4, "the old session is of no use")
    check(browser.get(base + "/page", follow=False).status == 200, "the session ended")


def test_gateways_renew_a_session_in_redis_in_turn(story):
    from redis_peer import Redis

    redis = story.add(Redis())
    session = {"secret": SECRET, "storage": "redis", "redis": {"port": redis.port}}
    gateway, provider, known, base = begin(
        story, flow(session=session), ttl={"AccessToken": 2}, rotate=True
    )
    other = story.gateway()
    put_plugin(other, node_of(gateway), setting(provider, known, **flow(session=session)))
    elsewhere = f"http://127.0.0.1:{other.ports['data']}"
    browser = Browser()
    token = browser.log_in(base + "/page").told("X-Access-Token")
    cookies = cookie_text(browser)
    active = lambda: provider.ask("/token/introspection", {"token": token}, known)["active"]
    eventually(lambda: not active(), "the token is never over")
    urls = [base + "/page", elsewhere + "/page"] * 6
    check(statuses_at_once(urls, cookies) == [200] * 12, "somebody was logged out")


def test_a_session_in_redis(story):
    from redis_peer import Redis

    redis = story.add(Redis())
    session = {"secret": SECRET, "storage": "redis", "redis": {"port": redis.port, "prefix": "s"}}
    _, _, _, base = begin(story, flow(session=session))
    browser = Browser()
    check(browser.log_in(base + "/page").status == 200, "no login")
    check(sum(len(cookie.value) for cookie in browser.cookies()) < 300, "the session is in the cookie")
    check("s:" in redis.ask("KEYS", "*"), "the session is not in Redis")
    redis.kill()
    check(browser.get(base + "/page", follow=False).status == 503, "without Redis nobody is known")


def test_a_session_ends_when_its_config_says_so(story):
    gateway, provider, known, base = begin(story, flow())
    ends = [{name: 1} for name in ("idling_timeout", "rolling_timeout", "absolute_timeout")]
    for end in [*ends, {"cookie": {"lifetime": 1}}]:
        plugin = flow(session={"secret": SECRET, "cookie_http_only": False, **end})
        put_plugin(gateway, node_of(gateway), setting(provider, known, **plugin))
        browser = Browser()
        answer = browser.log_in(base + "/page")
        check(answer.status == 200, f"{end}: {answer.status} {answer.text}")
        eventually(lambda b=browser: b.get(base + "/page", follow=False).status == 302, f"{end}")


def test_what_the_upstream_is_told_and_how_long_a_login_serves(story):
    plugin = flow(set_access_token_header=False, set_id_token_header=False, set_userinfo_header=False)
    gateway, provider, known, base = begin(story, plugin, ttl={"AccessToken": 1})
    told = Browser().log_in(base + "/page")
    fields = [told.told(f"X-{name}") for name in ("Access-Token", "ID-Token", "Userinfo", "Refresh-Token")]
    check(told.status == 200 and fields == [None] * 4, told.text)

    def again(**more):
        put_plugin(gateway, node_of(gateway), setting(provider, known, **flow(**more)))
        browser = Browser()
        return browser, browser.log_in(base + "/page")

    browser, told = again(renew_access_token_on_expiry=False)
    token = told.told("X-Access-Token")
    active = lambda: provider.ask("/token/introspection", {"token": token}, known)["active"]
    eventually(lambda: not active(), "the token is never over")
    check(browser.get(base + "/page", follow=False).told("X-Access-Token") == token, "it was renewed")
    browser, told = again(force_reauthorize=True)
    check(told.status == 200, f"{told.status} {told.text}")
    check(browser.get(base + "/page", follow=False).status == 302, "a login serves more than one request")
    browser, told = again(refresh_session_interval=1, logout_path="/out")
    page = lambda: browser.get(base + "/page", follow=False)
    eventually(lambda: "prompt=none" in (page().headers["Location"] or ""), "nobody is asked again")
    check(browser.get(base + "/page").status == 200, "the provider knows the user, without a page")
    check("/session/end" in browser.get(base + "/out", follow=False).headers["Location"], "no logout")


def test_tokens_are_judged_as_the_config_says(story):
    plugin = {"bearer_only": True, "use_jwks": True}
    gateway, provider, known, base = begin(story, plugin)
    token = provider.token(known, scope="read", resource="urn:api")
    rows = [
        ({}, 200),
        ({"token_signing_alg_values_expected": "ES256"}, 401),
        ({"token_signing_alg_values_expected": "RS256", "jwt_verification_cache_ignore": True}, 200),
        ({"claim_validator": {"issuer": {"valid_issuers": ["http://other"]}}}, 401),
        ({"claim_validator": {"issuer": {"valid_issuers": [provider.issuer]}}}, 200),
        ({"claim_validator": {"audience": {"match_with_client_id": True}}}, 403),
        ({"claim_validator": {"audience": {"claim": "client_id", "match_with_client_id": True}}}, 200),
        ({"claim_schema": {"properties": {"scope": {"const": "write"}}}}, 401),
        ({"required_scopes": ["read", "write"]}, 403),
    ]
    for more, status in rows:
        put_plugin(gateway, node_of(gateway), setting(provider, known, **plugin, **more))
        for _ in range(2):  # the second time out of the cache
            answer = Browser().get(base + "/x", headers={"Authorization": f"Bearer {token}"})
            check(answer.status == status, f"{more}: {answer.status} {answer.text}")


def test_tokens_by_published_keys_that_rotate(story):
    for alg in ("RS256", "ES256"):
        plugin = {"bearer_only": True, "use_jwks": True, "required_scopes": ["read"]}
        gateway, provider, known, base = begin(story, plugin, alg=alg)
        token = provider.token(known, scope="read", resource="urn:api")
        ask = lambda value: Browser().get(base + "/x", headers={"Authorization": f"Bearer {value}"})
        answer = ask(token)
        check(
            answer.status == 200 and answer.told("X-Access-Token") == token,
            f"{answer.status} {answer.text}",
        )
        check(
            ask(provider.token(known, scope="write", resource="urn:api")).status == 403,
            "the scope is missing",
        )
        head, payload, signature = token.split(".")
        check(ask(f"{head}.{payload}.{signature[:-4]}AAAA").status == 401, "a forged signature")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        check(ask(f"{none}.{payload}.").status == 401, "alg none")
        answer = Browser().get(base + "/x")
        check(
            answer.status == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="apisix"',
            answer.headers,
        )
        provider.kill()
        for _ in range(20):  # whichever worker takes the connection
            check(ask(token).status == 200, "the keys are known, though the provider is away")
        provider.start()  # with other keys
        newer = provider.token(known, scope="read", resource="urn:api")
        eventually(lambda: ask(newer).status == 200, "new keys are never fetched")


def test_tokens_by_introspection(story):
    plugin = {"bearer_only": True, "introspection_endpoint": "http://127.0.0.1:1/"}
    gateway, provider, known, base = begin(story, plugin)
    plugin["introspection_endpoint"] = provider.issuer + "/token/introspection"
    put_plugin(gateway, node_of(gateway), setting(provider, known, **plugin))
    token = provider.token(known)
    ask = lambda value: Browser().get(base + "/x", headers={"Authorization": f"Bearer {value}"})
    answer = ask(token)
    check(answer.status == 200 and claims(answer.told("X-Userinfo"))["client_id"] == "gw", answer.text)
    refused = ask("no such token")
    check(refused.status == 401 and "invalid token" in refused.headers["WWW-Authenticate"], refused.headers)
    check(Browser().get(base + "/x", headers={"Authorization": "nonsense"}).status == 400, "no scheme")
    provider.kill()
    check(ask("another token").status == 401, "what nobody can vouch for is refused")


def test_a_client_that_signs(story):
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True).stdout
    (story.folder / "key.pem").write_text(key)
    script = "crypto.createPublicKey(fs.readFileSync(0)).export({format: 'jwk'})"
    words = ["node", "-p", f"JSON.stringify({script})"]
    made = subprocess.run(words, input=key, capture_output=True, text=True)
    jwks = {"keys": [{**json.loads(made.stdout), "kid": "1", "use": "sig"}]}
    known = {"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks}
    plugin = flow(token_endpoint_auth_method="private_key_jwt", client_rsa_private_key=key,
                  client_rsa_private_key_id="1", par={"enabled": True})
    _, provider, _, base = begin(story, plugin, known=known)
    answer = Browser().log_in(base + "/page")
    check(answer.status == 200, f"{answer.status} {answer.text}")


def test_the_provider_is_down(story):
    gateway, provider, _, base = begin(story, flow())
    provider.kill()
    check(Browser().get(base + "/page", follow=False).status == 503, "no provider")
    provider.start()
    eventually(lambda: Browser().get(base + "/page", follow=False).status == 302, "the provider is back")


def test_a_login_in_chromium(story):
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        print("chromium and chromium-driver are not installed; this is NOT tested: a login in a real browser")
        return
    _, _, _, base = begin(story, flow(), pkce=True)
    browser = story.add(Chromium(story.folder))
    browser.go(base + "/page")
    browser.type("input[name=login]", "jack")
    browser.type("input[name=password]", "any")
    browser.click("button[type=submit]")
    eventually(lambda: browser.has("form[action]") or "/page" in browser.url(), "no page behind the login")
    if "/page" not in browser.url():
        browser.click("button[type=submit]")  # the provider's question for consent
    eventually(lambda: browser.url() == base + "/page", "the browser does not come back")
    check('"X-Userinfo"' in browser.text() or "x-userinfo" in browser.text().lower(), browser.text())
    browser.go(base + "/other")
    check(browser.url() == base + "/other", "the session does not last")
    browser.go(base + "/logout")
    eventually(lambda: "/session/end" in browser.url(), "the logout does not lead to the provider")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["node", "npm", "openssl"]))
