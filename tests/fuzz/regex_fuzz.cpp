// SPDX-License-Identifier: Apache-2.0
// Patterns and subjects, split at the first NUL: whatever compiles runs within its budget, and what it
// reports lies inside the subject.
#include <string_view>

#include "base/regex.h"
#include "base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using sluice::Regex;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = input.find('\0');
  if (split == std::string_view::npos) return 0;
  const std::string_view subject = input.substr(split + 1);
  for (const char* flags : {"jo", "joi", "su"}) {
    const auto regex = Regex::compile(input.substr(0, split), flags);
    if (!regex) continue;
    std::string_view groups[4];
    const auto outcome = regex->captures(subject, groups);
    for (const std::string_view group : groups) {
      if (outcome != Regex::Outcome::match || group.empty()) continue;
      SLUICE_CHECK(group.data() >= subject.data() &&
                   group.data() + group.size() <= subject.data() + subject.size());
    }
    const auto replacement = sluice::Replacement::compile("<$0-${1}>");
    std::string out;
    std::size_t count = 0;
    const auto replaced = regex->replace(subject, *replacement, Regex::Mode::global, out, &count);
    SLUICE_CHECK((replaced == Regex::Outcome::match) == (count > 0));
  }
  return 0;
}
