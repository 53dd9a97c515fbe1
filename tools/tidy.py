#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: layering, lengths, banned calls, coroutine habits, licence lines.

Reads src/, tests/ and tools/, prints FILE:LINE: what is wrong, and ends with exit code 1 if anything is.
There is no list of known offenders. docs/architecture.md says what the folders are for; the tables below
are its checkable half.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

LINE_MAX, FUNCTION_MAX, FILE_MAX = 110, 60, 500

# Which folders of src/ a folder may include from.
LOW = ["base", "json", "async", "net", "http", "model"]
MAY_SEE = {
    "base": [],
    "json": ["base"],
    "async": ["base"],
    "net": ["base", "async"],
    "http": ["base", "json", "async", "net"],
    "model": ["base", "json"],
    "store": LOW,
    "secrets": LOW,
    "upstream": LOW,
    "plugin": LOW + ["upstream"],
    "plugins": LOW + ["store", "upstream", "plugin"],
    "script": LOW + ["store", "upstream", "plugin"],
    "gateway": LOW + ["store", "upstream", "plugin"],
    "admin": LOW + ["store", "upstream", "plugin"],
    "cli": LOW + ["store"],
    "main": LOW + ["store", "secrets", "upstream", "plugin", "plugins", "script", "gateway", "admin", "cli"],
}

# Third-party headers by their first letters, and the folders that may include them ("*": all).
THIRD_PARTY = {
    "fmt/": ["*"],
    "openssl/": ["base", "net"],
    "re2/": ["base"],
    "pcre2.h": ["base"],
    "zlib.h": ["base"],
    "brotli/": ["base"],
    "yaml-cpp/": ["json"],
    "nlohmann/": ["json"],
    "ares.h": ["net"],
    "ares_": ["net"],
    "nghttp2/": ["http"],
    "sqlite3.h": ["store"],
    "CLI/": ["main"],
    "gtest/": ["test"],
    "gmock/": ["test"],
    "benchmark/": ["bench"],
}

# Headers of the C library and of the kernel: free for all.
SYSTEM = re.compile(
    r"^(sys|netinet|arpa|linux|net|bits)/|^(unistd|fcntl|signal|poll|dirent|errno|netdb|ifaddrs"
    r"|pwd|grp|pthread|sched|spawn|time|stdlib|string|stdio|stdint|limits|sysexits|getopt|dlfcn|termios|glob"
    r"|execinfo|malloc|strings"
    r"|immintrin|emmintrin|smmintrin|x86intrin|arm_neon|cxxabi)\.h$"
)

BANNED = [
    (re.compile(r"\bv?sprintf\s*\("), "sprintf: fmt::format_to_n or snprintf knows the size"),
    (re.compile(r"\bstr(cpy|cat)\s*\("), "strcpy and strcat know no size; use std::string or memcpy"),
    (re.compile(r"\bs?rand\s*\("), "rand: use a seeded generator that the caller gives"),
    (
        re.compile(r"\bthis_thread::sleep_(for|until)\b"),
        "sleep: wait for the event, or use a timer of the loop",
    ),
    (
        re.compile(r"\b(u|nano)sleep\s*\(|(?<!\w)::sleep\s*\(|^\s*sleep\s*\("),
        "sleep: wait for the event, or use a timer of the loop",
    ),
    (
        re.compile(r"\bstd::(w?regex|regex_\w+)\b"),
        "std::regex is slow and recursive; use base/ regular expressions",
    ),
]
COUT = re.compile(r"\bstd::cout\b")
SPDX = "SPDX-License-Identifier: Apache-2.0"
LEFT_OVER = re.compile(r"\b(%s|%s|%s)\b" % ("TO" + "DO", "FIX" + "ME", "X" * 3))


