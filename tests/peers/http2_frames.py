# SPDX-License-Identifier: Apache-2.0
"""Frames of HTTP/2 (RFC 9113) by hand, for peers that say what no library would."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def frames_in(wire):
    """The kinds of the frames in what came."""
    kinds = []
    while len(wire) >= 9:
        size = int.from_bytes(wire[:3], "big")
        kinds.append(wire[3])
        wire = wire[9 + size :]
    return kinds


def connection(sock, begun=b""):
    """(kind, flags, stream, payload) of each frame that comes, until the end."""
    wire = begun
    while True:
        while len(wire) >= 9 and len(wire) >= 9 + int.from_bytes(wire[:3], "big"):
            size = int.from_bytes(wire[:3], "big")
            yield wire[3], wire[4], int.from_bytes(wire[5:9], "big"), wire[9 : 9 + size]
            wire = wire[9 + size :]
        read = sock.recv(65536)
        if not read:
            return
        wire += read
