#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators do with gateways on a real etcd: going back to an earlier revision, taking an APISIX over,
the command line over TLS.

operators_peer.py [--binary PATH] [NAME...]: the tests whose name has one of the words. Ends with `N passed,
N failed`; exit code 77 when etcd is not installed.
"""

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from etcd_story import WITHIN, Story, check, eventually, run, served
from etcd_cluster import Certificates, encode


def test_the_history_is_shared(story):
    etcd = story.cluster(3)
    one, two = story.node(etcd), story.node(etcd)
    check(one.put("routes/1", story.route("/a")).status == 201, "cannot be written")
    good = one.admin("GET", "/apisix/admin/history").json()["list"][0]["revision"]
    check(two.put("routes/1", story.route("/b")).status == 200, "cannot be written")
    etcd.put("/apisix/routes/2", {"id": "2", **story.route("/theirs")})
    served(one, "/theirs")
    listed = one.admin("GET", "/apisix/admin/history").json()["list"]
    authors = [(entry["author"], entry["changes"][0]["resource"]) for entry in listed]
    check(authors == [("outside", "routes/2"), ("admin", "routes/1"), ("admin", "routes/1")], authors)
    back = two.admin("POST", f"/apisix/admin/history/{good}/rollback?wait=applied")
    check(back.status == 200 and len(back.json()["changes"]) == 2, back.brief())
    for node in (two, one):
        served(node, "/a")
        served(node, "/b", 404)
        served(node, "/theirs", 404)
    revision = back.json()["revision"]

    def told():
        nodes = one.admin("GET", "/apisix/admin/status").json().get("nodes", [])
        return [node["applied_revision"] for node in nodes] == [revision, revision]

    check(eventually(told), one.admin("GET", "/apisix/admin/status").body)
    seen = etcd.call("/v3/kv/range", {"key": encode("/apisix/"), "range_end": encode("/apisix0")})
    keys = [base64.b64decode(pair["key"]).decode() for pair in seen["kvs"]]
    check(keys == ["/apisix/routes/1"], f"APISIX sees {keys}")


def test_a_user_who_may_not_write_the_history(story):
    etcd = story.cluster()
    etcd.put("/apisix/routes/1", {"id": "1", **story.route("/a")})
    etcd.call("/v3/auth/role/add", {"name": "apisix"})
    grant = {"permType": "READWRITE", "key": encode("/apisix/"), "range_end": encode("/apisix0")}
    etcd.call("/v3/auth/role/grant", {"name": "apisix", "perm": grant})
    etcd.require_password("gateway", "gateway-password", role="apisix")
    node = story.node(etcd, etcd={"user": "gateway", "password": "gateway-password"})
    served(node, "/a")
    check(node.put("routes/2", story.route("/b")).status == 201, "cannot be written")
    served(node, "/b")
    history = node.admin("GET", "/apisix/admin/history")
    check(history.status == 503 and b"does not let this user" in history.body, history.brief())
    check("below /sluice/apisix/" in node.log(), "not said in the log")


def command_line(*words, **environment):
    """Runs `sluice`; exit code and what it printed."""
    done = subprocess.run(
        [str(Story.binary), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def test_an_apisix_is_imported_from_its_etcd(story):
    etcd = story.cluster()
    etcd.put("/apisix/upstreams/", "init_dir")
    etcd.put("/apisix/upstreams/u1", {"id": "u1", "create_time": 1, "update_time": 1, **story.nodes()})
    etcd.put("/apisix/routes/r1", {"id": "r1", "uri": "/a", "upstream_id": "u1", "create_time": 1})
    etcd.put("/apisix/routes/r2", {"id": "r2", "uri": "/b", "upstream_id": "u1", "plugins": {"ghost": {}}})
    etcd.put("/apisix/plugins", [{"name": "cors"}])
    other = story.cluster()
    node = story.node(other)
    source = etcd.urls()[0].replace("http://", "etcd://") + "/apisix"
    code, told = command_line("import", source)
    check(code == 1 and "routes/r2 /plugins/ghost" in told and "2 resources can be imported" in told, told)
    code, told = command_line("import", source, "--apply", "-p", node.prefix)
    check("2 to create" in told, told)
    served(node, "/a")
    check(node.get("/b").status == 404, "what cannot be honoured is served")
    etcd.require_password("reader", "reader-password")
    check(command_line("import", source)[0] == 1, "read without a password")
    given = {"SLUICE_ETCD_USER": "reader", "SLUICE_ETCD_PASSWORD": "reader-password"}
    code, told = command_line("import", source, **given)
    check("2 resources can be imported" in told, told)


def test_the_command_line_speaks_tls(story):
    with tempfile.TemporaryDirectory() as folder:
        papers = Certificates(folder)
        pair = {"admin_ssl_cert": str(papers.server[0]), "admin_ssl_cert_key": str(papers.server[1])}
        secure = {"deployment": {"admin": {"https_admin": True, "admin_api_mtls": pair}}}
        etcd = story.cluster()
        node = story.node(etcd, config=secure)
        code, told = command_line("route", "list", "-p", node.prefix)
        check(code == 0, told)
        server = f"https://127.0.0.1:{node.ports['admin']}"
        code, told = command_line("route", "list", "--server", server, "-p", node.prefix)
        check(code == 1 and "--ca-file" in told, told)
        trusting = ["--server", server, "-p", node.prefix, "--ca-file", papers.authority]
        code, told = command_line("route", "list", *trusting)
        check(code == 0, told)
        plain = server.replace("https", "http")
        code, told = command_line("route", "list", "--server", plain, "-p", node.prefix)
        check(code == 1, told)
        pair["admin_ssl_ca_cert"] = str(papers.authority)
        strict = story.node(etcd, config=secure)
        code, told = command_line("route", "list", "-p", strict.prefix)
        check(code == 1, told)
        mine = ["--cert", papers.client[0], "--cert-key", papers.client[1]]
        code, told = command_line("route", "list", "-p", strict.prefix, *mine)
        check(code == 0, told)


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__))
