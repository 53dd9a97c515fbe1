#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One version after another takes over under load: no request and no WebSocket is lost; one that cannot take
over leaves everything as it was. And what WebSockets live through besides: edits, a reload, a quit.

upgrade.py [--binary PATH] [--upgrades 10] [--sockets 2000] [--rate 5000]. Ends with `N passed, N failed`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import storm
import web_sockets
from language import Failure

LOAD = storm.TOP / "build/release/bench_load"
UPSTREAM = storm.TOP / "build/release/bench_upstream"
SECONDS = 90


class Versions:
    """The program at a path, which is now one version and now another, as packages exchange it."""

    def __init__(self, gateway):
        self.folder = gateway.prefix / "bin"
        self.folder.mkdir()
        built = Path(gateway.binary).read_bytes()
        told = subprocess.run([gateway.binary, "version"], capture_output=True, text=True, check=True)
        self.first = told.stdout.split()[1]
        self.second = self.first[:-1] + ("9" if self.first[-1] != "9" else "8")
        for version in (self.first, self.second):
            path = self.folder / version
            path.write_bytes(built.replace(self.first.encode(), version.encode()))
            path.chmod(0o755)
        self.program = self.folder / "sluice"
        self.now = ""
        self.become(self.first)

    def become(self, version):
        self.now = version
        fresh = self.folder / "fresh"
        fresh.symlink_to(version)
        fresh.rename(self.program)

    def other(self):
        return self.second if self.now == self.first else self.first


class Load:
    """Requests at a rate, whether or not they are answered in time, until `end`."""

    def __init__(self, gateway, rate):
        command = [LOAD, "--port", gateway.ports["data"], "--rate", rate, "--until-input-ends", 1]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self):
        told, _ = self.process.communicate(timeout=SECONDS)
        return json.loads(told)


