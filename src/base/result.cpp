// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sluice {

std::string system_message(std::string_view call, int error_number) {
  char buffer[128];
  return std::string(call) + ": " + strerror_r(error_number, buffer, sizeof buffer);
}

void broken(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "sluice: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace sluice
