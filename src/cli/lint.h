// SPDX-License-Identifier: Apache-2.0
// What is valid and still wrong: routes that no request reaches, resources that nobody uses, certificates
// that end, references to nothing. Each rule looks at a whole configuration and says of a resource why and
// what to do. Only what can be proved is said. Pure functions.
#pragma once
#include <string>
#include <vector>

#include "cli/configuration.h"
#include "store/config_file.h"

namespace sluice::cli {

enum class Severity : std::uint8_t { error, warning, info };
std::string_view name_of(Severity severity);

struct Finding {
  Severity severity = Severity::info;
  std::string_view rule;  // "shadowed-route"
  std::string resource;   // "routes/1"
  std::string path;       // of the member in it, a JSON pointer; "": all of it
  std::string what;
  std::string advice;
};

struct LintInput {
  const Configuration& configuration;
  const store::CheckResource& check;  // the resource's own fields and its plugins'
  std::int64_t now_s = 0;             // Unix time
};

// Errors first, then by resource.
std::vector<Finding> lint(const LintInput& input);

// The rules, by what they look at; each appends.
void lint_resources(const LintInput& input, std::vector<Finding>& found);  // problems, references, use
void lint_routes(const LintInput& input, std::vector<Finding>& found);     // shadows, authentication
void lint_upstreams(const LintInput& input, std::vector<Finding>& found);  // nodes, weights, TLS
void lint_certificates(const LintInput& input, std::vector<Finding>& found);

}  // namespace sluice::cli
