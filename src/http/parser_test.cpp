// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

struct Case {
  const char* name;
  std::string bytes;
  int status;  // 0: it is read whole
};

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

Parsed parse(std::string_view bytes, Arena& arena, HeadLimits limits = {}) {
  Request request(arena);
  return parse_request(bytes, limits, request);
}

void check(const Case& test) {
  Arena arena;
  const Parsed parsed = parse(test.bytes, arena);
  EXPECT_EQ(parsed.outcome, test.status == 0 ? Parsed::whole : Parsed::refused) << test.name;
  EXPECT_EQ(parsed.status, test.status) << test.name << ": " << parsed.why;
  if (test.status == 0) EXPECT_EQ(parsed.size, test.bytes.size()) << test.name;
}

TEST(Parser, RefusesWhatTwoReadersCouldFrameDifferently) {
  const Case cases[] = {
      {"length and chunks", get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunks and length", get("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {"two lengths", get("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"two equal lengths", get("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {"a list of lengths", get("Content-Length: 1, 1\r\n"), 400},
      {"a signed length", get("Content-Length: +1\r\n"), 400},
      {"a negative length", get("Content-Length: -1\r\n"), 400},
      {"an empty length", get("Content-Length:\r\n"), 400},
      {"a hexadecimal length", get("Content-Length: 0x1\r\n"), 400},
      {"a length with a space", get("Content-Length: 1 1\r\n"), 400},
      {"a length beyond 63 bits", get("Content-Length: 9223372036854775808\r\n"), 400},
      {"two codings", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked twice", get("Transfer-Encoding: chunked, chunked\r\n"), 501},
      {"identity", get("Transfer-Encoding: identity\r\n"), 501},
      {"gzip before chunked", get("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"a parameter", get("Transfer-Encoding: chunked;q=1\r\n"), 501},
      {"a vertical tab before chunked", get("Transfer-Encoding: \x0b"
                                            "chunked\r\n"),
       400},
      {"an empty coding", get("Transfer-Encoding:\r\n"), 501},
      {"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"a space before the colon", get("Content-Length : 1\r\n"), 400},
      {"a tab before the colon", get("Content-Length\t: 1\r\n"), 400},
      {"a folded field", get("A: b\r\n c\r\n"), 400},
      {"a fold before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"a bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400},
      {"a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"a bare LF as the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"a bare CR in a value", get("A: b\rc\r\n"), 400},
      {"a CR before the end", "GET / HTTP/1.1\r\nHost: a\r\n\rA: b\r\n\r\n", 400},
      {"a NUL in a value", get(std::string_view("A: b\0c\r\n", 8)), 400},
      {"a DEL in a value", get("A: b\x7f\r\n"), 400},
      {"no name", get(": a\r\n"), 400},
      {"a CR for a hyphen", get("Content\rLength: 1\r\n"), 400},
      {"a CR for the other hyphen", get("Transfer\rEncoding: chunked\r\n"), 400},
      {"no colon", get("Content-Length 1\r\n"), 400},
      {"a slash in a name", get("A/B: c\r\n"), 400},
      {"a byte above ASCII in a name", get("\xc3\xa9: c\r\n"), 400},
      {"a length in capitals", get("CONTENT-LENGTH: 5\r\n"), 0},
      {"chunked in capitals", get("transfer-encoding: CHUNKED\r\n"), 0},
      {"bytes above ASCII in a value", get("A: \xc3\xa9\r\n"), 0},
      {"an empty value", get("A:\r\n"), 0},
      {"tabs around a value", get("A:\t b \t\r\n"), 0},
  };
  for (const Case& test : cases) check(test);
}

TEST(Parser, RefusesRequestLinesThatAreNone) {
  const Case cases[] = {
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no version", "GET /\r\n\r\n", 400},
      {"a version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"HTTP/1.x", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
      {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"a bracket in the method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a long method", std::string(40, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a cut escape", "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an escaped NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"dots above the root", "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escaped dots above the root", "GET /a/%2e%2e/../b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"* without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
      {"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"an unknown expectation", get("Expect: magic\r\n"), 417},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"HTTP/1.7 is read as 1.1", "GET / HTTP/1.7\r\nHost: a\r\n\r\n", 0},
      {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0},
      {"100-continue", get("Expect: 100-Continue\r\n"), 0},
  };
  for (const Case& test : cases) check(test);
}

TEST(Parser, RefusesBadHosts) {
  const Case cases[] = {
      {"none", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"a port of letters", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
      {"a long port", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400},
      {"an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"text behind a bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400},
      {"a user in absolute form", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no host in absolute form", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a port", "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 0},
      {"an address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
      {"absolute form", "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"absolute form without a path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", 0},
  };
  for (const Case& test : cases) check(test);
}

TEST(Parser, KeepsItsLimits) {
  const HeadLimits limits{
      .target_bytes_max = 20, .field_bytes_max = 30, .head_bytes_max = 200, .fields_max = 4};
  struct {
    const char* name;
    std::string bytes;
    int status;
  } cases[] = {
      {"a target", "GET /" + std::string(20, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"a target that never ends", "GET /" + std::string(30, 'a'), 414},
      {"a target just so", "GET /" + std::string(19, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"a field", get("A: " + std::string(30, 'b') + "\r\n"), 431},
      {"a field that never ends", "GET / HTTP/1.1\r\nA: " + std::string(60, 'b'), 431},
      {"a name that never ends", "GET / HTTP/1.1\r\n" + std::string(60, 'b'), 431},
      {"fields", get("A: b\r\nA: b\r\nA: b\r\nA: b\r\n"), 431},
      {"a whole head", get("A: b234567890123456789012345\r\nB: b23456789012345678901234567\r\n"), 0},
  };
  for (const auto& test : cases) {
    Arena arena;
    const Parsed parsed = parse(test.bytes, arena, limits);
    EXPECT_EQ(parsed.status, test.status) << test.name << ": " << parsed.why;
    EXPECT_NE(parsed.outcome, Parsed::incomplete) << test.name;
  }
  Arena arena;
  HeadLimits small = limits;
  small.head_bytes_max = 40;
  EXPECT_EQ(parse(get("A: b2345678901234567890\r\n"), arena, small).status, 431);
}

TEST(Parser, WaitsAtEveryByteAndReadsTheSame) {
  const std::string whole =
      "\r\nPOST /a/../b%20c?d=%31 HTTP/1.1\r\nHost: EXAMPLE.test:8080\r\nContent-Length: 12\r\n"
      "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nX: \r\n\r\n";
  const HeadLimits limits{.fields_max = 6};  // so many there are
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of just that size: a byte read too far is seen by AddressSanitizer.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    Arena arena;
    EXPECT_EQ(parse({part.data(), part.size()}, arena, limits).outcome, Parsed::incomplete) << size;
  }
  Arena arena;
  Request request(arena);
  ASSERT_EQ(parse_request(whole, limits, request).outcome, Parsed::whole);
  EXPECT_EQ(request.method_id, Method::post);
  EXPECT_EQ(request.target, "/a/../b%20c?d=%31");
  EXPECT_EQ(request.path, "/b c");
  EXPECT_EQ(request.query, "d=%31");
  EXPECT_EQ(request.host, "example.test");
  EXPECT_EQ(request.authority, "EXAMPLE.test:8080");
  EXPECT_EQ(request.content_length, 12);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_TRUE(request.upgrade);
  EXPECT_TRUE(request.expects_continue);
  EXPECT_EQ(request.headers.get("x"), "");
}

TEST(Parser, KnowsWhenAConnectionGoesOn) {
  struct {
    std::string bytes;
    bool keep_alive;
  } cases[] = {
      {get(""), true},
      {get("Connection: close\r\n"), false},
      {get("Connection: foo, CLOSE\r\n"), false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
  };
  for (const auto& test : cases) {
    Arena arena;
    Request request(arena);
    ASSERT_EQ(parse_request(test.bytes, {}, request).outcome, Parsed::whole) << test.bytes;
    EXPECT_EQ(request.keep_alive, test.keep_alive) << test.bytes;
  }
}

TEST(Parser, ReadsResponsesStrictly) {
  const Case cases[] = {
      {"plain", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", 0},
      {"no reason", "HTTP/1.1 204 \r\n\r\n", 0},
      {"no space behind the status", "HTTP/1.1 204\r\n\r\n", 0},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", 0},
      {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", 502},
      {"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", 502},
      {"two digits", "HTTP/1.1 20 OK\r\n\r\n", 502},
      {"status 099", "HTTP/1.1 099 OK\r\n\r\n", 502},
      {"a bare LF", "HTTP/1.1 200 OK\nA: b\n\n", 502},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 502},
      {"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       502},
      {"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 502},
      {"a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 502},
  };
  for (const Case& test : cases) {
    Arena arena;
    Response response(arena);
    const Parsed parsed = parse_response(test.bytes, {}, response);
    EXPECT_EQ(parsed.status, test.status) << test.name << ": " << parsed.why;
    EXPECT_EQ(parsed.outcome, test.status == 0 ? Parsed::whole : Parsed::refused) << test.name;
    for (std::size_t size = 0; test.status == 0 && size < test.bytes.size(); ++size) {
      const std::vector<char> part(test.bytes.begin(),
                                   test.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(parse_response({part.data(), part.size()}, {}, response).outcome, Parsed::incomplete) << size;
    }
  }
}

}  // namespace
}  // namespace sluice::http
