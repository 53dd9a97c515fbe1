// SPDX-License-Identifier: Apache-2.0
#include "secrets/manager.h"

#include <fmt/core.h>

#include "json/findings.h"
#include "model/secret.h"

namespace sluice::secrets {
namespace {

constexpr std::size_t told_max = 200;

}  // namespace

Result<std::shared_ptr<Manager>> make_manager(std::string_view id, const json::Value& body,
                                              std::shared_ptr<Asker> asker) {
  json::Findings findings;
  json::Reader reader(findings);
  if (!model::check_secret(id, body, reader)) {
    const auto& problem = findings.problems.front();
    return fail(ErrorKind::protocol, fmt::format("{} {}", problem.path, problem.what));
  }
  if (id.starts_with("vault/")) return make_vault(body, std::move(asker));
  if (id.starts_with("aws/")) return make_aws(body, std::move(asker));
  return make_gcp(body, std::move(asker));
}

Result<std::string> member_text(const json::Value& object, std::string_view member, std::string_view where) {
  const json::Value* value = object.find(member);
  if (value == nullptr) return fail(ErrorKind::not_found, fmt::format("{} has no member {}", where, member));
  if (!value->is_string())
    return fail(ErrorKind::protocol, fmt::format("{} has a member {} that is no text", where, member));
  return value->as_string();
}

std::unexpected<Error> refused(std::string_view who, const Answer& answer) {
  std::string told = answer.body.substr(0, told_max);
  for (char& c : told) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return fail(ErrorKind::protocol, fmt::format("{} answered {}: {}", who, answer.status, told), Fault::peer);
}

}  // namespace sluice::secrets