class Tidy:
    """Collects problems as (path, line, text)."""

    def __init__(self):
        self.problems = []

    def add(self, path, line, text):
        self.problems.append((str(path), line, text))

    def check(self, path, text):
        """`path` is relative to the top of the repository; `text` its contents."""
        name = str(path)
        lines = text.split("\n")
        self.check_lines(name, lines)
        if name.endswith((".cpp", ".h")):
            self.check_cpp(name, text, lines)
        elif name.endswith(".py"):
            self.check_python(name, text)

    def check_lines(self, name, lines):
        head = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        if SPDX not in head:
            self.add(name, 1, "the first line does not say " + SPDX)
        if len(lines) - 1 > FILE_MAX:
            self.add(name, FILE_MAX + 1, f"{len(lines) - 1} lines; a file has at most {FILE_MAX}")
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_MAX:
                self.add(name, number, f"{len(line)} columns; a line has at most {LINE_MAX}")
            if line.rstrip() != line:
                self.add(name, number, "white space at the end of the line")
            if LEFT_OVER.search(line):
                self.add(
                    name, number, f"{LEFT_OVER.search(line).group(0)} left over; finish it or file an issue"
                )

    # -- C++ --

    def check_cpp(self, name, text, lines):
        bare = blank_comments_and_strings(text)
        self.check_includes(name, lines)
        self.check_banned(name, bare)
        self.check_co_await(name, bare)
        for start, end, what in cpp_functions(bare):
            if end - start + 1 > FUNCTION_MAX:
                self.add(
                    name, start, f"{what} has {end - start + 1} lines; a function has at most {FUNCTION_MAX}"
                )
        if name.endswith(".h"):
            self.check_header(name, lines, bare)

    def check_header(self, name, lines, bare):
        opening = 0
        for line in lines[1:]:
            if not line.startswith("//"):
                break
            opening += 1
        if not 2 <= opening <= 8:
            self.add(
                name,
                2,
                f"the opening comment has {opening} lines; say in 2 to 8 which problem this solves, "
                "what it is, who owns it and which thread uses it",
            )
        for number, line in enumerate(bare.split("\n"), 1):
            if re.search(r"\busing\s+namespace\b(?!\s+std::[\w:]*literals)", line):
                self.add(name, number, "using namespace in a header")
        if "#pragma once" not in bare:
            self.add(name, 1, "the header has no #pragma once")

    def check_banned(self, name, bare):
        for number, line in enumerate(bare.split("\n"), 1):
            for pattern, why in BANNED:
                if pattern.search(line):
                    self.add(name, number, why)
            if name.startswith("src/") and not name.startswith("src/main/") and COUT.search(line):
                self.add(name, number, "std::cout outside main; use base/log.h")

    def check_includes(self, name, lines):
        parts = name.split("/")
        folder = parts[1] if parts[0] == "src" and len(parts) > 2 else None
        if folder and folder not in MAY_SEE:
            self.add(name, 1, f"src/{folder}/ is no folder of docs/architecture.md")
            return
        for number, line in enumerate(lines, 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not found:
                continue
            header = found.group(2)
            if found.group(1) == '"':
                self.check_own_include(name, number, folder, header)
            else:
                self.check_third_party(name, number, folder, header)

    def check_own_include(self, name, number, folder, header):
        target = header.split("/")[0]
        if folder is None:
            return
        if header.startswith(".") or "/" not in header:
            self.add(name, number, f'"{header}": include paths start at src/, as in "base/result.h"')
        elif target not in MAY_SEE:
            self.check_third_party(name, number, folder, header)
        elif target != folder and target not in MAY_SEE[folder]:
            self.add(name, number, f"{folder}/ may not include {target}/ ({header})")
        elif folder == "plugins" and target == "plugins" and header != "plugins/list.h":
            stem = Path(name).stem.removesuffix("_test")
            if Path(header).stem != stem and not name.endswith("_test.cpp"):
                self.add(name, number, f"a plugin may not include another plugin ({header})")

    def check_third_party(self, name, number, folder, header):
        if SYSTEM.match(header) or ("/" not in header and "." not in header):
            return
        for start, folders in THIRD_PARTY.items():
            if not header.startswith(start):
                continue
            if folders == ["*"] or folder in folders:
                return
            if folders == ["test"] and (name.endswith("_test.cpp") or name.startswith("tests/")):
                return
            if folders == ["bench"] and ("_bench" in name or name.startswith("tests/bench/")):
                return
            if folder is None:
                return
            self.add(name, number, f"<{header}> belongs to {', '.join(folders)}/ alone; use its own header")
            return
        self.add(name, number, f"<{header}> is in no table; add it to tools/tidy.py and docs/dependencies.md")

    def check_co_await(self, name, bare):
        for found in re.finditer(r"\bco_await\b", bare):
            before = bare[: found.start()].rstrip()
            if before.endswith("operator"):
                continue
            number = bare.count("\n", 0, found.start()) + 1
            if not starts_statement(before):
                self.add(
                    name, number, "co_await in the middle of an expression; give its result a name first"
                )
            elif not stands_alone(bare[found.end() :]):
                self.add(
                    name,
                    number,
                    "co_await shares its expression with an operator; give its result a name first",
                )
            elif BRACED.search(operand(bare[found.end() :])):
                self.add(name, number, "g++ 12 destroys what a co_await has in braces twice; name it first")

    # -- Python --

    def check_python(self, name, text):
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            self.add(name, error.lineno or 1, f"does not parse: {error.msg}")
            return
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_MAX:
                    self.add(
                        name,
                        node.lineno,
                        f"{node.name} has {length} lines; a function has at most {FUNCTION_MAX}",
                    )
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep"):
                self.add(name, node.lineno, "sleep: wait for the event with a deadline")


def starts_statement(before):
    """Whether an expression after `before` is a statement, or the whole right side of = or co_return."""
    if not before or before[-1] in ";{}:":
        return not before.endswith("::")
    if re.search(r"\b(co_return|else|do)$", before):
        return True
    if before[-1] == "=":
        return not re.search(r"(==|!=|<=|>=|[-+*/%&|^]=)$", before)
    if before[-1] == ")":
        depth = 0
        for at in range(len(before) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(before[at], 0)
            if depth == 0:
                return bool(re.search(r"\b(if|for|while|switch|if\s+constexpr)\s*$", before[:at]))
    return False


# An argument that is made of a braced list: {a, b} or Type{a}.
BRACED = re.compile(r"[(,]\s*[\w:<>]*\{\s*[^\s}]")


def operand(after):
    """What a co_await waits for, up to the end of its statement or condition."""
    depth = 0
    for at, letter in enumerate(after):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if depth < 0 or (depth == 0 and letter == ";"):
            return after[:at]
    return after


def stands_alone(after):
    """Whether the operand of a co_await ends where its statement or condition ends."""
    depth = 0
    for at, letter in enumerate(after):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth < 0:
                return True
        elif depth == 0:
            if letter == ";":
                return True
            if letter == "?" or re.match(
                r"\s(\+|-|\*|/|%|==|!=|&&|\|\||<<|>>|<|<=|>=)\s", after[at : at + 4]
            ):
                return False
    return True


TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<d>[^()\\ ]{0,16})\(.*?\)(?P=d)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
    re.S,
)


