#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS with clients: curl, openssl s_client and Python's ssl ask a gateway whose certificates change.

tls_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import json
import re
import socket
import ssl
import subprocess
import sys
import threading

from papers import Authority
from story import check, delete, eventually, put, run

HANDSHAKE_SECONDS = 15


def curl(gateway, host, *words, path="/", authority=None):
    """(exit code, what curl printed) for https://HOST:PORT of the gateway."""
    port = gateway.ports["tls"]
    command = ["curl", "-sS", "--noproxy", "*", "-m", "20", "--connect-to", f"{host}:{port}:127.0.0.1:{port}"]
    if authority:
        command += ["--cacert", authority.certificate]
    command += [*words, f"https://{host}:{port}{path}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def s_client(gateway, *words):
    """What s_client tells of a handshake, and whether it succeeded."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.ports['tls']}", *map(str, words)]
    done = subprocess.run(
        command, input=b"", capture_output=True, timeout=HANDSHAKE_SECONDS, check=False
    )
    return done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")


def shake(gateway, host, authority, session=None, context=None):
    """A connection by Python's ssl; the caller closes it."""
    context = context or ssl.create_default_context(cafile=authority.certificate)
    raw = socket.create_connection(gateway.address("tls"), HANDSHAKE_SECONDS)
    try:
        return context.wrap_socket(raw, server_hostname=host, session=session)
    except BaseException:
        raw.close()
        raise


def get(secure, host, path="/"):
    """The status and the body of one request; the connection stays."""
    secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    wire = b""
    while b"\r\n\r\n" not in wire:
        wire += received(secure)
    head, _, body = wire.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields.get(b"content-length", 0)):
        body += received(secure)
    return int(head.split(b" ")[1]), body


def received(secure):
    read = secure.recv(65536)
    if not read:
        raise ConnectionError("the gateway closed the connection")
    return read


def name_shown(gateway, host, authority):
    """The common name of the certificate that a client of `host` is shown."""
    with shake(gateway, host, authority) as secure:
        return dict(part[0] for part in secure.getpeercert()["subject"])["commonName"]


def refused(gateway, host, authority):
    try:
        shake(gateway, host, authority).close()
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def ssl_of(pair, *hosts, **more):
    return {"cert": pair.pem, "key": pair.key_pem, "snis": list(hosts), **more}


def with_route(story, config=None, workers=2):
    """A gateway with one route to an upstream that echoes, and an authority."""
    gateway = story.gateway(config, workers)
    nodes = {"type": "roundrobin", "nodes": {story.upstream().address: 1}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes})
    return gateway, Authority(story.folder)


def test_curl_is_served_by_each_version(story):
    gateway, authority = with_route(story)
    put(gateway, "ssls/1", ssl_of(authority.signed("a", ["a.test"]), "a.test"))
    for version in ("1.2", "1.3"):
        code, told = curl(gateway, "a.test", f"--tlsv{version}", "--tls-max", version, authority=authority)
        check(code == 0, told)
        headers = json.loads(told)["headers"]
        check(headers["x-forwarded-proto"] == "https", headers)
        check(headers["x-forwarded-port"] == str(gateway.ports["tls"]), headers)
    code, told = curl(gateway, "a.test", "-v", authority=authority)
    check("ALPN: server accepted" in told, told)


def test_the_name_decides(story):
    gateway, authority = with_route(story)
    for number, (name, host) in enumerate(
        [("exact", "a.b.test"), ("wild", "*.b.test"), ("deeper", "*.c.b.test"), ("part", "*x.d.test")]
    ):
        covered = [host.replace("*x.", "*.")]
        put(gateway, f"ssls/{number}", ssl_of(authority.signed(name, covered), host))
    check(name_shown(gateway, "a.b.test", authority) == "exact", "exact goes before wildcard")
    check(name_shown(gateway, "A.B.test", authority) == "exact", "case does not count")
    check(name_shown(gateway, "z.b.test", authority) == "wild", "a wildcard is for one label")
    check(name_shown(gateway, "y.c.b.test", authority) == "deeper", "the longer wildcard")
    check(name_shown(gateway, "yx.d.test", authority) == "part", "the end of a label")
    for host in ("b.test", "x.y.b.test", "y.d.test", "other.test"):
        check(refused(gateway, host, authority), f"{host} has no certificate")
    put(gateway, "ssls/every", ssl_of(authority.signed("every", ["other.test"]), "*"))
    check(name_shown(gateway, "other.test", authority) == "every", "* is for all")


