// SPDX-License-Identifier: Apache-2.0
#include "http/field_lines.h"

#include <algorithm>

#include "http/bytes.h"

namespace sluice::http {

FixedFields::FixedFields(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines)
    text.append(line.name->text()).append(": ").append(line.value).append("\r\n");
  text_ = std::make_unique<char[]>(text.size());
  std::ranges::copy(text, text_.get());
  char* at = text_.get();
  for (const Line& line : lines) {
    const std::size_t size = line.name->text().size();
    char* const value = at + size + 2;
    std::replace_if(value, value + line.value.size(), [](char c) { return !is_field_byte(c); }, ' ');
    fields_.push_back({{at, size}, {value, line.value.size()}, line.name->id(), true});
    lengths_.add(line.name->text());
    at = value + line.value.size() + 2;
  }
}

void FixedFields::put(Headers& headers) const {
  if (lengths_.may_be_in(headers))
    for (const Header& field : fields_) headers.remove(field.name);
  for (const Header& field : fields_) headers.append(field);
}

}  // namespace sluice::http
