#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a page of docs/ quotes under `<!-- PATH -->` stands in that file, letter by letter."""

import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
QUOTE = re.compile(r"<!-- ([\w./-]+) -->\n```\w*\n(.*?)```", re.S)


class Quotes(unittest.TestCase):
    def test_quotes_stand_in_their_files(self):
        found = 0
        for page in sorted((TOP / "docs").glob("*.md")):
            for path, text in QUOTE.findall(page.read_text()):
                found += 1
                self.assertIn(text, (TOP / path).read_text(), f"{page.name} quotes {path}")
        self.assertGreater(found, 0)

    def test_a_quote_is_found(self):
        self.assertEqual(QUOTE.findall("<!-- a/b.cpp -->\n```cpp\nint x;\n```\n"), [("a/b.cpp", "int x;\n")])


if __name__ == "__main__":
    unittest.main()
