// SPDX-License-Identifier: Apache-2.0
// One call of the Admin API, taken out of the request: owned texts, so that it can wait for the store. And
// the few shapes its answers have: JSON with a line end, or `error_msg`. Control thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/place.h"
#include "async/task.h"
#include "http/message.h"
#include "json/findings.h"
#include "json/value.h"
#include "store/history.h"

namespace sluice::admin {

// The query's arguments, decoded.
class Arguments {
 public:
  static Arguments parse(std::string_view query);
  // The first of that name.
  const std::string* find(std::string_view name) const;
  bool is(std::string_view name, std::string_view value) const;
  void erase(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& all() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

struct Call {
  http::Method method = http::Method::other;
  std::string method_name;
  std::vector<std::string> segments;  // of the path, behind the API's prefix
  Arguments arguments;
  std::string content_type;
  std::string accept;
  std::string digest;   // X-Digest
  std::string version;  // X-API-VERSION
  std::string body;  // as sent; "" when there was none
  store::Author author;
  Place place;
  Duration ttl = Duration::zero();  // what is written stays for so long; zero: for good
};

std::vector<std::string> split_path(std::string_view path);

// The largest body the Admin API takes, 1.5 MiB.
inline constexpr std::size_t body_max = 1'572'864;
// The whole body, or APISIX's sentence about what is wrong with it. `request` outlives the task.
async::Task<Result<std::string>> read_body(http::Request& request, std::size_t most = body_max);

http::Reply json_reply(int status, const json::Value& value);
// `text` is JSON already.
http::Reply json_text_reply(int status, std::string text);
http::Reply error_reply(int status, std::string_view error_msg);
http::Reply text_reply(int status, std::string text);
// 400 with the first problem as `error_msg`, and all of them under `problems` when there are several. A
// single one leaves the body as APISIX's clients compare it; its path is in the field X-Sluice-Problem.
http::Reply problems_reply(const json::Findings& findings);
// The body of a call as JSON, or the reply that refuses it.
std::optional<http::Reply> parse_body(const Call& call, json::Value& value);

}  // namespace sluice::admin
