// SPDX-License-Identifier: Apache-2.0
// For tests: a DNS server on loopback, on the loop of the test, that knows the names it is given. Its port is
// the kernel's choice.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "async/loop.h"
#include "base/address.h"

namespace sluice::net {

// Answers A and AAAA questions over UDP (RFC 1035 §4).
class FakeNameServer final : public async::Pollable {
 public:
  explicit FakeNameServer(async::Loop& loop) : loop_(loop) {
    descriptor_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t length = sizeof address;
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
    endpoint = {IpAddress::loopback(), ntohs(address.sin_port)};
    handle_ = loop_.watch(descriptor_, *this);
  }
  ~FakeNameServer() {
    loop_.unwatch(handle_, descriptor_);
    ::close(descriptor_);
  }

  void on_ready(std::uint32_t) override {
    char packet[1500];
    sockaddr_in from{};
    socklen_t length = sizeof from;
    ssize_t size;
    while ((size = ::recvfrom(descriptor_, packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from),
                              &length)) > 12) {
      ++asked;
      if (silent) continue;
      const std::string reply = answer(std::string(packet, static_cast<std::size_t>(size)));
      ::sendto(descriptor_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  std::map<std::string, std::vector<std::string>> names;
  std::uint8_t ttl = 30;
  int asked = 0;
  bool silent = false;
  Endpoint endpoint;

 private:
  std::string answer(const std::string& query) const {
    std::size_t at = 12;
    std::string name;
    while (at < query.size() && query[at] != 0) {
      if (!name.empty()) name += '.';
      name += query.substr(at + 1, static_cast<std::size_t>(query[at]));
      at += static_cast<std::size_t>(query[at]) + 1;
    }
    const int type = query[at + 2];
    const std::string question = query.substr(12, at + 5 - 12);
    std::string records;
    char count = 0;
    const auto found = names.find(name);
    for (const std::string& text : found == names.end() ? std::vector<std::string>() : found->second) {
      const IpAddress address = *IpAddress::parse(text);
      if (type != (address.is_v6() ? 28 : 1)) continue;
      unsigned char bytes[16];
      const std::size_t size = address.bytes(bytes);
      records +=
          std::string("\xc0\x0c\x00", 3) + static_cast<char>(type) + std::string("\x00\x01\x00\x00\x00", 5);
      records += static_cast<char>(ttl);
      records +=
          std::string(1, '\0') + static_cast<char>(size) + std::string(reinterpret_cast<char*>(bytes), size);
      ++count;
    }
    const char code = found == names.end() ? 3 : 0;
    return query.substr(0, 2) + "\x81" + static_cast<char>('\x80' | code) + std::string("\x00\x01\x00", 3) +
           count + std::string(4, '\0') + question + records;
  }
  async::Loop& loop_;
  int descriptor_;
  async::Loop::Handle handle_;
};

}  // namespace sluice::net
