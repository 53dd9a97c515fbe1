#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios against the real binary: run.py [--binary build/release/sluice] [FILE or WORD]....

One gateway serves scenario after scenario, its resources deleted in between; a scenario that says `config` or
`gateway` gets one of its own. Ends with `N passed, N failed`.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import names
from gateway import Gateway, merge
from language import Failure, parse
from words import OWN_GATEWAY, Runner

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = os.environ.get("SLUICE_BINARY", str(TOP / "build/release/sluice"))
    parser.add_argument("--binary", default=default, help="the gateway (default: %(default)s)")
    parser.add_argument("--etcd", metavar="URL", help="an etcd that is the store of every gateway")
    parser.add_argument("--keep", action="store_true", help="keep the prefix of the gateways")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the scenarios that pass, too")
    parser.add_argument("pick", nargs="*", help="files, or words that their paths must have")
    return parser.parse_args()


def find(picks):
    every = sorted(HERE.rglob("*.txt"))
    if not picks:
        return every
    named = [Path(pick).resolve() for pick in picks if Path(pick).is_file()]
    words = [pick for pick in picks if not Path(pick).is_file()]
    return named + [path for path in every if any(word in str(path.relative_to(HERE)) for word in words)]


def show(path):
    try:
        return str(Path(path).resolve().relative_to(TOP))
    except ValueError:
        return str(path)


class Suite:
    def __init__(self, options):
        self.options, self.shared = options, None
        self.passed, self.failed = 0, 0

    def own_config(self, scenario):
        """The `config` lines of a scenario merged, or None when it can share a gateway."""
        own = None
        for step in scenario.walk():
            if step.source.split()[0] in OWN_GATEWAY:
                own = own or {}
            if step.source.startswith("config"):
                own = merge(own, step.words({"names": names.SERVER.address})[1])
        return own

    def gateway(self, scenario):
        own = self.own_config(scenario)
        if own is not None:
            gateway = Gateway(self.options.binary, own)
            gateway.start()
            return gateway
        if self.shared is None or not self.shared.alive():
            self.end_shared()
            self.shared = Gateway(self.options.binary)
            self.shared.start()
        return self.shared

    def end(self, gateway):
        """Stops a gateway and says what was wrong with its life, if anything."""
        died = not gateway.alive()
        code = gateway.stop()
        complaint = gateway.complaint()
        if self.options.keep:
            print(f"     kept {gateway.prefix}")
        else:
            gateway.close()
        if complaint:
            raise Failure(f"a sanitizer complained:\n{complaint}")
        if died and code != 0:
            raise Failure(f"the gateway had died (exit code {code})")
        if code != 0:
            raise Failure(f"the gateway ended with {'a kill, it did not stop' if code is None else code}")

    def end_shared(self):
        if self.shared is None:
            return
        gateway, self.shared = self.shared, None
        try:
            self.end(gateway)
            self.report("the shared gateway ends cleanly", None)
        except Failure as failure:
            self.report("the shared gateway ends cleanly", str(failure))

    def report(self, name, failure, seconds=0.0):
        if failure is None:
            self.passed += 1
            if self.options.verbose:
                print(f"ok   {name} ({seconds:.2f} s)", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name}\n     " + failure.replace("\n", "\n     "), flush=True)

    def scenario(self, path):
        name, began = show(path), time.monotonic()
        try:
            scenario = parse(name, path.read_text(encoding="utf-8"))
            if self.options.etcd and any(step.source == "embedded" for step in scenario.walk()):
                print(f"SKIP {name}: it is about the embedded store", flush=True)
                return
            self.play(scenario)
            self.report(f"{name}: {scenario.title}", None, time.monotonic() - began)
        except Failure as failure:
            where = f"{name}:{failure.line}: {failure.source}\n" if hasattr(failure, "line") else ""
            self.report(name, where + str(failure))

    @staticmethod
    def wipe(gateway):
        try:
            gateway.wipe()
        except (OSError, EOFError, ValueError) as error:
            gateway.exited(2)
            verb = "does not answer" if gateway.alive() else "died"
            raise Failure(f"the gateway {verb} after the scenario: {error}: {gateway.story()}") from error

    def play(self, scenario):
        gateway = self.gateway(scenario)
        own = gateway is not self.shared
        runner = Runner(gateway)
        try:
            runner.run(scenario.steps)
            if not own:
                self.wipe(gateway)
            if not gateway.alive() and not scenario.steps[-1].source.startswith(("gateway", "sluice")):
                raise Failure(f"the gateway died: {gateway.story()}")
        except Failure as failure:
            if not gateway.alive():
                failure.args = (f"{failure}\nthe gateway is not running: {gateway.story()}",)
            if own:
                gateway.stop()
                gateway.close()
            else:
                self.end_shared()
            raise
        finally:
            runner.close()
        if own and gateway.alive():
            self.end(gateway)
        elif own:
            gateway.close()


def main():
    options = arguments()
    if not os.access(options.binary, os.X_OK):
        print(f"scenarios: there is no gateway at {options.binary}; run `make build` or say --binary")
        print("0 passed, 1 failed")
        return 1
    Gateway.etcd = options.etcd
    suite = Suite(options)
    for path in find(options.pick):
        suite.scenario(path)
    suite.end_shared()
    print(f"{suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed or not suite.passed else 0


if __name__ == "__main__":
    sys.exit(main())
