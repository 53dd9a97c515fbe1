// SPDX-License-Identifier: Apache-2.0
#include "secrets/aws_signature.h"

#include <fmt/core.h>

#include <ctime>

#include "base/digest.h"
#include "base/text.h"

namespace sluice::secrets {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string hex(std::string_view bytes) {
  std::string text;
  append_hex(bytes, text);
  return text;
}

// Blanks around a value go, several in a row are one.
std::string trimmed(std::string_view value) {
  std::string text;
  for (const char c : trim(value)) {
    if (c != ' ' || !text.ends_with(' ')) text += c;
  }
  return text;
}

std::string signed_names(const AwsRequest& request) {
  std::string names;
  for (const auto& [name, value] : request.headers) names.append(names.empty() ? "" : ";").append(name);
  return names;
}

std::string canonical(const AwsRequest& request) {
  std::string fields;
  for (const auto& [name, value] : request.headers) fields += fmt::format("{}:{}\n", name, trimmed(value));
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, request.query, fields,
                     signed_names(request), hex(digest_of(Digest::sha256, request.body)));
}

std::string signing_key(const AwsIdentity& identity, std::string_view day) {
  std::string key = "AWS4" + identity.secret_access_key;
  for (const std::string_view part : {day, std::string_view(identity.region),
                                      std::string_view(identity.service), std::string_view("aws4_request")})
    key = hmac_of(Digest::sha256, key, part);
  return key;
}

}  // namespace

std::string aws_date(std::int64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string aws_authorization(const AwsRequest& request, const AwsIdentity& identity) {
  const std::string& date = request.headers.at("x-amz-date");
  const std::string day = date.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, identity.region, identity.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", algorithm, date, scope,
                                          hex(digest_of(Digest::sha256, canonical(request))));
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", algorithm, identity.access_key_id,
                     scope, signed_names(request),
                     hex(hmac_of(Digest::sha256, signing_key(identity, day), to_sign)));
}

}  // namespace sluice::secrets
