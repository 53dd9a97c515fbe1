// SPDX-License-Identifier: Apache-2.0
// What variables look for in bodies: GraphQL documents, forms, multipart, and JSON asked by a path. The first
// line of the input is the path or the boundary, the rest the body.
#include <string>
#include <string_view>

#include "json/path.h"
#include "json/text.h"
#include "plugin/form.h"
#include "plugin/graphql.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view first = input.substr(0, line);
  const std::string_view body = input.substr(std::min(line + 1, input.size()));
  if (const auto request = sluice::plugin::parse_graphql(body)) {
    for (const auto field : request->root_fields) {
      if (field.data() < body.data() || field.data() + field.size() > body.data() + body.size())
        __builtin_trap();
    }
  }
  if (const auto path = sluice::json::Path::parse(first)) {
    if (const auto document = sluice::json::parse(body)) static_cast<void>(path->find(*document));
  }
  sluice::plugin::Form::of_urlencoded(body).find(first);
  sluice::plugin::Form::of_multipart(body, "multipart/form-data; boundary=" + std::string(first)).find("a");
  return 0;
}
