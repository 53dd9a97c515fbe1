// SPDX-License-Identifier: Apache-2.0
// How secret managers are asked: over HTTP, with TLS that is verified, each question within a time. A test
// asks somebody else. Belongs to one loop; tasks keep it alive.
#pragma once
#include <memory>
#include <string>

#include "http/client.h"

namespace sluice::secrets {

struct Question {
  std::string method = "GET";
  std::string url;
  http::Client::Fields headers;
  std::string body;
  bool verify = true;  // the server's certificate
};

struct Answer {
  int status = 0;
  std::string body;
};

class Asker {
 public:
  virtual ~Asker() = default;
  virtual async::Task<Result<Answer>> ask(Question question) = 0;
  // Of dates and of lifetimes.
  virtual const Clock& clock() const { return Clock::system(); }
};

struct HttpNeeds {
  async::Loop& loop;  // with the network it outlives the asker
  net::Network& network;
  http::Client::Resolve resolve;
  std::string authorities;  // PEM of the roots that certificates are checked by; "": the system's
  Duration timeout = std::chrono::seconds(5);
};
std::shared_ptr<Asker> http_asker(HttpNeeds needs);

}  // namespace sluice::secrets
