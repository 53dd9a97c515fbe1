// SPDX-License-Identifier: Apache-2.0
#include "net/proxy_protocol.h"

#include <gtest/gtest.h>

#include "net/loopback.h"

namespace sluice::net {
namespace {

std::string told(std::string_view bytes) {
  const auto read = parse_proxy_header(bytes);
  if (!read) return "bad";
  if (!*read) return "more";
  std::string text = std::to_string((*read)->size);
  const auto& ends = (*read)->header.ends;
  return text + (ends ? " " + ends->source.text() + " " + ends->destination.text() : " itself");
}

std::string binary(std::uint8_t version_command, std::uint8_t family, const std::string& rest) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes.push_back(static_cast<char>(version_command));
  bytes.push_back(static_cast<char>(family));
  bytes.push_back(static_cast<char>(rest.size() >> 8));
  bytes.push_back(static_cast<char>(rest.size() & 255));
  return bytes + rest;
}

const std::string v4_addresses("\xC0\x00\x02\x01\x7F\x00\x00\x01\xDC\x04\x01\xBB", 12);

TEST(ProxyProtocol, Text) {
  struct Row {
    std::string_view bytes, wanted;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"PROXY TCP4 192.0.2.1 127.0.0.1 56324 443\r\nGET", "42 192.0.2.1:56324 127.0.0.1:443"},
           {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "32 [2001:db8::1]:1 [::1]:2"},
           {"PROXY UNKNOWN\r\n", "15 itself"},
           {"PROXY UNKNOWN ffff::1 whatever 0 0\r\nx", "36 itself"},
           {"", "more"},
           {"P", "more"},
           {"PROXY TCP4 192.0.2.1", "more"},
           {"GET / HTTP/1.1\r\n", "bad"},
           {"PROXY TCP4 192.0.2.1 127.0.0.1 56324 443\n", "bad"},
           {"PROXY TCP4 192.0.2.1 127.0.0.1 56324\r\n", "bad"},
           {"PROXY TCP4 192.0.2.1 127.0.0.1 56324 443 1\r\n", "bad"},
           {"PROXY TCP4  192.0.2.1 127.0.0.1 56324 443\r\n", "bad"},
           {"PROXY TCP4 192.0.2.1 127.0.0.1 65536 443\r\n", "bad"},
           {"PROXY TCP4 192.0.2.1 127.0.0.1 080 443\r\n", "bad"},
           {"PROXY TCP4 ::1 127.0.0.1 80 443\r\n", "bad"},
           {"PROXY TCP6 192.0.2.1 127.0.0.1 80 443\r\n", "bad"},
           {"PROXY UDP4 192.0.2.1 127.0.0.1 80 443\r\n", "bad"},
           {"PROXY\r\n", "bad"}}) {
    EXPECT_EQ(told(row.bytes), row.wanted) << row.bytes;
  }
  EXPECT_EQ(told("PROXY TCP4 " + std::string(100, '1')), "bad");  // never ends
}

TEST(ProxyProtocol, Binary) {
  EXPECT_EQ(told(binary(0x21, 0x11, v4_addresses) + "x"), "28 192.0.2.1:56324 127.0.0.1:443");
  EXPECT_EQ(told(binary(0x21, 0x11, v4_addresses + std::string("\x03\x00\x01z", 4))),
            "32 192.0.2.1:56324 127.0.0.1:443");  // with an extension
  EXPECT_EQ(told(binary(0x20, 0x00, "")), "16 itself");
  EXPECT_EQ(told(binary(0x20, 0x11, v4_addresses)), "28 itself");  // LOCAL: what follows means nothing
  EXPECT_EQ(told(binary(0x21, 0x31, std::string(216, 'a'))), "232 itself");  // a socket of a file
  std::string v6(32, '\0');
  v6[15] = 1, v6[31] = 2;
  EXPECT_EQ(told(binary(0x21, 0x21, v6 + std::string("\0\x50\x01\xBB", 4))), "52 [::1]:80 [::2]:443");
  EXPECT_EQ(told(binary(0x11, 0x11, v4_addresses)), "bad");
  EXPECT_EQ(told(binary(0x22, 0x11, v4_addresses)), "bad");
  EXPECT_EQ(told(binary(0x21, 0x11, "short")), "bad");
  EXPECT_EQ(told(binary(0x21, 0x11, std::string(5000, 'a')).substr(0, 20)),
            "bad");  // refused before it comes
  const std::string whole = binary(0x21, 0x11, v4_addresses);
  for (std::size_t size = 1; size < whole.size(); ++size) EXPECT_EQ(told(whole.substr(0, size)), "more");
}

