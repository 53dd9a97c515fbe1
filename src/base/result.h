// SPDX-License-Identifier: Apache-2.0
// How a failure of the outside world travels: as a value. The operator's mistakes are `Problems` (json/), a
// plugin's decision is a `Verdict` (plugin/), our own broken invariants end the process through `check`.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

// Who has to act on an error: it decides the status a client sees and what health checks count.
enum class Fault : std::uint8_t { client, peer, us };

enum class ErrorKind : std::uint8_t {
  closed,     // the other side ended the connection in an orderly way
  reset,      // the connection broke
  refused,    // nobody listens there
  timeout,    // a limit of time ran out
  protocol,   // the other side sent bytes that mean nothing
  limit,      // a limit of size or count was reached
  tls,        // the handshake failed or a certificate was not accepted
  resolve,    // a name has no address
  not_found,  // what was asked for does not exist
  conflict,   // it changed meanwhile
  system,     // the operating system or a library refused
};

struct Error {
  ErrorKind kind = ErrorKind::system;
  Fault fault = Fault::us;
  std::string what;        // one sentence for the operator: what happened, with which value
  bool may_retry = false;  // nothing of the request has been acted upon
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string what, Fault fault = Fault::us) {
  return std::unexpected(Error{kind, fault, std::move(what)});
}

// The text of an errno, as in "connect: Connection refused".
std::string system_message(std::string_view call, int error_number);

// A broken invariant ends the process loudly, in release builds too.
[[noreturn]] void broken(const char* expression, const char* file, int line);

}  // namespace sluice

#define SLUICE_CHECK(expression)                                \
  (__builtin_expect(static_cast<bool>(expression), 1) ? void(0) \
                                                      : ::sluice::broken(#expression, __FILE__, __LINE__))
