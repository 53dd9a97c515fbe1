// SPDX-License-Identifier: Apache-2.0
// The listening sockets of a gateway. The supervisor opens them, before any right is given away, and every
// process that serves inherits them: a connection that comes while one process takes the place of another,
// or of one that crashed, waits in the socket's queue. Descriptors only; start and supervisor.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "main/config.h"

namespace sluice::main {

enum class Port : std::uint8_t { data, stream, datagrams, admin, control, status, metrics };

class Listeners {
 public:
  struct Place {
    Port port;
    Endpoint at;  // as it is written in the file
    auto operator<=>(const Place&) const = default;
  };

  using Sockets = std::map<Place, std::vector<int>>;

  Listeners() = default;
  Listeners(const Listeners&) = delete;
  ~Listeners() { close(); }

  // Opens what `config` asks for and is not open yet: a socket for each worker where clients come in, one
  // for each API. After an error the same are open as before.
  Result<> open(const Config& config);
  // Closes what `config` does not ask for. Where clients come in a socket is never closed for fewer workers,
  // because those in its queue would be hung up on: a worker then serves several.
  void keep_only(const Config& config);
  void close();

  // What is open; the program that takes this one's place in the process adopts it.
  const Sockets& open_sockets() const { return sockets_; }
  void adopt(Sockets sockets) { sockets_ = std::move(sockets); }

  // The sockets of a place; the caller closes them.
  std::vector<int> take(const Place& place);

 private:
  Result<> add(const Place& place, std::size_t count);

  Sockets sockets_;
};

}  // namespace sluice::main