TEST(ProxyProtocol, Written) {
  const auto written = [](std::string_view from, std::string_view to) {
    return write_proxy_header(ProxyVersion::text, *Endpoint::parse(from), *Endpoint::parse(to));
  };
  EXPECT_EQ(written("192.0.2.1:5", "127.0.0.1:443"), "PROXY TCP4 192.0.2.1 127.0.0.1 5 443\r\n");
  EXPECT_EQ(written("[2001:db8::1]:5", "[::1]:443"), "PROXY TCP6 2001:db8::1 ::1 5 443\r\n");
  EXPECT_EQ(written("192.0.2.1:5", "[::1]:443"), "PROXY TCP6 ::ffff:192.0.2.1 ::1 5 443\r\n");
}

TEST(ProxyProtocol, WrittenInBinaryIsReadAsItWas) {
  const std::pair<std::string_view, std::string_view> connections[] = {
      {"192.0.2.1:5", "127.0.0.1:443"}, {"[2001:db8::1]:5", "[::1]:443"}, {"192.0.2.1:65535", "[::1]:443"}};
  for (const auto& [from, to] : connections) {
    const Endpoint source = *Endpoint::parse(from), destination = *Endpoint::parse(to);
    const std::string bytes = write_proxy_header(ProxyVersion::binary, source, destination);
    const auto read = parse_proxy_header(bytes + "more");
    ASSERT_TRUE(read && *read && (*read)->header.ends) << from;
    EXPECT_EQ((*read)->size, bytes.size());
    EXPECT_EQ((*read)->header.ends->source, source);
    EXPECT_EQ((*read)->header.ends->destination, destination);
  }
  const auto v4 = write_proxy_header(ProxyVersion::binary, *Endpoint::parse("192.0.2.1:5"),
                                     *Endpoint::parse("127.0.0.1:443"));
  EXPECT_EQ(v4, std::string_view("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\x7f\0\0\1\0\5\1\xbb", 28));
}

async::Task<> keep(Stream& stream, Instant deadline, std::optional<Result<ProxyHeader>>& result) {
  auto taken = co_await take_proxy_header(stream, deadline);
  result.emplace(std::move(taken));
}

struct Reading {
  ManualClock clock;
  async::Loop loop{clock};
  Loopback network;
  std::unique_ptr<Stream> near, far;
  std::optional<Result<ProxyHeader>> result;
  Reading() {
    std::tie(near, far) = network.pair(loop);
    loop.spawn(keep(*near, after(clock.now(), 5s), result));
  }
  void settle() {
    while (loop.run_once()) {
    }
  }
  void send(std::string_view bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    far->try_write(&piece, 1);
    settle();
  }
};

TEST(ProxyProtocol, TakesNothingBehindTheHeader) {
  Reading reading;
  for (const char c : std::string_view("PROXY TCP4 192.0.2.1 127.0.0.1 56324 443\r")) reading.send({&c, 1});
  EXPECT_FALSE(reading.result.has_value());
  reading.send("\nrest");
  ASSERT_TRUE(reading.result && *reading.result);
  EXPECT_EQ((**reading.result).ends->source.text(), "192.0.2.1:56324");
  char rest[8];
  EXPECT_EQ(reading.near->try_read(rest, sizeof rest), 4);
}

TEST(ProxyProtocol, WaitsNoLongerThanTheDeadline) {
  Reading reading;
  reading.send("PROXY TCP4 ");
  reading.clock.advance(6s);
  reading.settle();
  ASSERT_TRUE(reading.result && !*reading.result);
  EXPECT_EQ(reading.result->error().kind, ErrorKind::timeout);
}

TEST(ProxyProtocol, AnEndIsNoHeader) {
  Reading reading;
  reading.send("PROXY ");
  reading.far->shutdown_write();
  reading.settle();
  ASSERT_TRUE(reading.result && !*reading.result);
  EXPECT_EQ(reading.result->error().kind, ErrorKind::closed);
}

}  // namespace
}  // namespace sluice::net
