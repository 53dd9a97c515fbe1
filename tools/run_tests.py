#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test rings and ends with `N passed, N failed`: tools/run_tests.py [RING]...

Rings: tidy, tools (Python's own tests), unit, scenarios, weather, fuzz, peers; all when none is named.
It runs what is built: `make test` builds first. docs/testing.md tells what each ring is for.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
UNIT_SECONDS, SCENARIO_SECONDS, PEER_SECONDS = 600, 1800, 900
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


class Rings:
    def __init__(self, options):
        self.options = options
        self.trees = options.tree or ["release", "asan"]
        self.passed = self.failed = 0
        self.failures = []
        self.telling = threading.Lock()
        self.environment = {**os.environ, **SANITIZERS, "PYTHONDONTWRITEBYTECODE": "1"}

    def call(self, command, seconds, environment=None):
        """(exit code or None when it took too long, output)"""
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                cwd=TOP,
                env={**self.environment, **(environment or {})},
                check=False,
            )
            return done.returncode, done.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as late:
            told = (late.stdout or b"").decode("utf-8", "replace")
            return None, told + f"\nstill running after {seconds} s: ended"

    def count(self, name, passed, failed, began, output=""):
        mark = "ok  " if not failed else "FAIL"
        counts = f"{passed} passed" + (f", {failed} failed" if failed else "")
        told = f"{mark} {name}: {counts} ({time.monotonic() - began:.1f} s)"
        if failed:
            told += "\n     " + output.strip()[-20000:].replace("\n", "\n     ")
        with self.telling:
            self.passed += passed
            self.failed += failed
            self.failures += [name] if failed else []
            print(told, flush=True)

    # -- rings --

    def tidy(self):
        began = time.monotonic()
        code, output = self.call([sys.executable, "tools/tidy.py"], 120)
        self.count("tidy", int(code == 0), int(code != 0), began, output)

    def tools(self):
        """Every *_test.py is a unittest program."""
        found = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "*_test.py"],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in found.stdout.split():
            began = time.monotonic()
            code, output = self.call([sys.executable, name], UNIT_SECONDS)
            ran = re.search(r"^Ran (\d+) tests?", output, re.M)
            total = int(ran[1]) if ran else 0
            bad = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", output))
            bad = max(bad, int(code != 0 or total == 0))
            self.count(name, max(0, total - bad), bad, began, output)

    def unit(self):
        for tree in self.trees:
            programs = sorted((TOP / "build" / tree).glob("*_tests"))
            if not programs:
                self.count(f"unit {tree}", 0, 1, time.monotonic(), f"no test program in build/{tree}")
            for program in programs:
                self.unit_program(program, f"unit {tree} {program.name}")

    def unit_program(self, program, name):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            code, output = self.call(
                [program, f"--gtest_output=json:{report}", "--gtest_brief=1"], UNIT_SECONDS
            )
            try:
                told = json.loads(report.read_text())
                bad = told["failures"] + told.get("errors", 0)
                skipped = self.skipped(told, name)
                good = told["tests"] - bad - told.get("disabled", 0) - skipped
            except (OSError, ValueError, KeyError):
                good, bad = 0, 1
                output += f"\n{name} ended without a report, exit code {code}"
        if code != 0 and not bad:
            bad = 1
            output += f"\nexit code {code}"
        self.count(name, good, bad, began, output)

    @staticmethod
    def skipped(told, name):
        """How many tests were not run, because something is not installed; loudly."""
        tests = [test for suite in told["testsuites"] for test in suite["testsuite"]]
        skipped = [test for test in tests if test.get("result") == "SKIPPED"]
        if skipped:
            why = skipped[0].get("skipped", [{}])[0].get("message", "").strip().split("\n")[-1]
            print(f"SKIP {name}: {len(skipped)} tests: {why}", flush=True)
        return len(skipped)

    def scenarios(self):
        for tree in self.trees:
            began = time.monotonic()
            command = [
                sys.executable,
                "tests/scenarios/run.py",
                "--binary",
                TOP / "build" / tree / "sluice",
            ]
            slow = {} if tree == "release" else {"SLUICE_SLOW": "1"}
            code, output = self.call(command, SCENARIO_SECONDS, slow)
            self.count_summary(f"scenarios {tree}", code, output, began)

    def weather(self):
        """Each program in tests/weather/ is a storm that a scenario cannot tell."""
        for program in sorted((TOP / "tests/weather").glob("*.py")):
            if program.name.endswith("_test.py") or not program.read_text().startswith("#!"):
                continue  # a test of a storm, or what storms share
            began = time.monotonic()
            code, output = self.call([sys.executable, program], SCENARIO_SECONDS)
            self.count_summary(f"weather {program.stem}", code, output, began)

    def count_summary(self, name, code, output, began):
        found = SUMMARY.findall(output)
        good, bad = (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)
        if (code != 0 or not found) and not bad:
            bad = 1
            output += f"\nexit code {code}"
        self.count(name, good, bad, began, output)

    def fuzz(self):
        """Replays every kept input, then looks for new ones for a while, seeded by them."""
        targets = sorted((TOP / "build/asan").glob("*_fuzz"))
        if not targets:
            return self.count("fuzz", 0, 1, time.monotonic(), "no target in build/asan")
        with ThreadPoolExecutor(os.cpu_count()) as several:
            list(several.map(self.fuzz_target, targets))
        return None

    def fuzz_target(self, target):
        began = time.monotonic()
        corpus = TOP / "tests/fuzz/corpus" / target.name.removesuffix("_fuzz")
        files = sorted(path for path in corpus.glob("*") if path.is_file())
        code, output = self.call([target, *files], UNIT_SECONDS) if files else (0, "")
        name = f"fuzz {target.name} corpus of {len(files)}"
        self.count(name, int(code == 0), int(code != 0), began, output)
        self.fuzz_search(target, files and corpus)

    def fuzz_search(self, target, corpus):
        began, seconds = time.monotonic(), self.options.fuzz_seconds
        found = TOP / "build/asan/found"
        found.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            command = [
                target,
                f"-max_total_time={seconds}",
                f"-seed={self.options.seed}",
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-max_len=16384",
            ]
            command += [f"-artifact_prefix={found}/{target.name}-", "-print_final_stats=1", folder]
            code, output = self.call(command + ([corpus] if corpus else []), seconds + 120)
        self.count(f"fuzz {target.name} for {seconds} s", int(code == 0), int(code != 0), began, output)

    def peers(self):
        """A program in tests/peers/ starts a real third-party server or client; 77: not installed."""
        for program in sorted((TOP / "tests/peers").glob("*_peer.py")):
            began = time.monotonic()
            code, output = self.call([sys.executable, program], PEER_SECONDS)
            if code == 77:
                print(f"SKIP peers {program.stem}: {output.strip()}", flush=True)
                continue
            self.count_summary(f"peers {program.stem}", code, output, began)


RINGS = ["tidy", "tools", "unit", "scenarios", "weather", "fuzz", "peers"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rings", nargs="*", metavar="RING", help=" ".join(RINGS))
    parser.add_argument("--tree", action="append", help="tree of build/ (default: release and asan)")
    parser.add_argument("--fuzz-seconds", type=int, default=10, help="for each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the search, 0 for any (default: %(default)s)")
    options = parser.parse_args()
    for ring in options.rings:
        if ring not in RINGS:
            parser.error(f"'{ring}' is no ring; there are {', '.join(RINGS)}")
    rings = Rings(options)
    for ring in options.rings or RINGS:
        print(f"== {ring}", flush=True)
        getattr(rings, ring)()
    if rings.failures:
        print("failed: " + ", ".join(rings.failures))
    print(f"{rings.passed} passed, {rings.failed} failed")
    return 1 if rings.failed or not rings.passed else 0


if __name__ == "__main__":
    sys.exit(main())