def test_without_a_name_the_handshake_is_refused(story):
    gateway, authority = with_route(story)
    put(gateway, "ssls/1", ssl_of(authority.signed("a", ["a.test"]), "a.test"))
    good, told = s_client(gateway, "-noservername")
    check(not good and "unrecognized name" in told, told)
    good, told = s_client(gateway, "-servername", "b.test")
    check(not good and "unrecognized name" in told, told)
    wanted = ("no ssl is for 'b.test'", "named no host")
    eventually(lambda: any(text in gateway.log() for text in wanted), "a line in the log")
    other, _ = with_route(story, {"apisix": {"ssl": {"fallback_sni": "A.test"}}})
    put(other, "ssls/1", ssl_of(authority.signed("a", ["a.test"]), "a.test"))
    good, told = s_client(other, "-noservername")
    check(good and "CN = a" in told, told)


def test_rsa_and_ecdsa_beside_each_other(story):
    gateway, authority = with_route(story)
    curve = authority.signed("curve", ["a.test"])
    rsa = authority.signed("rsa", ["a.test"], kind="rsa")
    value = ssl_of(curve, "a.test", certs=[rsa.pem], keys=[rsa.key_pem])
    put(gateway, "ssls/1", value)
    for algorithm, name in (("ECDSA+SHA256", "curve"), ("RSA-PSS+SHA256", "rsa")):
        good, told = s_client(gateway, "-servername", "a.test", "-sigalgs", algorithm)
        check(good and f"CN = {name}" in told, told)
    good, told = s_client(gateway, "-servername", "a.test", "-tls1_2", "-cipher", "aRSA")
    check(good and "CN = rsa" in told, told)


def test_versions_of_one_ssl(story):
    gateway, authority = with_route(story)
    pair = authority.signed("both", ["new.test", "old.test"])
    put(gateway, "ssls/1", ssl_of(pair, "new.test", ssl_protocols=["TLSv1.3"]))
    put(gateway, "ssls/2", ssl_of(pair, "old.test", ssl_protocols=["TLSv1.2"]))
    for host, flag, wanted in (
        ("new.test", "-tls1_3", True),
        ("new.test", "-tls1_2", False),
        ("old.test", "-tls1_2", True),
        ("old.test", "-tls1_3", False),
    ):
        good, told = s_client(gateway, "-servername", host, flag)
        check(good == wanted, f"{host} {flag}: {told}")


def suite(gateway, *offered):
    """The suite of TLS 1.3 that is agreed on with a client that offers these, in its order."""
    good, told = s_client(gateway, "-servername", "a.test", "-tls1_3", "-ciphersuites", ":".join(offered))
    return re.search(r"Cipher is (\S+)", told)[1] if good else None


def test_suites_of_tls_1_3(story):
    short, long, mobile = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
    gateway, authority = with_route(story)
    value = ssl_of(authority.signed("a", ["a.test"]), "a.test")
    put(gateway, "ssls/1", value)
    check(suite(gateway, long, short, mobile) == short, "the one that costs the least")
    check(suite(gateway, long) == long, "what the client can do")
    check(suite(gateway, mobile, long, short) == mobile, "a client without AES in hardware says so")
    ciphers = f"{long}:ECDHE-ECDSA-AES256-GCM-SHA384"
    strict, _ = with_route(story, {"apisix": {"ssl": {"ssl_ciphers": ciphers}}})
    put(strict, "ssls/1", value)
    check(suite(strict, short, long) == long, "the list names suites of 1.3, too")
    check(suite(strict, short) is None, "a suite that is not in the list")
    for cipher, wanted in (("ECDHE-ECDSA-AES256-GCM-SHA384", True), ("ECDHE-ECDSA-AES128-GCM-SHA256", False)):
        good, told = s_client(strict, "-servername", "a.test", "-tls1_2", "-cipher", cipher)
        check(good == wanted, f"{cipher}: {told}")


def test_changed_at_run_time(story):
    gateway, authority = with_route(story)
    first, second = authority.signed("first", ["a.test"]), authority.signed("second", ["a.test"])
    put(gateway, "ssls/1", ssl_of(first, "a.test"))
    with shake(gateway, "a.test", authority) as kept:
        check(get(kept, "a.test")[0] == 200, "before")
        put(gateway, "ssls/1", ssl_of(second, "a.test"))
        check(name_shown(gateway, "a.test", authority) == "second", "new handshakes have the new one")
        check(get(kept, "a.test")[0] == 200, "the old connection lives")
        put(gateway, "ssls/2", ssl_of(first, "a.test"))
        check(name_shown(gateway, "a.test", authority) == "first", "the one written last is shown")
        delete(gateway, "ssls/2")
        check(name_shown(gateway, "a.test", authority) == "second", "the one before comes back")
        put(gateway, "ssls/1", ssl_of(second, "a.test", status=0))
        check(refused(gateway, "a.test", authority), "switched off")
        check(get(kept, "a.test")[0] == 200, "the old connection still lives")
    put(gateway, "ssls/1", ssl_of(second, "a.test"))
    delete(gateway, "ssls/1")
    check(refused(gateway, "a.test", authority), "deleted")


