// SPDX-License-Identifier: Apache-2.0
#include "admin/call.h"

#include <fmt/core.h>

#include "base/text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

// "/uri: must be …", as far as a header field may say it.
std::string header_text(const json::Problem& problem) {
  constexpr std::size_t length_max = 500;
  std::string text;
  for (char c : problem.path + ": " + problem.what) {
    if (text.size() == length_max) break;
    text += c >= ' ' && c < 0x7f ? c : '?';
  }
  return text;
}

}  // namespace

Arguments Arguments::parse(std::string_view query) {
  Arguments arguments;
  constexpr std::size_t count_max = 100;
  for (std::string_view piece : Split(query, '&')) {
    if (piece.empty() || arguments.list_.size() == count_max) continue;
    auto equals = piece.find('=');
    auto& [name, value] = arguments.list_.emplace_back();
    percent_decode(piece.substr(0, equals), name, true);
    if (equals != piece.npos) percent_decode(piece.substr(equals + 1), value, true);
  }
  return arguments;
}

const std::string* Arguments::find(std::string_view name) const {
  for (const auto& [key, value] : list_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Arguments::erase(std::string_view name) {
  std::erase_if(list_, [name](const auto& argument) { return argument.first == name; });
}

bool Arguments::is(std::string_view name, std::string_view value) const {
  const auto* found = find(name);
  return found && *found == value;
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  for (std::string_view piece : Split(path, '/')) {
    if (!piece.empty()) segments.emplace_back(piece);
  }
  return segments;
}

async::Task<Result<std::string>> read_body(http::Request& request, std::size_t most) {
  std::string body;
  auto too_large = [most](std::int64_t size) {
    return fail(ErrorKind::limit,
                fmt::format("request size {} is greater than the maximum size {} allowed", size, most),
                Fault::client);
  };
  if (!request.body) co_return body;
  if (request.content_length > static_cast<std::int64_t>(most))
    co_return too_large(request.content_length);
  for (;;) {
    auto piece = co_await request.body->next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    if (body.size() + piece->size() > most) {
      co_return too_large(static_cast<std::int64_t>(body.size() + piece->size()));
    }
    body.append(*piece);
  }
  co_return body;
}

http::Reply json_text_reply(int status, std::string text) {
  text += '\n';
  return {status, std::move(text), "application/json", {}};
}

http::Reply json_reply(int status, const json::Value& value) {
  return json_text_reply(status, json::dump(value));
}

http::Reply error_reply(int status, std::string_view error_msg) {
  return json_reply(status, json::Value::object({{"error_msg", error_msg}}));
}

http::Reply text_reply(int status, std::string text) { return {status, std::move(text), "text/plain", {}}; }

http::Reply problems_reply(const json::Findings& findings) {
  auto body = json::Value::object({{"error_msg", findings.sentence()}});
  bool several = findings.problems.size() > 1;
  if (several) body.set("problems", json::to_value(findings.problems));
  auto reply = json_reply(400, body);
  if (!several) reply.headers.emplace_back("X-Sluice-Problem", header_text(findings.problems.front()));
  return reply;
}

std::optional<http::Reply> parse_body(const Call& call, json::Value& value) {
  auto parsed = json::parse(call.body);
  if (parsed) {
    value = std::move(*parsed);
    return std::nullopt;
  }
  auto body = json::Value::object({{"error_msg", "invalid request body: " + parsed.error().what}});
  if (parsed.error().what.find("not UTF-8") == std::string::npos) body.set("req_body", call.body);
  return json_reply(400, body);
}

}  // namespace sluice::admin
