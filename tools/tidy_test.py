#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tidy.py: every rule refuses what it is there for and lets good code pass."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
OPENING = "// The problem this solves.\n// What it is; owned by nobody, used on every thread.\n#pragma once\n"


def problems(path, text):
    checker = tidy.Tidy()
    checker.check(path, text)
    return [(line, what) for _, line, what in checker.problems]


class Layering(unittest.TestCase):
    def expect(self, path, include, refused):
        found = problems(path, LICENCE + f"#include {include}\n")
        self.assertEqual(bool(found), refused, f"{path} including {include}: {found}")

    def test_own_folders(self):
        self.expect("src/json/a.cpp", '"base/result.h"', False)
        self.expect("src/json/a.cpp", '"json/value.h"', False)
        self.expect("src/base/a.cpp", '"json/value.h"', True)
        self.expect("src/admin/a.cpp", '"gateway/router.h"', True)
        self.expect("src/admin/a.cpp", '"store/store.h"', False)
        self.expect("src/gateway/a.cpp", '"plugins/list.h"', True)
        self.expect("src/main/a.cpp", '"plugins/list.h"', False)
        self.expect("src/model/a.cpp", '"http/message.h"', True)
        self.expect("src/json/a.cpp", '"value.h"', True)
        self.expect("src/json/a.cpp", '"../base/result.h"', True)
        self.expect("src/common/a.cpp", '"base/result.h"', True)
        self.expect("src/plugins/cors.cpp", '"plugins/key_auth.h"', True)
        self.expect("src/plugins/cors.cpp", '"plugins/cors.h"', False)

    def test_third_party(self):
        self.expect("src/store/a.cpp", "<sqlite3.h>", False)
        self.expect("src/admin/a.cpp", "<sqlite3.h>", True)
        self.expect("src/gateway/a.cpp", "<re2/re2.h>", True)
        self.expect("src/http/a.cpp", "<fmt/format.h>", False)
        self.expect("src/http/a_test.cpp", "<gtest/gtest.h>", False)
        self.expect("src/http/a.cpp", "<gtest/gtest.h>", True)
        self.expect("src/http/a.cpp", "<boost/asio.hpp>", True)
        self.expect("src/http/a.cpp", "<sys/epoll.h>", False)
        self.expect("src/http/a.cpp", "<vector>", False)


class Lengths(unittest.TestCase):
    def test_line(self):
        self.assertFalse(problems("src/base/a.cpp", LICENCE + "//" + "x" * 108 + "\n"))
        self.assertEqual(problems("src/base/a.cpp", LICENCE + "//" + "x" * 109 + "\n")[0][0], 2)

    def test_file(self):
        self.assertFalse(problems("src/base/a.cpp", LICENCE + "\n" * 499))
        self.assertTrue(problems("src/base/a.cpp", LICENCE + "\n" * 500))

    def test_function(self):
        def function(lines):
            return LICENCE + "namespace a {\nint f(int x) {\n" + "  g();\n" * (lines - 2) + "}\n}\n"

        self.assertFalse(problems("src/base/a.cpp", function(60)))
        self.assertEqual(problems("src/base/a.cpp", function(61))[0][0], 3)

    def test_class_is_no_function_but_its_methods_are(self):
        body = (
            "class A {\n"
            + "  int member_;\n" * 70
            + "  A() : a_{1}, b_(2) {\n"
            + "    g();\n" * 60
            + "  }\n};\n"
        )
        found = problems("src/base/a.cpp", LICENCE + body)
        self.assertEqual(len(found), 1, found)
        self.assertIn("function", found[0][1])

    def test_lambda_and_nested_blocks_count_in_their_function(self):
        body = "void f() {\n  auto l = [] {\n" + "    if (x) { g(); }\n" * 57 + "  };\n}\n"
        self.assertEqual(len(problems("src/base/a.cpp", LICENCE + body)), 1)

    def test_table_is_no_function(self):
        self.assertFalse(problems("src/base/a.cpp", LICENCE + "const int t[] = {\n" + "  1,\n" * 90 + "};\n"))

    def test_python_function(self):
        text = "# SPDX-License-Identifier: Apache-2.0\ndef f():\n" + "    g()\n" * 60
        self.assertEqual(problems("tools/a.py", text)[0][0], 2)


class Banned(unittest.TestCase):
    def test_calls(self):
        for line in [
            "sprintf(b, x);",
            "strcpy(a, b);",
            "int a = rand();",
            "std::this_thread::sleep_for(1s);",
            "std::regex r;",
            "std::cout << 1;",
            "int i; // TO" + "DO later",
            "usleep(3);",
            "  sleep(3);",
            "::sleep(3);",
        ]:
            self.assertTrue(problems("src/base/a.cpp", LICENCE + line + "\n"), line)

    def test_words_in_strings_and_comments(self):
        for line in [
            "// sprintf(b)",
            'auto s = "strcpy(a)";',
            "snprintf(b, n, f);",
            'auto r = R"(std::regex "x")";',
            "operand(1);",
            "co_await loop.sleep(1s);",
            "char c = '\"'; // rand(",
            "int x = 1'000'000;",
        ]:
            self.assertFalse(problems("src/base/a.cpp", LICENCE + line + "\n"), line)

    def test_cout_in_main(self):
        self.assertFalse(problems("src/main/a.cpp", LICENCE + "int a = (std::cout << 1, 2);\n"))

    def test_python_sleep(self):
        text = "# SPDX-License-Identifier: Apache-2.0\nimport time\ntime.sleep(1)\n"
        self.assertTrue(problems("tests/a.py", text))


class Headers(unittest.TestCase):
    def test_good(self):
        self.assertFalse(problems("src/base/a.h", LICENCE + OPENING))

    def test_bad(self):
        self.assertTrue(problems("src/base/a.h", LICENCE + "#pragma once\n"))
        self.assertTrue(problems("src/base/a.h", LICENCE + OPENING + "using namespace std;\n"))
        self.assertTrue(problems("src/base/a.h", LICENCE + OPENING.replace("#pragma once", "")))
        self.assertTrue(problems("src/base/a.h", "// no licence\n" + OPENING))


class Await(unittest.TestCase):
    def test_good(self):
        for line in [
            "co_await f();",
            "auto x = co_await f(a, b);",
            "co_return co_await f();",
            "x = co_await a->f<int>();",
            "if (a) co_await f();",
            "else co_await f();",
            "while (auto x = co_await next()) {}",
            "auto operator co_await() { return 1; }",
            "f(); co_await g();",
            "auto x = co_await f(a + b);",
            "co_await f(a, {});",
            "co_await f([this] { g(); });",
            "co_await Wait{*this};",
        ]:
            self.assertFalse(problems("src/net/a.cpp", LICENCE + line + "\n"), line)

    def test_bad(self):
        for line in [
            "f(co_await g());",
            "auto x = (co_await f()).value();",
            "return a + co_await f();",
            "if (co_await f()) {}",
            "auto x = co_await f() + 1;",
            "x == co_await f();",
            "auto x = a ? co_await f() : 1;",
            "!co_await f();",
            "co_await f({.a = 1});",
            "auto x = co_await f(a, {b, c});",
            "co_await f(a, g::H<int>{b});",
        ]:
            self.assertTrue(problems("src/net/a.cpp", LICENCE + line + "\n"), line)


if __name__ == "__main__":
    unittest.main()
