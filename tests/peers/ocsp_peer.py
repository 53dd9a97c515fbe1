#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OCSP stapling: the responder is openssl ocsp, the client openssl s_client -status.

ocsp_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import subprocess
import sys

from papers import Authority
from story import check, eventually, put, run

# story has put the scenarios' modules on the path
from gateway import free_ports


class Responder:
    """Answers for what `authority` has signed; `revoked` are serial numbers."""

    def __init__(self, authority, folder, port, statuses, signer=None):
        lines = []
        for serial, status in statuses.items():
            until, number = "991231235959Z", f"{serial:02X}"
            gone = "200101000000Z" if status == "R" else ""
            lines.append(f"{status}\t{until}\t{gone}\t{number}\tunknown\t/CN=x\n")
        (folder / f"index-{port}").write_text("".join(lines))
        signs = signer or authority
        command = ["openssl", "ocsp", "-index", folder / f"index-{port}", "-port", str(port)]
        command += ["-rsigner", signs.certificate, "-rkey", signs.key, "-CA", authority.certificate]
        command += ["-ndays", "1"]
        quiet = subprocess.DEVNULL
        words = list(map(str, command))
        self.process = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet)

    def close(self):
        self.process.kill()
        self.process.wait()


def chain(authority, pair):
    return pair.pem + authority.pem


def told(gateway, host="a.test"):
    """What a client that asks for an answer is shown."""
    address = f"127.0.0.1:{gateway.ports['tls']}"
    command = ["openssl", "s_client", "-status", "-connect", address, "-servername", host]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout.decode("utf-8", "replace")


def with_ssl(story, status, stapling, signer=None, names_responder=True):
    authority = Authority(story.folder)
    (port,) = free_ports(1)
    extra = [f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/"] if names_responder else []
    pair = authority.signed("a", ["a.test"], extra=extra)
    story.add(Responder(authority, story.folder, port, {1: status}, signer and signer(authority)))
    gateway = story.gateway(workers=1)
    ssl = {"cert": chain(authority, pair), "key": pair.key_pem, "snis": ["a.test"]}
    put(gateway, "ssls/1", {**ssl, "ocsp_stapling": stapling})
    return gateway


def eventually_told(gateway, what):
    eventually(lambda: what in told(gateway), what)


def test_good(story):
    gateway = with_ssl(story, "V", {"enabled": True})
    check("no response sent" in told(gateway), "the first client is not kept waiting")
    eventually_told(gateway, "Cert Status: good")
    check("OCSP Response Status: successful" in told(gateway), "it is kept")


def test_switched_off(story):
    gateway = with_ssl(story, "V", {"enabled": False})
    for _ in range(3):
        check("no response sent" in told(gateway), "nobody asked for it")


def test_revoked(story):
    gateway = with_ssl(story, "R", {"enabled": True})
    told(gateway)
    eventually(lambda: 'certificate status "revoked"' in gateway.log(), "the log says why")
    check("no response sent" in told(gateway), "bad news is not shown")


def test_revoked_and_not_verified(story):
    gateway = with_ssl(story, "R", {"enabled": True, "skip_verify": True})
    eventually_told(gateway, "Cert Status: revoked")


def test_an_answer_by_somebody_else(story):
    gateway = with_ssl(story, "V", {"enabled": True}, lambda authority: authority.signed("thief", []))
    told(gateway)
    eventually(lambda: "not signed by the issuer" in gateway.log(), "the log says why")
    check("no response sent" in told(gateway), "it is not shown")


def test_an_answer_by_a_delegate(story):
    allowed = ["extendedKeyUsage=OCSPSigning"]
    signer = lambda authority: authority.signed("delegate", [], extra=allowed)
    gateway = with_ssl(story, "V", {"enabled": True}, signer)
    eventually_told(gateway, "Cert Status: good")


def test_a_certificate_without_a_responder(story):
    gateway = with_ssl(story, "V", {"enabled": True}, names_responder=False)
    check("no response sent" in told(gateway), "it is served without")
    check("failed to get ocsp url" in gateway.log(), "the log says why")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["openssl"]))
