// SPDX-License-Identifier: Apache-2.0
// The fields of a form in a request's body: urlencoded (HTML, "application/x-www-form-urlencoded") or
// multipart (RFC 7578). Decoded once and sorted, so that asking costs little however many routes ask. Of a
// repeated field the first counts. The body outlives the form. Any thread.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::plugin {

class Form {
 public:
  static constexpr std::size_t fields_max = 10'000;  // a body with more has none

  // A field without '=' is "true", as resty has it.
  static Form of_urlencoded(std::string_view body);
  // Empty when the boundary is missing or the body breaks off.
  static Form of_multipart(std::string_view body, std::string_view content_type);

  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t size() const { return fields_.size(); }

 private:
  std::string_view decoded(std::string_view raw);
  void sort();

  std::vector<std::pair<std::string_view, std::string_view>> fields_;  // by name
  std::deque<std::string> texts_;  // what had to be decoded; a deque, since views point into it
};

}  // namespace sluice::plugin