def test_keys_are_not_shown_and_pairs_must_fit(story):
    gateway, authority = with_route(story)
    first, second = authority.signed("first", ["a.test"]), authority.signed("second", ["a.test"])
    put(gateway, "ssls/1", ssl_of(first, "a.test"))
    told = gateway.admin("GET", "/apisix/admin/ssls/1").body
    told += gateway.admin("GET", "/apisix/admin/ssls").body
    check(b"PRIVATE KEY" not in told, told)
    wrong = {**ssl_of(first, "a.test"), "key": second.key_pem}
    put(gateway, "ssls/1", wrong, status=(400,))
    check(name_shown(gateway, "a.test", authority) == "first", "the good one stays")


def test_client_certificates(story):
    gateway, authority = with_route(story)
    clients, others = Authority(story.folder, "clients"), Authority(story.folder, "others")
    middle = Authority(story.folder, "middle", above=clients)
    good, stranger = clients.signed("good", []), others.signed("stranger", [])
    deep = middle.signed("deep", [])
    chain = story.folder / "deep-chain.pem"
    chain.write_text(deep.pem + middle.pem)
    pair = authority.signed("a", ["a.test", "b.test"])
    put(gateway, "ssls/1", ssl_of(pair, "a.test", client={"ca": clients.pem, "depth": 0}))
    put(gateway, "ssls/2", ssl_of(pair, "b.test"))

    def ask(host, certificate=None, key=None, path="/"):
        words = ["--cert", certificate, "--key", key] if certificate else []
        return curl(gateway, host, *words, "-w", " %{http_code}", path=path, authority=authority)

    code, told = ask("a.test", good.certificate, good.key)
    check(code == 0 and told.endswith(" 200"), told)
    for certificate, key in ((None, None), (stranger.certificate, stranger.key), (chain, deep.key)):
        code, told = ask("a.test", certificate, key)
        check(code != 0, told)
    put(gateway, "ssls/1", ssl_of(pair, "a.test", client={"ca": clients.pem, "depth": 1}))
    code, told = ask("a.test", chain, deep.key)
    check(code == 0 and told.endswith(" 200"), told)
    code, told = curl(
        gateway, "b.test", "-H", "Host: a.test", "-w", " %{http_code}", authority=authority
    )
    check(code == 0 and told.endswith(" 400"), f"another host's handshake: {told}")
    client = {"ca": clients.pem, "depth": 1, "skip_mtls_uri_regex": ["^/open/"]}
    put(gateway, "ssls/1", ssl_of(pair, "a.test", client=client))
    for certificate, key, path, status in (
        (None, None, "/open/x", 200),
        (None, None, "/closed", 400),
        (stranger.certificate, stranger.key, "/closed", 400),
        (good.certificate, good.key, "/closed", 200),
    ):
        code, told = ask("a.test", certificate, key, path)
        check(code == 0 and told.endswith(f" {status}"), f"{path}: {told}")


def test_what_a_connection_tells(story):
    gateway, authority = with_route(story)
    clients = Authority(story.folder, "clients")
    good = clients.signed("good", [])
    names = ["protocol", "cipher", "server_name", "session_reused", "client_verify", "client_s_dn"]
    names += ["client_i_dn", "client_serial", "client_fingerprint", "client_v_remain", "client_cert"]
    headers = {"set": {f"X-{name.replace('_', '-')}": f"$ssl_{name}" for name in names}}
    nodes = {"type": "roundrobin", "nodes": {story.upstream().address: 1}}
    plugins = {"proxy-rewrite": {"headers": headers}}
    put(gateway, "routes/1", {"uri": "/*", "upstream": nodes, "plugins": plugins})
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", ssl_of(pair, "a.test", client={"ca": clients.pem}))
    code, told = curl(gateway, "a.test", "--cert", good.certificate, "--key", good.key, authority=authority)
    check(code == 0, told)
    seen = json.loads(told)["headers"]
    fingerprint = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha1", "-in", good.certificate],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = {"protocol": "TLSv1.3", "server-name": "a.test", "session-reused": "."}
    wanted |= {"client-verify": "SUCCESS", "client-s-dn": "CN=good", "client-i-dn": "CN=clients"}
    wanted |= {"client-serial": "01",}
    check(seen.get("x-client-v-remain") in ("1", "2"), seen)
    wanted["client-fingerprint"] = fingerprint.strip().partition("=")[2].replace(":", "").lower()
    for name, value in wanted.items():
        check(seen.get(f"x-{name}") == value, f"{name} is {seen.get(f'x-{name}')}, not {value}")
    check("BEGIN CERTIFICATE" in seen["x-client-cert"], seen)


