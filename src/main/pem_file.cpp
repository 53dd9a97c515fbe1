// SPDX-License-Identifier: Apache-2.0
#include "main/pem_file.h"

#include <fmt/core.h>

#include <fstream>
#include <sstream>

namespace sluice::main {

Result<std::string> read_pem_file(std::string path, const std::string& prefix, std::string_view key) {
  if (!path.starts_with('/')) path.insert(0, prefix + "/conf/");
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorKind::system, fmt::format("{} names {}, which cannot be read", key, path));
  return text.str();
}

}  // namespace sluice::main
