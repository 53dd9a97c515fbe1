#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Formats the C++ lines that are too long, with the comment or statement around them, and nothing else.

tools/fmt.py [FILE]...   (default: all of src/ and tests/). `--all` formats whole files.
"""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
COLUMNS = 110


def ranges(lines):
    """(first, last) line numbers around each line that is too long; a comment is taken whole."""
    for index, line in enumerate(lines):
        if len(line) <= COLUMNS:
            continue
        first = last = index
        if line.lstrip().startswith("//"):
            while first > 0 and lines[first - 1].lstrip().startswith("//") and "SPDX" not in lines[first - 1]:
                first -= 1
            while last + 1 < len(lines) and lines[last + 1].lstrip().startswith("//"):
                last += 1
        yield first + 1, last + 1


def main():
    picked = [word for word in sys.argv[1:] if word != "--all"]
    listed = ["git", "ls-files", "-co", "--exclude-standard", "--", *(picked or ["src", "tests"])]
    names = subprocess.run(listed, cwd=TOP, capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        path = TOP / name
        if path.suffix not in (".cpp", ".h"):
            continue
        wanted = [] if "--all" in sys.argv else list(ranges(path.read_text().split("\n")))
        if not wanted and "--all" not in sys.argv:
            continue
        print(name)
        lines = [f"--lines={first}:{last}" for first, last in wanted]
        subprocess.run(["clang-format-19", "-i", *lines, name], cwd=TOP, check=True)


if __name__ == "__main__":
    main()
