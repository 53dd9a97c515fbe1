#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of kills.py: a gateway that keeps its writes passes, one that forgets them fails."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
FAKE = HERE.parent / "scenarios/testdata/fake_gateway"


class Kills(unittest.TestCase):
    def play(self, **environment):
        command = [sys.executable, str(HERE / "kills.py"), "--binary", str(FAKE), "--kills", "3"]
        environment = {**os.environ, **environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def test_durable(self):
        code, told = self.play()
        self.assertEqual(code, 0, told)
        self.assertIn("3 passed, 0 failed", told)

    def test_forgetful(self):
        code, told = self.play(FORGETFUL="1")
        self.assertEqual(code, 1, told)
        self.assertIn("was acknowledged", told)


if __name__ == "__main__":
    unittest.main()
