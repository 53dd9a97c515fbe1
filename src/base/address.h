// SPDX-License-Identifier: Apache-2.0
// IP addresses and endpoints as plain values: compared, hashed and copied without touching text. An IPv4
// address that arrives in IPv6 clothes (::ffff:1.2.3.4, from dual-stack sockets) becomes IPv4, so that one
// rule matches both.
#pragma once
#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static constexpr IpAddress v4(std::uint32_t host_order) { return IpAddress(false, 0, host_order); }
  static IpAddress v6(const unsigned char bytes[16]);  // becomes v4 when it is IPv4-mapped
  static constexpr IpAddress v6(std::uint64_t high, std::uint64_t low) { return IpAddress(true, high, low); }
  static constexpr IpAddress loopback() { return v4(0x7F000001); }

  // "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; no zones, no leading zeros, nothing around it.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v6() const { return is_v6_; }
  constexpr bool is_v4() const { return !is_v6_; }
  constexpr std::uint32_t v4_value() const { return static_cast<std::uint32_t>(low_); }
  constexpr std::uint64_t high() const { return high_; }
  constexpr std::uint64_t low() const { return low_; }
  bool is_loopback() const;

  // At most 45 characters; returns the length written.
  std::size_t format(char* into) const;
  std::string text() const;
  // The bytes in network order, 4 or 16 of them; returns how many.
  std::size_t bytes(unsigned char into[16]) const;
  std::uint64_t hash() const;

  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  constexpr IpAddress(bool is_v6, std::uint64_t high, std::uint64_t low)
      : high_(high), low_(low), is_v6_(is_v6) {}
  std::uint64_t high_ = 0, low_ = 0;
  bool is_v6_ = false;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "1.2.3.4:80", "[::1]:80"; the port must be there.
  static std::optional<Endpoint> parse(std::string_view text);
  // The port may be absent, and is 0 then: "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80".
  static std::optional<Endpoint> parse_loosely(std::string_view text);
  // nullopt for a family that is not IP.
  static std::optional<Endpoint> from_sockaddr(const sockaddr* from);
  // Fills `into` and returns the length to pass to the kernel.
  socklen_t to_sockaddr(sockaddr_storage& into) const;
  std::string text() const;  // an IPv6 address in brackets
  std::uint64_t hash() const;

  constexpr auto operator<=>(const Endpoint&) const = default;
};

struct EndpointHash {
  std::size_t operator()(const Endpoint& endpoint) const { return endpoint.hash(); }
};

struct HostPort {
  std::string_view host;              // without brackets
  std::optional<std::uint16_t> port;  // absent when the text has none
};
// Splits "host", "host:80", "[::1]:80", "::1"; nullopt when the port is no number of 1–65535 or the host is
// empty.
std::optional<HostPort> split_host_port(std::string_view text);

}  // namespace sluice