def come_back(story, config):
    """How many of many handshakes were short, with one session kept by a client, over several workers."""
    gateway, authority = with_route(story, config, workers=4)
    put(gateway, "ssls/1", ssl_of(authority.signed("a", ["a.test"]), "a.test"))
    short = 0
    for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=authority.certificate)
        context.maximum_version = maximum
        session = None
        for _ in range(20):
            with shake(gateway, "a.test", authority, session, context) as secure:
                check(get(secure, "a.test")[0] == 200, "a request")
                short += secure.session_reused
                session = secure.session
    return short


def test_handshakes_are_short_with_sessions(story):
    check(come_back(story, None) == 38, "all but the first of each version are short, whichever worker")


def test_handshakes_are_short_with_tickets(story):
    config = {"apisix": {"ssl": {"ssl_session_tickets": True}}}
    check(come_back(story, config) == 38, "all but the first of each version are short, whichever worker")


def test_a_session_does_not_cross_client_authorities(story):
    gateway, authority = with_route(story)
    clients = Authority(story.folder, "clients")
    pair = authority.signed("a", ["a.test"])
    put(gateway, "ssls/1", ssl_of(pair, "a.test"))
    context = ssl.create_default_context(cafile=authority.certificate)
    with shake(gateway, "a.test", authority, None, context) as secure:
        get(secure, "a.test")
        session = secure.session
    put(gateway, "ssls/1", ssl_of(pair, "a.test", client={"ca": clients.pem}))
    try:
        with shake(gateway, "a.test", authority, session, context) as secure:
            status, _ = get(secure, "a.test")
            raise AssertionError(f"answered {status} without a client certificate")
    except (ssl.SSLError, ConnectionError):
        pass


def test_a_thousand_certificates_changed_under_traffic(story):
    gateway, authority = with_route(story)
    pairs = [authority.signed(f"p{number}", ["*.many.test"]) for number in range(8)]
    for number in range(1000):
        put(gateway, f"ssls/{number}", ssl_of(pairs[number % 8], f"h{number}.many.test"))
    context = ssl.create_default_context(cafile=authority.certificate)
    done, failures, shaken = threading.Event(), [], [0] * 4

    def traffic(which):
        number = which
        while not done.is_set():
            host = f"h{number % 1000}.many.test"
            try:
                with shake(gateway, host, authority, None, context) as secure:
                    check(get(secure, host)[0] == 200, "a request")
                shaken[which] += 1
            except Exception as error:
                failures.append(f"{host}: {error!r}")
            number += 7

    threads = [threading.Thread(target=traffic, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1000):
        put(gateway, f"ssls/{number}", ssl_of(pairs[(number + 1) % 8], f"h{number}.many.test"))
    done.set()
    for thread in threads:
        thread.join()
    check(not failures, failures[:5])
    check(sum(shaken) > 200, f"only {sum(shaken)} handshakes were made beside the changes")
    check(name_shown(gateway, "h999.many.test", authority) == "p0", "the last change is live")


def test_hellos_cut_anywhere(story):
    """A client hello in many pieces is one; what is none ends quickly, and nothing else suffers."""
    gateway, authority = with_route(story)
    put(gateway, "ssls/1", ssl_of(authority.signed("a", ["a.test"]), "a.test"))
    context = ssl.create_default_context(cafile=authority.certificate)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(into, out, server_hostname="a.test")
    try:
        secure.do_handshake()
    except ssl.SSLWantReadError:
        hello = out.read()
    with socket.create_connection(gateway.address("tls"), HANDSHAKE_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), 7):
            sock.sendall(hello[at : at + 7])
        into.write(sock.recv(65536))
    nonsense = [b"GET / HTTP/1.1\r\n\r\n", hello[:1] + b"\xff" * 300, hello[:60] + b"\x00" * 400]
    for wire in (*nonsense, b"\x16\x03\x01"):
        with socket.create_connection(gateway.address("tls"), HANDSHAKE_SECONDS) as sock:
            sock.sendall(wire)
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionError:
                pass
    check(name_shown(gateway, "a.test", authority) == "a", "the next client is served")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["curl", "openssl"]))