def blank_comments_and_strings(text):
    """The same text, line for line, with comments and the insides of literals replaced by spaces."""

    def blank(found):
        literal = found.group(0)
        inside = re.sub(r"[^\n]", " ", literal)
        return inside if literal[0] == "/" else '"' + inside[1:-1] + '"'

    return TOKEN.sub(blank, text)


NO_FUNCTION = re.compile(
    r"\b(namespace|class|struct|enum|union|if|for|while|switch|catch|do|else|try|return)\b"
)


def cpp_functions(bare):
    """(first line, last line, name) of every function body that is not inside another one."""
    bare = re.sub(
        r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*",
        lambda found: re.sub(r"[^\n]", " ", found.group(0)),
        bare,
        flags=re.M,
    )
    stack, header, found = [], 0, []
    for at, letter in enumerate(bare):
        if letter == "{":
            text = bare[header:at]
            inside = any(kind for kind, _, _ in stack)
            plain = re.sub(r"<[^<>]*>", "", text)
            plain = re.sub(r"\benum\s+class\b|\bclass\b(?=[^(]*[,>])", "", plain) if "(" in plain else plain
            is_function = not inside and "(" in plain and not NO_FUNCTION.search(plain.split("(")[0])
            stack.append((is_function, header + len(text) - len(text.lstrip()), text))
            header = at + 1
        elif letter == "}":
            if stack:
                is_function, start, text = stack.pop()
                if is_function:
                    name = re.findall(r"([~\w:]+)\s*\(", text)
                    found.append(
                        (bare.count("\n", 0, start) + 1, bare.count("\n", 0, at) + 1, (name or ["?"])[0])
                    )
            header = at + 1
        elif letter == ";":
            if (
                not stack
                or "(" not in bare[header:at]
                or bare[header:at].count("(") == bare[header:at].count(")")
            ):
                header = at + 1
    return found


def tracked_files(top):
    """Every file under src/, tests/ and tools/ that git knows or would add, and that has rules."""
    listing = subprocess.run(
        ["git", "-C", str(top), "ls-files", "-co", "--exclude-standard", "src", "tests", "tools"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listing:
        path = top / name
        if not path.is_file() or "/corpus/" in name:
            continue
        if path.suffix in (".cpp", ".h", ".py", ".sh"):
            yield name, path
        elif path.suffix == "" and path.open("rb").read(2) == b"#!":
            yield name, path


def main():
    top = Path(__file__).resolve().parent.parent
    tidy, count = Tidy(), 0
    for name, path in tracked_files(top):
        tidy.check(name, path.read_text(encoding="utf-8"))
        count += 1
    for name, line, text in tidy.problems:
        print(f"{name}:{line}: {text}")
    print(f"tidy: {count} files, {len(tidy.problems)} problems")
    return 1 if tidy.problems else 0


if __name__ == "__main__":
    sys.exit(main())
