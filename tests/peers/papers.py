# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by the openssl program: an authority, and what it has signed."""

import subprocess
from pathlib import Path

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
KINDS = {"ec": CURVE, "rsa": ["-newkey", "rsa:2048"]}


class Pair:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key
        self.pem, self.key_pem = certificate.read_text(), key.read_text()


class Authority:
    """Signs certificates below `folder`; `above` is who has signed its own."""

    def __init__(self, folder, name="authority", above=None):
        self.folder, self.name = Path(folder), name
        self.serial = 0
        if above:
            pair = above.signed(name, [], authority=True)
        else:
            pair = self.made(name, ["-x509", "-subj", f"/CN={name}"])
        self.certificate, self.key, self.pem = pair.certificate, pair.key, pair.pem

    def openssl(self, *words):
        command = ["openssl", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)

    def made(self, name, words, kind="ec"):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        words += ["-days", "2"] if "-x509" in words else []
        self.openssl("req", "-new", *KINDS[kind], "-nodes", "-keyout", key, *words, "-out", certificate)
        return Pair(certificate, key)

    def signed(self, name, hosts, kind="ec", days=2, authority=False, extra=()):
        """A pair for `hosts` (names and addresses); `name` is its common name and that of its files."""
        self.serial += 1
        files = f"{self.name}-{name}-{self.serial}"
        request, extensions = self.folder / f"{files}.csr", self.folder / f"{files}.ext"
        made = self.made(files, ["-subj", f"/CN={name}"], kind)
        made.certificate.rename(request)
        names = ",".join(f"{'IP' if host[-1:].isdigit() else 'DNS'}:{host}" for host in hosts)
        lines = [f"subjectAltName={names}"] if hosts else []
        lines += ["basicConstraints=critical,CA:TRUE"] if authority else []
        lines += extra
        extensions.write_text("\n".join(lines) + "\n")
        signing = ["-CA", self.certificate, "-CAkey", self.key, "-set_serial", self.serial, "-days", days]
        out = self.folder / f"{files}.pem"
        self.openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", out)
        return Pair(out, made.key)