def begin_upgrade(gateway, *words):
    command = [gateway.binary, "upgrade", "-p", str(gateway.prefix), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def must_upgrade(gateway, versions, meanwhile=lambda: None):
    """To the other version; `meanwhile` goes on until it is done."""
    before, after = versions.now, versions.other()
    versions.become(after)
    asked = begin_upgrade(gateway)
    while asked.poll() is None:
        meanwhile()
    output = asked.stdout.read()
    wanted = f"version {after} serves in the place of {before}"
    if asked.returncode != 0 or wanted not in output:
        raise Failure(f"upgrade ended with {asked.returncode}: {output}\n{gateway.log()[-3000:]}")
    program = os.readlink(f"/proc/{gateway.serving()}/exe")
    if program != str(versions.folder / after):
        raise Failure(f"{program} serves behind an upgrade to {after}")


def refusal(gateway, has, *words):
    """What is wrong when an upgrade is to be refused with a sentence that has `has`."""
    asked = begin_upgrade(gateway, *words)
    output, _ = asked.communicate(timeout=SECONDS)
    return None if asked.returncode == 1 and has in output else f"{words}: {asked.returncode} {output}"


def write_config(gateway, change):
    config = gateway.config()
    change(config)
    (gateway.prefix / "conf/config.yaml").write_text(json.dumps(config))


def upgrades_under_load(gateway, versions, options):
    crowd = web_sockets.Crowd(gateway.address("data"), options.sockets)
    load = Load(gateway, options.rate)
    pid = (gateway.prefix / "logs/sluice.pid").read_text()
    for _ in range(options.upgrades):
        crowd.talk()
        must_upgrade(gateway, versions, crowd.talk)
        crowd.talk()
        crowd.leave(options.sockets // 10)  # so that processes of every age have some
        crowd.join(options.sockets // 10)
    running, told = load.process.poll() is None, load.end()
    crowd.talk()
    rate, slow = told["requests"] / told["seconds"], (told["p99_us"] / 1e3, told["max_us"] / 1e3)
    print(f"{options.upgrades} upgrades under {rate:.0f} requests/s ({options.rate} wanted),")
    print(f"{told['requests']} in {told['seconds']:.1f} s; {told['closed']} connections ended between two;")
    print("99 of 100 took {:.1f} ms at most, the slowest {:.1f} ms".format(*slow))
    print(f"{len(crowd.all)} WebSockets had {crowd.messages} messages answered")
    yield None if running else "the load ended too early"
    yield f"{told['errors']} requests failed" if told["errors"] else None
    yield f"statuses {told['statuses']}" if set(told["statuses"]) != {"200"} else None
    yield f"{len(crowd.problems)} WebSockets: {crowd.problems[0]}" if crowd.problems else None
    yield None if len(crowd.all) == options.sockets else f"{len(crowd.all)} of {options.sockets} are left"
    same = (gateway.prefix / "logs/sluice.pid").read_text() == pid and gateway.alive()
    yield None if same and int(pid) == gateway.process.pid else "another process is in the pid file"
    crowd.close()


def begins_on_a_connection_from_before(gateway, versions, options):
    """A connection that was idle goes over into a WebSocket in the process that drains."""
    early = web_sockets.WebSocket(gateway.address("data"))
    must_upgrade(gateway, versions)
    try:
        early.open().say(b"late")
        yield early.hears(b"late")
    except OSError as error:
        yield f"a WebSocket on a connection from before: {error}"
    early.close()


def ends_at_the_drain_time(gateway, versions, options):
    """A WebSocket lives as long as its process may drain, and no longer."""
    write_config(gateway, lambda config: config["nginx_config"].update(worker_shutdown_timeout="1s"))
    must_upgrade(gateway, versions)
    brief, last = web_sockets.WebSocket(gateway.address("data")).open(), gateway.serving()
    must_upgrade(gateway, versions)
    brief.say(b"still")
    yield brief.hears(b"still")
    brief.sock.settimeout(SECONDS)
    yield None if brief.sock.recv(1) == b"" else "a WebSocket outlived its process"
    brief.close()
    storm.eventually(lambda: not Path(f"/proc/{last}").exists(), "the process of before did not end")
    yield None


def refuses_what_cannot_take_over(gateway, versions, options):
    good, pid = (gateway.prefix / "conf/config.yaml").read_text(), gateway.process.pid
    before = gateway.serving()
    yield refusal(gateway, "is no Sluice", "--binary", "/bin/true")
    broken = versions.folder / "broken"
    broken.write_bytes(b"\x7fELF nothing more")
    broken.chmod(0o755)
    yield refusal(gateway, "cannot begin", "--binary", str(broken))
    (gateway.prefix / "conf/config.yaml").write_text("apisix: {node_listen: nonsense}")
    yield refusal(gateway, "/apisix/node_listen")
    (gateway.prefix / "conf/config.yaml").write_text(good)
    (gateway.prefix / "logs/upgrade").symlink_to("/bin/true")
    os.kill(pid, signal.SIGUSR2)
    storm.eventually(lambda: "was not written by" in gateway.log(), "a request by others is not refused")
    yield None if gateway.serving() == before else "another process serves behind a refusal"
    crowd, old = web_sockets.Crowd(gateway.address("data"), 20), versions.now
    versions.become(versions.other())
    key = [{"name": "admin", "key": "short", "role": "admin"}]
    write_config(gateway, lambda config: config["deployment"]["admin"].update(admin_key=key))
    yield refusal(gateway, "could not take over: a process with these settings did not come up")
    crowd.talk()
    yield crowd.problems[0] if crowd.problems else None
    program = os.readlink(f"/proc/{pid}/exe")
    yield None if program == str(versions.folder / old) else f"{program} was put back instead of {old}"
    (gateway.prefix / "conf/config.yaml").write_text(good)
    versions.now = old
    must_upgrade(gateway, versions)
    crowd.talk()
    yield crowd.problems[0] if crowd.problems else None
    crowd.close()


def heals_a_crash_loop(gateway, versions, options):
    """The process that served crashed behind an upgrade: another of the new version is put to work; and the
    supervisor, which did not fork those from before, knows when they end."""
    must_upgrade(gateway, versions)
    crashed = gateway.serving()
    os.kill(crashed, signal.SIGKILL)
    storm.eventually(
        lambda: gateway.serving() not in (crashed, gateway.process.pid), "no other process was put to work"
    )
    web_sockets.WebSocket(gateway.address("data")).open().close()
    program = os.readlink(f"/proc/{gateway.serving()}/exe")
    yield None if program == str(versions.folder / versions.now) else f"{program} was put to work"


def put_stream_route(gateway, name, port, peer):
    nodes = {f"127.0.0.1:{peer.getsockname()[1]}": 1}
    route = {"server_port": port, "upstream": {"type": "roundrobin", "nodes": nodes}}
    put = gateway.admin("PUT", f"/apisix/admin/stream_routes/{name}", json.dumps(route).encode())
    return None if put.status in (200, 201) else put.brief()


def keeps_streams(gateway, versions, options):
    """A connection of a stream route stays with its process; a new one is the new process's."""
    with socket.create_server(("127.0.0.1", 0)) as peer:
        yield put_stream_route(gateway, "tcp", gateway.ports["stream"], peer)
        pairs = []
        for _ in range(2):
            client = socket.create_connection(gateway.address("stream"), SECONDS)
            client.sendall(b"hello")
            pairs.append((client, peer.accept()[0]))
            must_upgrade(gateway, versions)
        for client, far in pairs:
            client.sendall(b" again")
            client.shutdown(socket.SHUT_WR)
            client.settimeout(SECONDS)
            far.settimeout(SECONDS)
            told = b"".join(iter(lambda one=far: one.recv(100), b""))
            far.sendall(b"heard")
            far.close()
            yield None if (told, client.recv(100)) == (b"hello again", b"heard") else f"a stream: {told}"
            client.close()


def sends_datagrams_on(gateway, versions, options):
    """A flow goes on through an upgrade: datagrams behind it are answered by the new process."""
    peer, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    peer.bind(("127.0.0.1", 0))
    yield put_stream_route(gateway, "udp", gateway.datagrams, peer)
    client.connect(("127.0.0.1", gateway.datagrams))
    for sock in (peer, client):
        sock.settimeout(SECONDS)
    for text in (b"before", b"behind"):
        client.send(text)
        payload, source = peer.recvfrom(100)
        peer.sendto(payload + b" heard", source)
        yield None if client.recv(100) == text + b" heard" else f"{text} was not answered"
        must_upgrade(gateway, versions)
    peer.close()
    client.close()


def lives_through_changes(gateway, versions, options):
    """A WebSocket goes on when its route is edited, deleted and made anew, and through a reload."""
    server = gateway.admin("GET", "/apisix/admin/routes/ws").json()["value"]["upstream"]["nodes"]
    crowd = web_sockets.Crowd(gateway.address("data"), 50)
    limit = {"limit-count": {"count": 1, "time_window": 60}}
    storm.put_route(gateway, list(server), "ws", uri="/ws", enable_websocket=True, plugins=limit)
    crowd.talk()
    gone = gateway.admin("DELETE", "/apisix/admin/routes/ws")
    yield None if gone.status == 200 else gone.brief()
    crowd.talk()
    storm.put_route(gateway, list(server), "ws", uri="/ws", enable_websocket=True)
    write_config(gateway, lambda config: config["nginx_config"].update(worker_processes=1))
    command = [gateway.binary, "reload", "-p", str(gateway.prefix)]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    yield None if done.returncode == 0 else f"reload: {done.stderr}"
    crowd.talk()
    yield crowd.problems[0] if crowd.problems else None
    crowd.close()


def lives_through_a_quit(gateway, versions, options):
    """`sluice quit` waits for a WebSocket, takes no connection, and ends behind it; the last case."""
    write_config(gateway, lambda config: config["nginx_config"].update(worker_shutdown_timeout="240s"))
    must_upgrade(gateway, versions)
    crowd = web_sockets.Crowd(gateway.address("data"), 50)
    gateway.process.send_signal(signal.SIGQUIT)
    storm.eventually(lambda: not listens(gateway), "it takes connections behind a quit")
    crowd.talk()
    yield crowd.problems[0] if crowd.problems else None
    yield None if gateway.alive() else "it ended before its WebSockets"
    crowd.close()
    yield None if gateway.exited(SECONDS) and gateway.process.returncode == 0 else "it did not end well"


def listens(gateway):
    try:
        socket.create_connection(gateway.address("data"), SECONDS).close()
        return True
    except OSError:
        return False


CASES = [
    upgrades_under_load,
    begins_on_a_connection_from_before,
    refuses_what_cannot_take_over,
    heals_a_crash_loop,
    keeps_streams,
    sends_datagrams_on,
    ends_at_the_drain_time,
    lives_through_changes,
    lives_through_a_quit,
]


def problems(gateway, options):
    versions = Versions(gateway)
    gateway.stop()
    gateway.binary = str(versions.program)
    gateway.datagrams = free_datagram_port()
    stream = {"proxy_mode": "http&stream", "stream_proxy": {"udp": [f"127.0.0.1:{gateway.datagrams}"]}}
    gateway.extra = {"apisix": stream}
    gateway.start()
    plain = subprocess.Popen(
        [str(UPSTREAM), "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    server = web_sockets.Server()
    try:
        storm.put_route(gateway, [f"127.0.0.1:{int(plain.stdout.readline())}"])
        storm.put_route(gateway, [server.address], "ws", uri="/ws", enable_websocket=True)
        for case in CASES:
            yield from case(gateway, versions, options)
    finally:
        server.close()
        plain.communicate()


def free_datagram_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


if __name__ == "__main__":
    web_sockets.raise_limit()
    chosen = storm.options_of(__doc__, upgrades=10, sockets=2000, rate=5000)
    sys.exit(storm.run(problems, chosen, workers=2))
