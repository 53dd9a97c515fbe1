// SPDX-License-Identifier: Apache-2.0
#include "plugin/signed_request.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr std::size_t headers_max = 64;  // more are not signed by anybody

std::vector<std::string_view> listed(std::string_view text, char separator) {
  std::vector<std::string_view> names;
  for (const std::string_view name : Split(text, separator)) {
    if (!name.empty() && names.size() < headers_max) names.push_back(name);
  }
  return names;
}

// keyId="…",algorithm="…",headers="…",signature="…"
void read_fields(std::string_view text, SignedRequest& request) {
  for (std::string_view field : Split(text, ',')) {
    field = trim(field);
    const std::size_t equal = field.find('=');
    if (equal == std::string_view::npos) continue;
    const std::string_view name = field.substr(0, equal);
    std::string_view value = field.substr(equal + 1);
    if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) continue;
    value = value.substr(1, value.size() - 2);
    if (name == "keyId") request.key_id = value;
    else if (name == "algorithm") request.algorithm = value;
    else if (name == "signature") request.signature = value;
    else if (name == "headers") request.headers = listed(value, ' ');
  }
}

// hmac-auth-v1#access_key#signature#algorithm#date#signed_headers, or the same in fields of their own.
std::optional<SignedRequest> read_older(const Exchange& x) {
  const auto& headers = x.request.headers;
  SignedRequest request;
  request.older = true;
  const std::string_view field = headers.get(http::HeaderId::authorization);
  if (field.starts_with("hmac-auth-v1#")) {
    std::vector<std::string_view> parts;
    for (const std::string_view part : Split(field, '#')) parts.push_back(trim(part));
    if (parts.size() != 6) return std::nullopt;
    request.key_id = parts[1];
    request.signature = parts[2];
    request.algorithm = parts[3];
    request.date = parts[4];
    request.headers = listed(parts[5], ';');
    return request;
  }
  request.key_id = headers.get("X-HMAC-ACCESS-KEY");
  request.signature = headers.get("X-HMAC-SIGNATURE");
  request.algorithm = headers.get("X-HMAC-ALGORITHM");
  request.date = headers.get(http::HeaderId::date);
  request.headers = listed(headers.get("X-HMAC-SIGNED-HEADERS"), ';');
  if (request.key_id.empty() && request.signature.empty()) return std::nullopt;
  return request;
}

// The query's arguments by name, each encoded anew or as it came.
std::string sorted_query(std::string_view query, bool encode) {
  std::vector<std::pair<std::string, std::string>> arguments;
  for (const std::string_view piece : Split(query, '&')) {
    if (piece.empty()) continue;
    const std::size_t equal = piece.find('=');
    std::string name, value;
    percent_decode(piece.substr(0, equal), name, true);
    if (equal != std::string_view::npos) percent_decode(piece.substr(equal + 1), value, true);
    arguments.emplace_back(std::move(name), std::move(value));
  }
  std::ranges::sort(arguments);
  std::string text;
  for (const auto& [name, value] : arguments) {
    if (!text.empty()) text.push_back('&');
    if (encode) percent_encode(name, text);
    else text += name;
    text.push_back('=');
    if (encode) percent_encode(value, text);
    else text += value;
  }
  return text;
}

std::string older_text(const Exchange& x, const SignedRequest& request, bool encode_arguments) {
  std::string text;
  const std::string_view path = x.request.path.empty() ? "/" : x.request.path;
  const std::string query = sorted_query(x.request.query, encode_arguments);
  for (const std::string_view line :
       {x.request.method, path, std::string_view(query), request.key_id, request.date})
    text.append(line).append("\n");
  for (const std::string_view name : request.headers)
    text.append(name).append(":").append(x.request.headers.get(name)).append("\n");
  return text;
}

}  // namespace

std::optional<SignedRequest> read_signed_request(const Exchange& x, std::string_view& why) {
  constexpr std::string_view scheme = "Signature";
  if (auto older = read_older(x)) return older;
  const auto* field = x.request.headers.find(http::HeaderId::authorization);
  if (field == nullptr) {
    why = "client request can't be validated: missing Authorization header";
    return std::nullopt;
  }
  if (!field->value.starts_with(scheme)) {
    why = "client request can't be validated: Authorization header does not start with 'Signature'";
    return std::nullopt;
  }
  SignedRequest request;
  read_fields(field->value.substr(scheme.size()), request);
  request.date = x.request.headers.get(http::HeaderId::date);
  return request;
}

std::string signing_text(const Exchange& x, const SignedRequest& request, bool encode_arguments) {
  if (request.older) return older_text(x, request, encode_arguments);
  std::string text(request.key_id);
  text += "\n";
  for (const std::string_view name : request.headers) {
    if (const auto* field = x.request.headers.find(name))
      text.append(name).append(": ").append(field->value).append("\n");
    else if (name == "@request-target")
      text.append(x.request.method).append(" ").append(x.request.target).append("\n");
  }
  return text;
}

}  // namespace sluice::plugin
