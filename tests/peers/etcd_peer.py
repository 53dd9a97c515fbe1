#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway on a real etcd, alone and as a cluster of three, in good weather and bad.

etcd_peer.py [--binary PATH] [NAME...]: the tests whose name has one of the words. Ends with `N passed,
N failed`; exit code 77 when etcd is not installed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from etcd_story import TOP, Story, check, eventually, run, served
from client import Connection, connect, request_bytes
from etcd_cluster import Certificates, Cluster
from gateway import merge

# -- the tests --


def test_what_is_written_here_is_read_there(story):
    etcd = story.cluster()
    node = story.node(etcd)
    answer = node.put("routes/1", story.route("/a"))
    check(answer.status == 201, answer.brief())
    served(node, "/a")
    value = json.loads(etcd.get("/apisix/routes/1"))
    check(value["id"] == "1" and value["uri"] == "/a", value)
    check(isinstance(value["create_time"], int) and isinstance(value["update_time"], int), value)
    post = node.admin("POST", "/apisix/admin/routes", json.dumps(story.route("/b")).encode())
    check(post.status == 201, post.brief())
    name = post.json()["value"]["id"]
    check(len(name) == 20 and etcd.get(f"/apisix/routes/{name}") is not None, name)
    listed = node.admin("GET", "/apisix/admin/routes").json()
    check(listed["total"] == 2, listed)


def test_what_apisix_wrote_is_served(story):
    etcd = story.cluster()
    for kind in ("routes", "upstreams", "services", "ssl", "plugins"):
        etcd.put(f"/apisix/{kind}/", "init_dir")
    etcd.put("/apisix/upstreams/u1", {"id": "u1", "create_time": 1, "update_time": 1, **story.nodes()})
    route = {"id": "r1", "uri": "/a", "upstream_id": "u1", "priority": 0, "status": 1}
    etcd.put("/apisix/routes/r1", {**route, "create_time": 1700000000, "update_time": 1700000000})
    node = story.node(etcd)
    served(node, "/a")
    check(node.admin("GET", "/apisix/admin/upstreams").json()["total"] == 1, "init_dir is listed")
    etcd.put("/apisix/routes/r2", {"id": "r2", "uri": "/b", "upstream_id": "u1"})
    served(node, "/b")
    refused = node.admin("DELETE", "/apisix/admin/upstreams/u1")
    check(refused.status == 400 and b"still using it" in refused.body, refused.brief())
    etcd.put("/apisix/routes/r2", "{not json")
    etcd.put("/apisix/routes/r3", {"id": "r3", "uri": "/c", "upstream_id": "u1"})
    served(node, "/c")
    served(node, "/b")  # the last good one stays
    check("/apisix/routes/r2" in node.log(), "the broken value is not named in the log")
    for name in ("r1", "r2", "r3"):
        etcd.delete(f"/apisix/routes/{name}")
    served(node, "/a", 404)
    check(node.admin("DELETE", "/apisix/admin/upstreams/u1").status == 200, "cannot be deleted")


def test_etcd_is_killed_and_comes_back(story):
    etcd = story.cluster()
    node = story.node(etcd)
    node.put("routes/1", story.route("/a"))
    served(node, "/a")
    etcd.kill()
    check(eventually(lambda: node.store().get("reachable") is False), "status says nothing")
    check(node.get("/a").status == 200, "the last good configuration is not served")
    held = eventually(lambda: node.ask("control", "/v1/route/1").status == 200)
    check(held, "the control API does not tell what is served")
    check(len(node.ask("control", "/v1/routes").json()) == 1, "nor all of it")
    refused = node.put("routes/2", story.route("/b"))
    check(refused.status == 503 and b"etcd" in refused.body, refused.brief())
    etcd.start()
    check(eventually(lambda: node.store().get("reachable") is True), "not reached again")
    etcd.put("/apisix/routes/3", story.route("/c"))
    served(node, "/c")
    check(eventually(lambda: node.put("routes/2", story.route("/b")).status == 201), "cannot be written")


