#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the scenario runner, against a fake gateway: what passes, what fails, what it says then."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from language import Failure, parse, tokenize

ALL_WEATHER = """# every kind of upstream
upstream u reply 200 "hello" header X-A: b
route /a upstream u
GET /a expect 200, body is "hello", header x-a is b, header nope absent
POST /a body "abc" expect 200
upstream u expect 2 requests
upstream u saw method is POST
upstream u saw body is "abc"
upstream u saw header host is localhost
upstream e echo
route /e upstream e
POST /e header K: v body "x" expect 200, json body is "x", json headers.k is "v", json method is "POST"
upstream e raw "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok" close
GET /e expect 200, body is "ok"
upstream e refuse
GET /e expect 502
upstream e reset
GET /e expect 502
upstream e reset-mid-head
GET /e expect 502
upstream e garbage
GET /e expect 502
upstream e reply 200 chunked "abcd" trailer T: v
GET /e expect 200, body is "abcd"
GET /none expect 404, json error_msg has "Not Found"
raw "GET /a HTTP/1.1\\r\\nHo" "st: x\\r\\nConnection: close\\r\\n\\r\\n" expect 200, closed
raw "GET /a HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" \\
  "GET /a HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" expect 200, responses 2, open
repeat 2
  parallel 3
    GET /a expect 200
upstream u expect 11 requests
connection
  GET /a expect 200
  GET /a expect 200
client 127.0.0.9
  GET /a expect 200
eventually
  GET /a expect 200
"""


class Language(unittest.TestCase):
    def test_tokens(self):
        words = tokenize('GET /a,b "x \\"y\\"\\r\\x41", {"a": [1, 2]}, is')
        self.assertEqual(
            [str(word) for word in words], ["GET", "/a,b", 'x "y"\rA', ",", "{'a': [1, 2]}", ",", "is"]
        )

    def test_blocks_and_long_lines(self):
        scenario = parse(
            "f",
            '# t\nput x {\n  "a": 1\n}\nclient 127.0.0.2\n  GET / expect 200,\n'
            '    body is "x"\nlog has "y"\n',
        )
        self.assertEqual([step.line for step in scenario.steps], [2, 5, 8])
        self.assertEqual(len(scenario.steps[1].block), 1)

    def test_what_makes_no_sense(self):
        for text in ("GET /\n", "# only a title\n", "# t\nGET /\n  GET /\n"):
            with self.assertRaises(Failure):
                parse("f", text)


class Running(unittest.TestCase):
    def play(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for index, text in enumerate(texts):
                path = Path(folder) / f"{index}.txt"
                path.write_text(text, encoding="utf-8")
                paths.append(str(path))
            command = [
                sys.executable,
                str(HERE / "run.py"),
                "--binary",
                str(HERE / "testdata/fake_gateway"),
                "-v",
            ]
            done = subprocess.run(command + paths, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_everything_once(self):
        code, told = self.play(ALL_WEATHER)
        self.assertEqual((code, told.strip().split("\n")[-1]), (0, "2 passed, 0 failed"), told)

    def test_resources_do_not_outlive_their_scenario(self):
        first = '# a\nupstream u reply 200 "x"\nroute /a upstream u\nGET /a expect 200\n'
        code, told = self.play(first, "# b\nGET /a expect 404\n")
        self.assertEqual(code, 0, told)

    def test_failures_name_line_expected_and_got(self):
        first = '# a\nupstream u reply 200 "x"\nroute /a upstream u\nGET /a expect 200, body is "y"\n'
        code, told = self.play(first)
        self.assertEqual(code, 1)
        self.assertIn("0.txt:4: GET /a", told)
        self.assertIn("expected body is 'y', got 'x'", told)
        self.assertIn("1 passed, 1 failed", told)

    def test_wrong_counts_statuses_and_words_fail(self):
        for line in (
            "GET /none expect 200",
            "frobnicate",
            "GET /none expect 404, closed, nonsense",
            "log has",
            "upstream u expect 3 requests",
            "GET /none expect 404, json error_msg is 4",
        ):
            scenario = f"# a\nupstream v reply 200\n{line}\n"
            code, told = self.play(scenario)
            self.assertEqual(code, 1, line + told)

    def test_a_gateway_that_dies_fails_the_scenario_and_the_next_one_runs(self):
        code, told = self.play("# a\nGET /die expect closed\n", "# b\nGET /a expect 404\n")
        self.assertEqual(code, 1)
        self.assertIn("the gateway died", told)
        self.assertIn("1.txt: b", told)

    def test_own_configuration(self):
        code, told = self.play(
            '# a\nconfig {"apisix": {"x": 1}}\nGET /a expect 404\ngateway stop\ngateway start\n'
        )
        self.assertEqual((code, told.strip().split("\n")[-1]), (0, "1 passed, 0 failed"), told)

    def test_no_binary(self):
        command = [sys.executable, str(HERE / "run.py"), "--binary", "/nonexistent"]
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
