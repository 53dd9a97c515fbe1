// SPDX-License-Identifier: Apache-2.0
#include "json/difference.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::json {
namespace {

TEST(Difference, Lines) {
  struct {
    std::string_view before, after, lines;
  } cases[]{
      {"{}", "{}", "[]"},
      {"7", "7.0", "[]"},
      {R"({"a":1,"b":2})", R"({"b":2,"a":1})", "[]"},
      {R"({"a":1})", R"({"a":2})", R"([{"path":"/a","before":1,"after":2}])"},
      {R"({"a":1})", "{}", R"([{"path":"/a","before":1}])"},
      {"{}", R"({"a":null})", R"([{"path":"/a","after":null}])"},
      {R"({"p":{"x/y":{"~":1}}})", R"({"p":{"x/y":{"~":[]}}})",
       R"([{"path":"/p/x~1y/~0","before":1,"after":[]}])"},
      {R"({"n":[1,{"w":2}]})", R"({"n":[1,{"w":3}]})", R"([{"path":"/n/1/w","before":2,"after":3}])"},
      {R"({"n":[1]})", R"({"n":[1,2]})", R"([{"path":"/n","before":[1],"after":[1,2]}])"},
      {"[]", "{}", R"([{"path":"","before":[],"after":{}}])"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(dump(difference(*parse(c.before), *parse(c.after))), c.lines) << c.before << " " << c.after;
}

}  // namespace
}  // namespace sluice::json
