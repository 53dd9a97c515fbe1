#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Sluice side by side with nginx and haproxy: run.py [--quick] [--only NAME]... [--plugin NAME]...

CPU a request is the figure to judge by: total from schedstat, its user share from the kernel's split of it.
Rounds of the contestants are interleaved; the proxy has core 0, the load generator and the upstream core 1.
Prints a table and writes build/bench/results.json. README.md beside this file tells how to read it.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import control_plane
import figures
import http2_figures
import plugin_figures
import tcp_figures
import tls_figures
import web_socket_figures

PARTS = (figures, control_plane, tls_figures, http2_figures, plugin_figures, tcp_figures, web_socket_figures)
ALL = {name: measure for part in PARTS for name, measure in part.ALL.items()}
GOALS = {name: goal for part in PARTS for name, goal in part.GOALS.items()}
FLOORS = control_plane.FLOORS

TOP = Path(__file__).resolve().parent.parent.parent


def judged(name, value):
    """Whether a figure is as good as it has to be."""
    if name in GOALS:
        return f"≤ {GOALS[name]:g} " + ("ok" if value <= GOALS[name] else "MISSED")
    if name in FLOORS:
        return f"≥ {FLOORS[name]:g} " + ("ok" if value >= FLOORS[name] else "MISSED")
    return ""


def show(results, with_goals):
    print(f"\n{'figure':32} {'value':>10} {'unit':6} {'spread':>21} {'nginx':>9} {'haproxy':>9}  to reach")
    for result in results:
        spread = "{:.3f} – {:.3f}".format(*result["spread"])
        peers = [result["peers"].get(name) for name in ("nginx", "haproxy")]
        told = ["{:9.3f}".format(peer) if peer is not None else " " * 9 for peer in peers]
        mark = judged(result["name"], result["value"]) if with_goals else ""
        value = f"{result['name']:32} {result['value']:10.3f} {result['unit']:6}"
        print(f"{value} {spread:>21} {told[0]} {told[1]}  {mark}")


def save(results, only):
    """A run of some figures keeps the others that are there."""
    path = TOP / "build/bench/results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = []
    if only and path.exists():
        fresh = {result["name"] for result in results}
        kept = [result for result in json.loads(path.read_text()) if result["name"] not in fresh]
    path.write_text(json.dumps(kept + results, indent=1) + "\n")
    print(f"\nwritten: {path.relative_to(TOP)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short rounds: for a look, not for a record")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help=" ".join(ALL))
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="NAME", help="only these rows of plugins"
    )
    parser.add_argument(
        "--without-sluice", action="store_true", help="only the peers, to try the bench itself"
    )
    options = parser.parse_args()
    for name in options.only:
        if name not in ALL:
            parser.error(f"'{name}' is no figure; there are {', '.join(ALL)}")
    bench = figures.Bench(options)
    results = []
    for name, measured in (figures.ALL if options.without_sluice else ALL).items():
        if options.only and name not in options.only:
            continue
        print(f"== {name}", flush=True)
        results += measured(bench)
    for result in results:
        result["value"] = round(result["value"], 4)
        result["spread"] = [round(value, 4) for value in result["spread"]]
        result["peers"] = {name: round(value, 4) for name, value in result["peers"].items()}
    show(results, not options.without_sluice)
    if not options.without_sluice:
        save(results, options.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
