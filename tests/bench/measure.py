# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about processes: CPU, memory, threads, and who owns a port."""

import os
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def children(root):
    """The process and everything below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
        except (OSError, IndexError):
            continue
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def threads(root):
    for pid in children(root):
        try:
            yield from ((pid, int(task)) for task in os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue


@dataclass
class Cpu:
    """Nanoseconds on a core by schedstat; ticks of user and system time by stat, for the split.

    `whole` are the ticks of the processes, those of threads that have ended included.
    """

    total: int = 0
    user: int = 0
    system: int = 0
    whole: int = 0

    def __sub__(self, other):
        mine, theirs = vars(self), vars(other)
        return Cpu(**{name: mine[name] - theirs[name] for name in mine})

    def lost_ticks(self):
        return self.whole - self.user - self.system

    def user_ns(self):
        ticks = self.user + self.system
        return self.total * self.user / ticks if ticks else 0.0


def cpu(root):
    told = Cpu()
    for pid, task in threads(root):
        try:
            base = Path(f"/proc/{pid}/task/{task}")
            told.total += int((base / "schedstat").read_text().split()[0])
            fields = (base / "stat").read_text().rpartition(")")[2].split()
            told.user += int(fields[11])
            told.system += int(fields[12])
        except (OSError, IndexError):
            continue
    for pid in children(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            told.whole += int(fields[11]) + int(fields[12])
        except (OSError, IndexError):
            continue
    return told


def thread_cpu(root):
    """{thread: nanoseconds}, to find the one that works."""
    told = {}
    for pid, task in threads(root):
        try:
            told[task] = int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except (OSError, IndexError):
            continue
    return told


def resident_bytes(root):
    total = 0
    for pid in children(root):
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return total


def port_owners(port):
    """The processes that listen on a port of 127.0.0.1 or of every address."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    owners = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(os.readlink(link) in inodes for link in (entry / "fd").iterdir()):
                owners.add(int(entry.name))
        except OSError:
            continue
    return owners


def check_owner(port, root, name):
    owners, ours = port_owners(port), set(children(root))
    if not owners or not owners <= ours:
        raise SystemExit(f"bench: port {port} is not {name}'s {sorted(ours)} alone: {sorted(owners)}")
