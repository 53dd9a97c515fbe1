// SPDX-License-Identifier: Apache-2.0
// The Admin API of one gateway as a call that comes back with the answer: a loop, a client of http/ and a
// resolver inside, nothing of them outside. Errors and refusals become sentences that say what to do. Belongs
// to the thread that made it.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "net/tls.h"

namespace sluice::cli {

// Where the Admin API is, and who asks.
struct Place {
  std::string url;  // as a person would write it
  bool secure = false;
  std::string host;  // without brackets
  std::uint16_t port = 9180;
  std::string authority;
  std::string key;  // "": none is sent
  net::TlsContext::Client tls;
  std::string server_name;  // looked for in the certificate; "": the host
};

// "http://10.0.0.1:9180", "https://gateway.local"; the error says what such an address looks like.
Result<Place> parse_server(std::string_view url);

class AdminClient {
 public:
  struct Answer {
    int status = 0;
    std::string text;  // the body
    json::Value body;  // the same, where it is JSON
    std::string where;  // the path of the one problem, when the body does not list them
    bool good() const { return status >= 200 && status < 300; }
  };

  static Result<std::unique_ptr<AdminClient>> make(Place place);
  virtual ~AdminClient() = default;

  // `target` is below /apisix/admin: "/routes/1?force=true". The error is one sentence; a refusal is an
  // answer.
  virtual Result<Answer> ask(std::string_view method, std::string target, std::string body = {}) = 0;
  // The same, and a refusal is an error too: its sentence and every problem, a line each.
  Result<json::Value> must(std::string_view method, std::string target, std::string body = {});
};

// What a refusal says, a line for each problem.
std::string refusal_text(const AdminClient::Answer& answer);
// A text as one segment of a target, or as the value of an argument.
std::string encoded(std::string_view text);

}  // namespace sluice::cli
