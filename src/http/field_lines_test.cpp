// SPDX-License-Identifier: Apache-2.0
#include "http/field_lines.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

std::string shown(const Headers& headers) {
  std::string text;
  for (const Header& header : headers) {
    text.append(header.name).append("=").append(header.value);
    if (header.raw) {  // then the line stands there as it is sent
      EXPECT_EQ(std::string_view(header.name.data(), header.name.size() + header.value.size() + 4),
                std::string(header.name) + ": " + std::string(header.value) + "\r\n");
    }
    text += ' ';
  }
  return text;
}

TEST(FieldLines, AreWrittenForOneMessage) {
  Arena arena;
  Headers headers(arena);
  headers.add("A", "1");
  const FieldName date("Date"), other("X-Other");
  FieldLines lines(headers, 4 + 2 + 7 + 1 + 2 * FieldLines::line_bytes);
  lines.add(date, "22");
  lines.add(other, "3");
  EXPECT_EQ(shown(headers), "A=1 Date=22 X-Other=3 ");
  EXPECT_TRUE(headers.has(HeaderId::date));
}

TEST(FixedFields, ReplaceWhatIsThereAndEndNoLine) {
  const FieldName vary("Vary"), other("X-Other");
  const FixedFields fields({{&vary, "Origin"}, {&other, "a\r\nb"}});
  Arena arena;
  Headers headers(arena);
  headers.add("x-other", "old");
  headers.add("X-Near1", "kept");
  headers.add("vary", "old");
  headers.add("X-OTHER", "older");
  fields.put(headers);
  EXPECT_EQ(shown(headers), "X-Near1=kept Vary=Origin X-Other=a  b ");
  fields.put(headers);
  EXPECT_EQ(shown(headers), "X-Near1=kept Vary=Origin X-Other=a  b ");
}

}  // namespace
}  // namespace sluice::http
