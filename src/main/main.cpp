// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "main/process.h"

namespace {

using namespace sluice;

int run(const std::string& prefix, const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) {
    std::fprintf(stderr, "sluice: cannot read %s\n", file.c_str());
    return 1;
  }
  json::Findings findings;
  auto config = main::read_config(text.str(), prefix, findings);
  for (const auto& warning : findings.warnings)
    std::fprintf(stderr, "sluice: %s: warning: %s %s\n", file.c_str(), warning.path.c_str(),
                 warning.what.c_str());
  for (const auto& problem : findings.problems)
    std::fprintf(stderr, "sluice: %s: %s %s\n", file.c_str(), problem.path.c_str(), problem.what.c_str());
  if (!config) return 1;
  std::filesystem::create_directories(prefix + "/logs");
  if (auto opened = log::open(config->error_log); !opened) {
    std::fprintf(stderr, "sluice: %s\n", opened.error().what.c_str());
    return 1;
  }
  log::set_level(config->error_log_level);
  main::Process process(std::move(*config), prefix);
  if (auto started = process.start(); !started) {
    std::fprintf(stderr, "sluice: %s\n", started.error().what.c_str());
    return 1;
  }
  process.run();
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::string prefix = ".", file;
  for (int i = 1; i + 1 < count; ++i) {
    if (std::string_view(words[i]) == "-p") prefix = words[i + 1];
    if (std::string_view(words[i]) == "-c") file = words[i + 1];
  }
  if (count > 1 && std::string_view(words[1]) == "version") {
    std::puts("sluice " SLUICE_VERSION);
    return 0;
  }
  return run(prefix, file.empty() ? prefix + "/conf/config.yaml" : file);
}
