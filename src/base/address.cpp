// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "base/hash.h"
#include "base/text.h"

namespace sluice {
namespace {

std::optional<IpAddress> parse_v4(std::string_view text) {
  std::uint32_t value = 0;
  int parts = 0;
  std::size_t at = 0;
  while (parts < 4) {
    std::uint32_t part = 0;
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at]) && at - start < 4)
      part = part * 10 + static_cast<std::uint32_t>(text[at++] - '0');
    const std::size_t digits = at - start;
    if (digits == 0 || digits > 3 || part > 255 || (digits > 1 && text[start] == '0')) return std::nullopt;
    value = value << 8 | part;
    if (++parts == 4) break;
    if (at >= text.size() || text[at++] != '.') return std::nullopt;
  }
  if (at != text.size()) return std::nullopt;
  return IpAddress::v4(value);
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  unsigned char bytes[16];
  if (inet_pton(AF_INET6, copy, bytes) != 1) return std::nullopt;
  return IpAddress::v6(bytes);
}

void store_big_endian(std::uint64_t value, unsigned char* into) {
  for (int i = 7; i >= 0; --i, value >>= 8) into[i] = static_cast<unsigned char>(value);
}

}  // namespace

IpAddress IpAddress::v6(const unsigned char bytes[16]) {
  std::uint64_t high = 0, low = 0;
  for (int i = 0; i < 8; ++i) {
    high = high << 8 | bytes[i];
    low = low << 8 | bytes[i + 8];
  }
  if (high == 0 && low >> 32 == 0xFFFF) return v4(static_cast<std::uint32_t>(low));
  return v6(high, low);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']')
    return parse_v6(text.substr(1, text.size() - 2));
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  return parse_v4(text);
}

bool IpAddress::is_loopback() const { return is_v6_ ? high_ == 0 && low_ == 1 : low_ >> 24 == 127; }

std::size_t IpAddress::bytes(unsigned char into[16]) const {
  if (!is_v6_) {
    for (int i = 0; i < 4; ++i) into[i] = static_cast<unsigned char>(low_ >> (24 - 8 * i));
    return 4;
  }
  store_big_endian(high_, into);
  store_big_endian(low_, into + 8);
  return 16;
}

std::size_t IpAddress::format(char* into) const {
  if (is_v6_) {
    unsigned char raw[16];
    bytes(raw);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, raw, text, sizeof text);
    const std::size_t length = std::strlen(text);
    std::memcpy(into, text, length);
    return length;
  }
  char* at = into;
  for (int shift = 24; shift >= 0; shift -= 8) {
    at = std::to_chars(at, at + 3, static_cast<unsigned>(low_ >> shift & 255)).ptr;
    if (shift > 0) *at++ = '.';
  }
  return static_cast<std::size_t>(at - into);
}

std::string IpAddress::text() const {
  char buffer[46];
  return std::string(buffer, format(buffer));
}

std::uint64_t IpAddress::hash() const { return is_v6_ ? combine_hashes(high_ ^ 1, low_) : hash64(low_); }

std::optional<HostPort> split_host_port(std::string_view text) {
  HostPort result;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
    result.host = has_port ? text.substr(0, colon) : text;
    if (has_port) port = text.substr(colon + 1);
  }
  if (result.host.empty()) return std::nullopt;
  if (has_port) {
    const auto number = parse_unsigned(port);
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    result.port = static_cast<std::uint16_t>(*number);
  }
  return result;
}

std::optional<Endpoint> Endpoint::parse_loosely(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return Endpoint{*address, 0};
  return parse(text);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts || !parts->port) return std::nullopt;
  const auto address = IpAddress::parse(parts->host);
  if (!address) return std::nullopt;
  return Endpoint{*address, *parts->port};
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr* from) {
  if (from->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, from, sizeof in);
    return Endpoint{IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (from->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, from, sizeof in);
    return Endpoint{IpAddress::v6(in.sin6_addr.s6_addr), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& into) const {
  std::memset(&into, 0, sizeof into);
  if (address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(into);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(address.v4_value());
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(into);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  address.bytes(in.sin6_addr.s6_addr);
  return sizeof in;
}

std::string Endpoint::text() const {
  std::string out = address.is_v6() ? "[" + address.text() + "]" : address.text();
  return out += ":" + std::to_string(port);
}

std::uint64_t Endpoint::hash() const { return combine_hashes(address.hash(), port); }

}  // namespace sluice
