# SPDX-License-Identifier: Apache-2.0
"""A name server on 127.0.0.1 that knows the names a scenario gives it (RFC 1035, A and AAAA over UDP)."""

import ipaddress
import socket
import struct
import threading

TTL_SECONDS = 1


class NameServer:
    def __init__(self):
        self.known = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            packet, client = self.socket.recvfrom(1500)
            try:
                self.socket.sendto(self.answer(packet), client)
            except (IndexError, struct.error):
                pass  # no question that could be answered

    def answer(self, packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1"))
            at += packet[at] + 1
        kind = struct.unpack(">H", packet[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        records = b""
        addresses = [ipaddress.ip_address(text) for text in self.known.get(name, [])]
        addresses = [address for address in addresses if kind == (1 if address.version == 4 else 28)]
        for address in addresses:
            head = struct.pack(">HHHIH", 0xC00C, kind, 1, TTL_SECONDS, len(address.packed))
            records += head + address.packed
        flags = 0x8180 if name in self.known else 0x8183
        return (
            packet[:2] + struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0) + packet[12 : at + 5] + records
        )


SERVER = NameServer()
