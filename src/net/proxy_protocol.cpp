// SPDX-License-Identifier: Apache-2.0
#include "net/proxy_protocol.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sluice::net {
namespace {

constexpr std::string_view text_opening = "PROXY ";
constexpr std::string_view binary_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t binary_fixed = 16;

using Read = Result<std::optional<ProxyHeaderRead>>;

std::unexpected<Error> bad(std::string what) {
  return fail(ErrorKind::protocol, std::move(what), Fault::client);
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  const auto number = parse_unsigned(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

// "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443", its end taken off.
Read parse_line(std::string_view line, std::size_t size) {
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (std::string_view word : Split(line, ' ')) {
    if (count == 2 && words[1] == "UNKNOWN") break;  // whatever follows means nothing
    if (count == words.size() || word.empty()) return bad("the line has other words than a PROXY header");
    words[count++] = word;
  }
  if (count >= 2 && words[1] == "UNKNOWN") return ProxyHeaderRead{{}, size};
  if (count != words.size() || (words[1] != "TCP4" && words[1] != "TCP6"))
    return bad("the line is none of PROXY TCP4, TCP6 or UNKNOWN with two addresses and two ports");
  const bool v6 = words[1] == "TCP6";
  const auto address = [&](std::string_view text) -> std::optional<IpAddress> {
    const bool looks_v6 = text.contains(':');
    return looks_v6 == v6 && !text.starts_with('[') ? IpAddress::parse(text) : std::nullopt;
  };
  const auto source = address(words[2]), destination = address(words[3]);
  const auto from = port_of(words[4]), to = port_of(words[5]);
  if (!source || !destination || !from || !to) return bad("an address or a port of the line is none");
  return ProxyHeaderRead{{ProxyHeader::Ends{{*source, *from}, {*destination, *to}}}, size};
}

Read parse_text(std::string_view bytes) {
  const auto end = bytes.substr(0, ProxyHeader::text_bytes_max).find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() < ProxyHeader::text_bytes_max) return std::nullopt;
    return bad("the line is longer than 107 bytes");
  }
  if (end == 0 || bytes[end - 1] != '\r') return bad("the line ends without a carriage return");
  return parse_line(bytes.substr(0, end - 1), end + 1);
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

IpAddress v4_at(std::string_view bytes, std::size_t at) {
  return IpAddress::v4(static_cast<std::uint32_t>(number_at(bytes, at)) << 16 | number_at(bytes, at + 2));
}
IpAddress v6_at(std::string_view bytes, std::size_t at) {
  return IpAddress::v6(reinterpret_cast<const unsigned char*>(bytes.data() + at));
}

Read parse_binary(std::string_view bytes) {
  if (bytes.size() < binary_fixed) return std::nullopt;
  const std::uint8_t version = byte_at(bytes, 12) >> 4, command = byte_at(bytes, 12) & 15;
  const std::uint8_t family = byte_at(bytes, 13) >> 4;
  const std::size_t size = binary_fixed + number_at(bytes, 14);
  if (version != 2 || command > 1) return bad("the binary header is of no version or command that is known");
  if (size > ProxyHeader::binary_bytes_max)
    return bad("the binary header has " + std::to_string(size) + " bytes; 4096 are taken");
  const std::size_t address_bytes = family == 1 ? 12 : family == 2 ? 36 : 0;
  if (command == 1 && size < binary_fixed + address_bytes)
    return bad("the binary header is shorter than its addresses");
  if (bytes.size() < size) return std::nullopt;
  ProxyHeaderRead read{{}, size};
  if (command == 0 || address_bytes == 0) return read;
  const std::size_t wide = family == 1 ? 4 : 16, at = binary_fixed;
  const auto address = family == 1 ? v4_at : v6_at;
  read.header.ends = {{address(bytes, at), number_at(bytes, at + 2 * wide)},
                      {address(bytes, at + wide), number_at(bytes, at + 2 * wide + 2)}};
  return read;
}

std::string text_header(bool v6, const Endpoint& source, const Endpoint& destination) {
  const auto text = [v6](const IpAddress& address) {
    return v6 && address.is_v4() ? "::ffff:" + address.text() : address.text();
  };
  return std::string("PROXY ") + (v6 ? "TCP6 " : "TCP4 ") + text(source.address) + " " +
         text(destination.address) + " " + std::to_string(source.port) + " " +
         std::to_string(destination.port) + "\r\n";
}

void append_number(std::string& to, std::uint16_t number) {
  to += static_cast<char>(number >> 8);
  to += static_cast<char>(number & 255);
}

void append_address(std::string& to, const IpAddress& address, bool v6) {
  unsigned char bytes[16];
  const std::size_t size = address.bytes(bytes);
  if (v6 && size == 4) to.append(10, '\0').append(2, '\xff');  // IPv4-mapped
  to.append(reinterpret_cast<const char*>(bytes), size);
}

std::string binary_header(bool v6, const Endpoint& source, const Endpoint& destination) {
  std::string header(binary_signature);
  header += '\x21';                 // version 2, PROXY
  header += v6 ? '\x21' : '\x11';  // over TCP
  append_number(header, v6 ? 36 : 12);
  append_address(header, source.address, v6);
  append_address(header, destination.address, v6);
  append_number(header, source.port);
  append_number(header, destination.port);
  return header;
}

bool may_begin(std::string_view bytes, std::string_view opening) {
  const std::size_t common = std::min(bytes.size(), opening.size());
  return bytes.substr(0, common) == opening.substr(0, common);
}

}  // namespace

Read parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  if (may_begin(bytes, binary_signature)) return parse_binary(bytes);
  if (may_begin(bytes, text_opening)) return parse_text(bytes);
  return bad("there is no PROXY header");
}

async::Task<Result<ProxyHeader>> take_proxy_header(Stream& stream, Instant deadline) {
  std::array<char, ProxyHeader::binary_bytes_max> bytes;
  for (;;) {
    ssize_t waited = 0;
    if (!stream.maybe_readable()) waited = co_await stream.readable(deadline);
    if (waited == -ETIMEDOUT)
      co_return fail(ErrorKind::timeout, "no whole PROXY header came in time", Fault::client);
    const ssize_t count = stream.try_peek(bytes.data(), bytes.size());
    if (count == -EAGAIN) continue;
    if (count < 0)
      co_return fail(ErrorKind::reset, "the connection broke before a PROXY header", Fault::client);
    const auto read = parse_proxy_header({bytes.data(), static_cast<std::size_t>(count)});
    if (!read) co_return std::unexpected(read.error());
    if (*read) {
      const ssize_t taken = stream.try_read(bytes.data(), (*read)->size);
      SLUICE_CHECK(taken == static_cast<ssize_t>((*read)->size));  // it was seen there
      co_return (*read)->header;
    }
    if (count == 0 || stream.broken())
      co_return fail(ErrorKind::closed, "the connection ended before a whole PROXY header", Fault::client);
    stream.no_news();
    if (stream.maybe_readable())  // the end is known: no more will come
      co_return fail(ErrorKind::closed, "the connection ended within its PROXY header", Fault::client);
  }
}

std::string write_proxy_header(ProxyVersion version, const Endpoint& source, const Endpoint& destination) {
  const bool v6 =
      source.address.is_v6() || destination.address.is_v6();  // both are of one family in a header
  return version == ProxyVersion::binary ? binary_header(v6, source, destination)
                                         : text_header(v6, source, destination);
}

}  // namespace sluice::net
