#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MQTT through the gateway: mosquitto brokers behind it, mosquitto_pub and mosquitto_sub in front of it.

mqtt_peer.py [--binary PATH] [WORD...]: the tests whose name has one of the words.
"""

import re
import socket
import subprocess
import sys

from papers import Authority
from story import accepts, check, eventually, put, run

from gateway import die_with_parent, free_ports  # behind story, which knows where it is

VERSIONS = {3: "mqttv31", 4: "mqttv311", 5: "mqttv5"}


class Broker:
    """A mosquitto that logs who connected as what."""

    def __init__(self, folder):
        (self.port,) = free_ports(1)
        self.told = folder / f"broker-{self.port}.log"
        settings = folder / f"broker-{self.port}.conf"
        settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            f"log_type all\nlog_dest file {self.told}\nuser root\n",
            encoding="ascii",
        )
        self.process = subprocess.Popen(
            ["mosquitto", "-c", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        eventually(self.listens, "the broker listens")

    def listens(self):
        return accepts("127.0.0.1", self.port)

    def log(self):
        return self.told.read_text(errors="replace") if self.told.exists() else ""

    def clients(self):
        return set(re.findall(r"New client connected from \S+ as (\S+) ", self.log()))

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def with_route(story, brokers, level, name=None, **upstream):
    """A gateway with one stream port that leads to the brokers."""
    plain, secure = free_ports(2)
    ports = [f"127.0.0.1:{plain}", {"addr": f"127.0.0.1:{secure}", "tls": True}]
    gateway = story.gateway({"apisix": {"proxy_mode": "http&stream", "stream_proxy": {"tcp": ports}}})
    gateway.plain, gateway.secure = plain, secure
    route(gateway, brokers, level, name, **upstream)
    return gateway


def route(gateway, brokers, level, name=None, **upstream):
    nodes = {f"127.0.0.1:{broker.port}": 1 for broker in brokers}
    said = {"protocol_level": level, **({"protocol_name": name} if name else {})}
    value = {"upstream": {"type": "roundrobin", "nodes": nodes, **upstream}, "plugins": {"mqtt-proxy": said}}
    put(gateway, "stream_routes/1?wait=applied", value)


def publish(port, client, level, *words, topic="t/a", payload="hello"):
    place = ["-h", "127.0.0.1", "-p", str(port), "-V", VERSIONS[level], "-i", client]
    command = ["mosquitto_pub", *place, "-t", topic, "-m", payload, "-q", "1", *words]
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


class Subscriber:
    def __init__(self, port, client, level, *words, topic="t/a"):
        place = ["-h", "127.0.0.1", "-p", str(port), "-V", VERSIONS[level], "-i", client]
        command = ["mosquitto_sub", *place, "-t", topic, "-C", "1", "-q", "1", *words]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, preexec_fn=die_with_parent)

    def got(self):
        out, error = self.process.communicate(timeout=20)
        return (out + error).decode("utf-8", "replace").strip()

    def close(self):
        self.process.kill()
        self.process.wait(10)


def passes(story, level, name=None, words=()):
    broker = story.add(Broker(story.folder))
    gateway = with_route(story, [broker], level, name)
    subscriber = story.add(Subscriber(gateway.plain, "reader", level, *words))
    eventually(lambda: "Sending SUBACK to reader" in broker.log(), "the reader has subscribed")
    sent = publish(gateway.plain, "writer", level, *words)
    check(sent.returncode == 0, f"mosquitto_pub: {sent.stderr!r}")
    check(subscriber.got() == "hello", "the message came through")
    check(broker.clients() >= {"reader", "writer"}, f"the broker knows {broker.clients()}")


def test_version_3_1(story):
    passes(story, 3, "MQIsdp")


def test_version_3_1_1(story):
    passes(story, 4)


def test_version_5(story):
    words = ["-x", "30", "-D", "CONNECT", "user-property", "kind", "test"]
    words += ["-D", "CONNECT", "receive-maximum", "20"]
    passes(story, 5, words=words)


def test_a_will_and_a_password(story):
    broker = story.add(Broker(story.folder))
    gateway = with_route(story, [broker], 5)
    will = ["--will-topic", "t/gone", "--will-payload", "gone", "--will-qos", "1"]
    will += ["-u", "me", "-P", "x" * 2000]
    sent = publish(gateway.plain, "writer", 5, *will)
    check(sent.returncode == 0, f"mosquitto_pub: {sent.stderr!r}")
    check("u'me'" in broker.log(), f"the broker knows no user: {broker.log()[-500:]}")


def test_another_version_is_refused(story):
    broker = story.add(Broker(story.folder))
    gateway = with_route(story, [broker], 4)
    check(publish(gateway.plain, "old", 4).returncode == 0, "the version that is wanted")
    check(publish(gateway.plain, "new", 5).returncode != 0, "another version was let through")
    check("new" not in broker.clients(), "another version came to the broker")
    wanted = "the client says protocol level 5, and protocol_level is 4"
    eventually(lambda: wanted in gateway.log() + gateway.output(), "the log says why")


def test_the_same_client_finds_the_same_broker(story):
    brokers = [story.add(Broker(story.folder)) for _ in range(3)]
    gateway = with_route(story, brokers, 5, type="chash", hash_on="vars", key="mqtt_client_id")
    clients = [f"client-{number}" for number in range(12)]
    for _ in range(3):
        for client in clients:
            sent = publish(gateway.plain, client, 5)
            check(sent.returncode == 0, f"mosquitto_pub: {sent.stderr!r}")
    seen = [broker.clients() for broker in brokers]
    for client in clients:
        check(sum(client in one for one in seen) == 1, f"{client} came to several brokers: {seen}")
    check(sum(1 for one in seen if one) >= 2, f"all clients came to one broker: {seen}")


def test_over_tls(story):
    broker, authority = story.add(Broker(story.folder)), Authority(story.folder)
    gateway = with_route(story, [broker], 5)
    pair = authority.signed("localhost", ["localhost"])
    put(gateway, "ssls/1?wait=applied", {"cert": pair.pem, "key": pair.key_pem, "snis": ["localhost"]})
    words = ["--cafile", str(authority.certificate)]
    command = ["mosquitto_pub", "-h", "localhost", "-p", str(gateway.secure), "-V", "mqttv5", "-i", "writer"]
    command += ["-t", "t/a", "-m", "hello", "-q", "1", *words]
    sent = subprocess.run(command, capture_output=True, timeout=30, check=False)
    check(sent.returncode == 0, f"mosquitto_pub: {sent.stderr!r}")
    check("writer" in broker.clients(), "the broker has seen the writer")


def test_an_edit_leaves_clients_alone(story):
    broker, other = (story.add(Broker(story.folder)) for _ in range(2))
    gateway = with_route(story, [broker], 4)
    subscriber = story.add(Subscriber(gateway.plain, "reader", 4))
    eventually(lambda: "Sending SUBACK to reader" in broker.log(), "the reader has subscribed")
    route(gateway, [other], 4)
    check(publish(gateway.plain, "writer", 4).returncode == 0, "a client after the edit")
    eventually(lambda: "writer" in other.clients(), "new clients go where the edit says")
    check(publish(broker.port, "direct", 4).returncode == 0, "a client of the broker itself")
    check(subscriber.got() == "hello", "a client from before stays connected")


def hung_up(port, wire):
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(wire)
        try:
            return sock.recv(100) == b""
        except ConnectionError:
            return True


def test_hostile_packets_reach_no_broker(story):
    broker = story.add(Broker(story.folder))
    gateway = with_route(story, [broker], 4)
    before = broker.log().count("New connection from")
    for wire in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\x7f",  # 256 MiB are announced
        b"\x10\x80\x80\x80\x80\x01",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x05",  # an id that reaches beyond the end
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x01axyz",  # more than the last field
        b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a",  # a reserved flag
    ):
        check(hung_up(gateway.plain, wire), f"not hung up on {wire!r}")
    check(broker.log().count("New connection from") == before, "the broker was connected to")
    check(publish(gateway.plain, "writer", 4).returncode == 0, "an honest client afterwards")


if __name__ == "__main__":
    sys.exit(run(globals(), __doc__, ["mosquitto", "mosquitto_pub", "mosquitto_sub", "openssl"]))