def test_the_node_starts_while_etcd_is_away(story):
    etcd = story.cluster()
    node = story.node(etcd)
    node.put("routes/1", story.route("/a"))
    served(node, "/a")
    etcd.kill()
    node.stop()
    node.start()
    served(node, "/a")
    check(node.store()["reachable"] is False, node.store())
    ready = eventually(lambda: node.status("/status/ready").status == 200)
    check(ready, "it serves, so every worker will in a moment")
    check("last good configuration" in node.log(), "not said in the log")
    check(node.put("routes/2", story.route("/b")).status == 503, "a write is accepted")
    etcd.start()
    etcd.put("/apisix/routes/1", story.route("/moved"))
    served(node, "/moved")
    served(node, "/a", 404)


def test_a_node_without_anything_waits_for_etcd(story):
    etcd = story.add(Cluster())
    node = story.node(etcd)
    check(node.status("/status/ready").status == 503, "ready without a configuration")
    etcd.start()
    check(eventually(lambda: node.status("/status/ready").status == 200), "not ready")
    etcd.put("/apisix/routes/1", story.route("/a"))
    served(node, "/a")


def left_out(node):
    """What is stored and not served, as the status API and the metrics say it."""
    told = node.status("/status").json().get("left_out", {"total": 0, "list": []})
    gauge = f"apisix_resources_left_out {told['total']}\n"
    check(gauge in node.ask("metrics", "/apisix/prometheus/metrics").body.decode(), f"no {gauge}")
    return {one["resource"]: one["why"] for one in told["list"]}


def test_a_value_that_does_not_hold_changes_nothing(story):
    etcd = story.cluster()
    node = story.node(etcd)
    node.put("routes/1", story.route("/a"))
    node.put("routes/2", story.route("/b"))
    served(node, "/b")
    check(left_out(node) == {}, left_out(node))
    etcd.put("/apisix/routes/1", "no JSON at all")
    etcd.put("/apisix/routes/2", story.route("/b", priority="high"))
    etcd.put("/apisix/routes/3", story.route("/c", plugins={"ip-restriction": {"whitelist": ["nobody"]}}))
    etcd.put("/apisix/routes/4", story.route("/d"))
    served(node, "/d")  # the watch goes on behind them
    check(set(left_out(node)) == {"routes/1", "routes/2", "routes/3"}, left_out(node))
    check("/priority" in left_out(node)["routes/2"], left_out(node))
    for path in ("/a", "/b"):
        served(node, path)
    served(node, "/c", 404)
    etcd.put("/apisix/routes/1", story.route("/a2"))
    etcd.delete("/apisix/routes/2")
    served(node, "/a2")
    served(node, "/b", 404)
    check(set(left_out(node)) == {"routes/3"}, left_out(node))


