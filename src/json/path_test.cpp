// SPDX-License-Identifier: Apache-2.0
#include "json/path.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::json {
namespace {

std::string found(std::string_view path, const Value& document) {
  const auto parsed = Path::parse(path);
  if (!parsed) return "no path";
  std::string all;
  for (const Value* value : parsed->find(document)) all += (all.empty() ? "" : " ") + dump(*value);
  return all;
}

TEST(Path, finds) {
  const auto document =
      parse(R"({"model":"m","messages":[{"role":"user","content":[{"type":"text"},{"type":"image"}]},
      {"role":"bot","content":"x"}],"a":{"b c":{"d":1},"e":{"d":2}},"*":0})");
  const struct {
    const char *path, *values;
  } rows[] = {
      {"model", R"("m")"},
      {"$.model", R"("m")"},
      {"a.e.d", "2"},
      {"a.absent.d", ""},
      {"model.x", ""},
      {"messages[0].role", R"("user")"},
      {"messages[*].role", R"("user" "bot")"},
      {"messages.*.role", R"("user" "bot")"},
      {"messages[*].content[*].type", R"("text" "image")"},
      {"messages[9]", ""},
      {"a['b c'].d", "1"},
      {"a[\"b c\"]['d']", "1"},
      {"..d", "1 2"},
      {"$..type", R"("text" "image")"},
      {"a..*", R"({"d":1} {"d":2} 1 2)"},
      {"..[1].type", R"("image")"},
  };
  for (const auto& row : rows) EXPECT_EQ(found(row.path, *document), row.values) << row.path;
}

TEST(Path, tells_plain_ones_and_refuses_what_it_cannot_do) {
  EXPECT_TRUE(Path::parse("a.b")->plain());
  EXPECT_TRUE(Path::parse("a['b']")->plain());
  for (const char* path : {"a[0]", "a.*", "..a", "a[*]"}) EXPECT_FALSE(Path::parse(path)->plain()) << path;
  for (const char* bad :
       {"", "$", ".", "a.", "a..", "a[", "a[]", "a[?(@.x)]", "a[1:2]", "a['x", "a['x'", "a[-1]"})
    EXPECT_FALSE(Path::parse(bad)) << bad;
  std::string long_path = "a";
  for (std::size_t i = 0; i < Path::steps_max; ++i) long_path += ".a";
  EXPECT_FALSE(Path::parse(long_path));
}

TEST(Path, gives_up_on_questions_without_end) {
  std::string nested = "1";
  for (int i = 0; i < 60; ++i) nested = "[" + nested + ",2]";
  const auto document = parse(nested);
  ASSERT_TRUE(document);
  EXPECT_TRUE(Path::parse("..*..*..*..*")->find(*document).empty());
}

}  // namespace
}  // namespace sluice::json