def test_two_nodes_write_the_same_key(story):
    etcd = story.cluster()
    nodes = [story.node(etcd), story.node(etcd)]
    nodes[0].put("routes/1", story.route("/a", labels={}))
    served(nodes[1], "/a")
    wrong = []

    def write(number, node):
        for count in range(1, 41):
            labels = json.dumps({"labels": {f"n{number}": str(count)}}).encode()
            answer = node.admin("PATCH", "/apisix/admin/routes/1", labels)
            if answer.status != 200:
                wrong.append(answer.brief())

    writers = [threading.Thread(target=write, args=pair) for pair in enumerate(nodes)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    check(not wrong, wrong)
    stored = json.loads(etcd.get("/apisix/routes/1"))
    check(stored["labels"] == {"n0": "40", "n1": "40"}, f"a write was lost: {stored['labels']}")
    for node in nodes:
        shown = node.admin("GET", "/apisix/admin/routes/1").json()["value"]
        check(shown["labels"] == stored["labels"], shown)


def test_compaction_while_disconnected(story):
    etcd = story.cluster()
    node = story.node(etcd)
    node.put("routes/1", story.route("/a"))
    node.put("routes/2", story.route("/b"))
    served(node, "/b")
    os.kill(node.serving(), signal.SIGSTOP)  # it misses what happens now
    etcd.kill()
    etcd.start()
    etcd.delete("/apisix/routes/1")
    for priority in range(20):
        last = etcd.put("/apisix/routes/2", story.route("/moved", priority=priority))
    etcd.compact(last)
    os.kill(node.serving(), signal.SIGCONT)
    served(node, "/moved")
    served(node, "/a", 404)
    served(node, "/b", 404)
    check(eventually(lambda: "compacted" in node.log()), "not said in the log")


def test_a_backup_is_restored(story):
    etcd = story.cluster()
    node = story.node(etcd)
    for name in "abcde":
        node.put(f"routes/{name}", story.route(f"/{name}"))
    served(node, "/e")
    member = etcd.members[0]
    etcd.kill()
    for path in sorted((etcd.folder / member.name).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    etcd.start()
    etcd.put("/apisix/routes/a", story.route("/older"))
    served(node, "/older")
    served(node, "/e", 404)
    check(node.put("routes/x", story.route("/x")).status == 201, "cannot be written")
    served(node, "/x")


def test_three_members_lose_their_leader(story):
    etcd = story.cluster(3)
    one, two = story.node(etcd), story.node(etcd)
    check(one.put("routes/0", story.route("/r0")).status == 201, "cannot be written")
    acknowledged = ["/r0"]
    etcd.leader().kill()
    for number in range(1, 60):
        if one.put(f"routes/{number}", story.route(f"/r{number}")).status == 201:
            acknowledged.append(f"/r{number}")
    check(len(acknowledged) > 20, f"only {len(acknowledged)} writes were acknowledged")
    for path in acknowledged:
        served(one, path)
        served(two, path)
    for member in etcd.members:
        if not member.process:
            member.start()
    etcd.wait_healthy()
    for node in (one, two):
        check(eventually(lambda node=node: node.store().get("reachable") is True), node.store())
    check(two.put("routes/last", story.route("/last")).status == 201, "cannot be written")
    served(one, "/last")


def test_a_member_hangs(story):
    etcd = story.cluster(3)
    node = story.node(etcd, etcd={"timeout": 3})
    check(node.put("routes/1", story.route("/a")).status == 201, "cannot be written")
    told = [line for line in node.log().split("\n") if "the configuration is reached, at revision" in line]
    asked = next(member for member in etcd.members if member.url.split("//")[1] in told[0])
    os.kill(asked.process.pid, signal.SIGSTOP)
    other = next(member for member in etcd.members if member is not asked)
    accepted = eventually(lambda: etcd.put_at(other, "/apisix/routes/2", story.route("/b")))
    check(accepted, "the others have no leader")
    served(node, "/b")
    written = eventually(lambda: node.put("routes/3", story.route("/c")).status in (200, 201))
    check(written, "cannot be written")
    served(node, "/c")
    os.kill(asked.process.pid, signal.SIGCONT)


def test_user_and_password(story):
    etcd = story.cluster(options=["--auth-token-ttl", "3"])
    etcd.require_password("gateway", "gateway-password")
    wrong = story.node(etcd, etcd={"user": "gateway", "password": "guessed"})
    check(wrong.status("/status/ready").status == 503, "ready with a wrong password")
    check("authentication failed" in wrong.log(), "not said in the log")
    node = story.node(etcd, etcd={"user": "gateway", "password": "gateway-password"})
    check(node.put("routes/1", story.route("/a")).status == 201, "cannot be written")
    served(node, "/a")
    etcd.kill()
    etcd.start()  # simple tokens are forgotten
    etcd.login()
    again = eventually(lambda: node.put("routes/2", story.route("/b")).status == 201)
    check(again, "not authenticated again")
    served(node, "/b")
    check(eventually(lambda: node.store().get("reachable") is True), node.store())
    check("gateway-password" not in node.log(), "the password is in the log")


def keyring(*keys):
    return {"apisix": {"data_encryption": {"enable_encrypt_fields": True, "keyring": list(keys)}}}


def openssl(key, *words, text):
    """AES-CBC as APISIX has it: the key is the vector, too."""
    vector = key.encode().hex()
    command = ["openssl", "enc", "-aes-128-cbc", "-A", "-a", "-K", vector, "-iv", vector, *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def key_auth(key):
    return {"username": "jack", "plugins": {"key-auth": {"key": key}}}


def let_in(node, path, key):
    wire = request_bytes("GET", path, [("Connection", "close"), ("apikey", key)])
    return Connection(node.address("data")).exchange("GET", wire).status == 200


def test_secrets_are_encrypted_as_apisix_does(story):
    own, published = "a key of our own", "qeddd145sfvddff3"
    etcd = story.cluster()
    node = story.node(etcd, config=keyring(own))
    check(node.put("consumers/jack", key_auth("key-of-jack")).status == 201, "cannot be written")
    check(node.put("routes/1", story.route("/a", plugins={"key-auth": {}})).status == 201, "no route")
    check(eventually(lambda: let_in(node, "/a", "key-of-jack")), "not let in")
    stored = json.loads(etcd.get("/apisix/consumers/jack"))["plugins"]["key-auth"]["key"]
    check(openssl(own, "-d", text=stored) == "key-of-jack", f"stored as {stored}")
    shown = node.admin("GET", "/apisix/admin/consumers/jack").json()
    check(shown["value"]["plugins"]["key-auth"]["key"] == "key-of-jack", shown)
    for key, by in (("key-by-our-ring", own), ("key-by-the-published", published)):
        etcd.put("/apisix/consumers/jack", key_auth(openssl(by, text=key)))
        check(eventually(lambda key=key: let_in(node, "/a", key)), f"{key} is not let in")
    check("published" in node.log(), "no warning of a published key")
    etcd.put("/apisix/consumers/jack", key_auth(openssl("somebody else's.", text="a-foreign-key")))
    told = "/apisix/consumers/jack: /plugins/key-auth/key decrypts with no key"
    check(eventually(lambda: told in node.log()), "not said in the log")
    check(let_in(node, "/a", "key-by-the-published"), "what was there before is gone")
    check(node.put("consumers/jack", key_auth("key-again")).status == 200, "cannot be repaired")
    check(eventually(lambda: let_in(node, "/a", "key-again")), "not let in after the repair")


def test_keys_of_certificates_are_encrypted(story):
    own = "0123456789abcdef"
    etcd = story.cluster()
    node = story.node(etcd, config=keyring(own))
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = (path.read_text() for path in Certificates(folder).server)
    pair = {"sni": "a.test", "cert": certificate, "key": key}
    check(node.put("ssls/1", pair).status == 201, "cannot be written")
    stored = json.loads(etcd.get("/apisix/ssls/1"))
    check(stored["cert"] == certificate, "the certificate is no secret")
    check(openssl(own, "-d", text=stored["key"]) == key, "APISIX cannot read it")
    renamed = node.admin("PATCH", "/apisix/admin/ssls/1", b'{"sni": "b.test"}')
    check(renamed.status == 200, renamed.body)
    check(openssl(own, "-d", text=json.loads(etcd.get("/apisix/ssls/1"))["key"]) == key, "encrypted twice")
    check(not any("PRIVATE KEY" in path.read_text(errors="replace") for path in node.prefix.glob("data/*")),
          "in plain in the last good configuration")


def test_tls_and_client_certificates(story):
    with tempfile.TemporaryDirectory() as folder:
        papers = Certificates(folder)
        etcd = story.cluster(tls=papers, client_certificates=True)
        trusted = {"apisix": {"ssl": {"ssl_trusted_certificate": str(papers.authority)}}}
        mine = {"tls": {"cert": str(papers.client[0]), "key": str(papers.client[1])}}
        node = story.node(etcd, etcd=mine, config=trusted)
        check(node.put("routes/1", story.route("/a")).status == 201, "cannot be written")
        served(node, "/a")
        named = story.node(etcd, etcd=merge(mine, {"tls": {"sni": "etcd.test"}}), config=trusted)
        served(named, "/a")
        stranger = story.node(etcd, etcd=mine)
        check(stranger.store()["loaded"] is False, "an unknown authority is trusted")
        unverified = story.node(etcd, etcd=merge(mine, {"tls": {"verify": False}}))
        served(unverified, "/a")
        anonymous = story.node(etcd, config=trusted)
        check(anonymous.store()["loaded"] is False, "no certificate is asked for")


def test_roles(story):
    etcd = story.cluster()
    control = story.node(etcd, role="control_plane")
    data = story.node(etcd, role="data_plane")
    check(control.put("routes/1", story.route("/a")).status == 201, "cannot be written")
    served(data, "/a")
    for node, listener in ((control, "data"), (data, "admin")):
        try:
            connect(node.address(listener)).close()
        except OSError:
            continue
        raise AssertionError(f"{listener} is open")


def test_every_scenario_holds_on_etcd(story):
    etcd = story.cluster()
    command = [sys.executable, TOP / "tests/scenarios/run.py", "--binary", Story.binary]
    command += ["--etcd", etcd.urls()[0]]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__))
