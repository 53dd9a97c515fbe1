// SPDX-License-Identifier: Apache-2.0
// basic-auth, jwt-auth and hmac-auth over a fake exchange.
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/text.h"
#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType basic_auth, hmac_auth, jwt_auth;
namespace {

using plugin::PluginType;
using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;

// Clients with a consumer of one plugin.
struct AuthBench : Bench {
  explicit AuthBench(const PluginType& the_type) : type(the_type) {
    static std::uint16_t index = 0;
    *type.index = index;  // what a registry does
  }
  std::string add(const std::string& name, std::string_view written) {
    json::Findings findings;
    json::Reader reader(findings);
    std::string credential;
    auto made = type.make_consumer(plugin::testing::parsed(written), reader, credential);
    if (made == nullptr) return findings.sentence();
    auto& consumer = config.credentials[credential];
    consumer.name = name;
    consumer.auth = {{*type.index, std::move(made)}};
    return "";
  }
  // The consumer the request counts as, or the refusal.
  std::string judge(const plugin::Plugin& plugin, Call& call) {
    const auto verdict = wait(plugin.rewrite(call.x));
    if (verdict == nullptr) return std::string(call.x.consumer_name);
    EXPECT_EQ(verdict->status, 401);
    EXPECT_EQ(verdict->headers.size(), 1U);
    return std::string(plugin::testing::parsed(verdict->body).text("message"));
  }
  const PluginType& type;
};

std::string basic(const std::string& pair) {
  std::string out = "Basic ";
  base64_encode(pair, out);
  return out;
}

TEST(BasicAuth, knows_consumers) {
  AuthBench bench(basic_auth);
  EXPECT_EQ(bench.add("jack", R"x({"username": "j", "password": "p:w d"})x"), "");
  EXPECT_NE(bench.add("x", R"x({"username": "a:b", "password": "p"})x"), "");
  const auto plugin = make(basic_auth, "{}");
  const struct {
    std::string field;
    const char* outcome;
  } rows[] = {
      {basic("j:p:w d"), "jack"},
      {"bAsIc " + basic("j:p:w d").substr(6), "jack"},
      {basic("j:p"), "Invalid user authorization"},
      {basic("j:"), "Invalid user authorization"},
      {basic("J:p:w d"), "Invalid user authorization"},
      {basic("nobody:p"), "Invalid user authorization"},
      {basic("j"), "Invalid authorization in request"},
      {"Bearer abc", "Invalid authorization in request"},
      {"Basic !!!", "Invalid authorization in request"},
      {"Basic", "Invalid authorization in request"},
      {"", "Missing authorization in request"},
  };
  for (const auto& row : rows) {
    Call call(bench);
    if (!row.field.empty()) call.header("Authorization", row.field);
    EXPECT_EQ(bench.judge(*plugin, call), row.outcome) << row.field;
    EXPECT_EQ(call.request("Authorization"), row.field.empty() ? "<absent>" : row.field);
  }
  Call call(bench);
  call.header("Authorization", basic("j:p:w d"));
  EXPECT_EQ(bench.judge(*make(basic_auth, R"x({"hide_credentials": true})x"), call), "jack");
  EXPECT_EQ(call.request("Authorization"), "<absent>");
}

std::string jwt(const std::string& payload, const std::string& key = "secret",
                const std::string& header = R"({"alg":"HS256"})") {
  std::string text;
  base64_encode(header, text, Base64::url);
  text.push_back('.');
  base64_encode(payload, text, Base64::url);
  const std::string signature = hmac_of(Digest::sha256, key, text);
  text.push_back('.');
  base64_encode(signature, text, Base64::url);
  return text;
}

constexpr const char* long_ago = R"({"key":"k","exp":1000})";
constexpr const char* in_time = R"({"key":"k","exp":1800000000})";

TEST(JwtAuth, knows_consumers) {
  AuthBench bench(jwt_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  ASSERT_EQ(bench.add("coded", R"x({"key": "c", "secret": "c2VjcmV0", "base64_secret": true})x"), "");
  const auto plugin = make(jwt_auth, "{}");
  const struct {
    std::string token;
    const char* outcome;
  } rows[] = {
      {jwt(R"({"key":"k"})"), "jack"},
      {jwt(in_time), "jack"},
      {jwt(R"({"key":"c"})"), "coded"},
      {jwt(long_ago), "failed to verify jwt"},
      {jwt(R"({"key":"k","nbf":1900000000})"), "failed to verify jwt"},
      {jwt(R"({"key":"k","exp":"later"})"), "failed to verify jwt"},
      {jwt(R"({"key":"k"})", "other"), "failed to verify jwt"},
      {jwt(R"({"key":"k"})", "secret", R"({"alg":"HS384"})"), "failed to verify jwt"},
      {jwt(R"({"key":"k"})", "secret", R"({"alg":"none"})"), "failed to verify jwt"},
      {jwt(R"({"key":"nobody"})"), "Invalid user key in JWT token"},
      {jwt(R"({"key":7})"), "missing user key in JWT token"},
      {jwt("{}"), "missing user key in JWT token"},
      {"abc", "JWT token invalid"},
      {"", "Missing JWT token in request"},
  };
  for (int round = 0; round < 2; ++round) {  // the second time from the cache
    for (const auto& row : rows) {
      Call call(bench);
      if (!row.token.empty()) call.header("Authorization", "Bearer " + row.token);
      EXPECT_EQ(bench.judge(*plugin, call), row.outcome) << row.token;
    }
  }
}

TEST(JwtAuth, follows_a_clock_that_jumps) {
  AuthBench bench(jwt_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  const auto plugin = make(jwt_auth, "{}");
  const auto judged = [&] {
    const std::string target = "/?jwt=" + jwt(R"({"key":"k","nbf":1700000000,"exp":1700008000})");
    Call call(bench, target);
    return bench.judge(*plugin, call);
  };
  EXPECT_EQ(judged(), "jack");
  bench.jump(std::chrono::hours(2));
  EXPECT_EQ(judged(), "failed to verify jwt") << "the cache holds what is over";
  bench.jump(std::chrono::hours(-1));
  EXPECT_EQ(judged(), "jack");
  bench.jump(std::chrono::hours(-3));
  EXPECT_EQ(judged(), "failed to verify jwt") << "not yet";
}

TEST(JwtAuth, a_token_that_was_good_is_judged_again) {
  AuthBench bench(jwt_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  const auto plugin = make(jwt_auth, "{}");
  const auto judged = [&] {
    const std::string target = "/?jwt=" + jwt(R"({"key":"k","exp":1700003610})");
    Call call(bench, target);
    return bench.judge(*plugin, call);
  };
  EXPECT_EQ(judged(), "jack");
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "new"})x"), "");
  EXPECT_EQ(judged(), "failed to verify jwt");
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  EXPECT_EQ(judged(), "jack");
  bench.pass(std::chrono::seconds(20));
  EXPECT_EQ(judged(), "failed to verify jwt");
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret", "lifetime_grace_period": 60})x"), "");
  EXPECT_EQ(judged(), "jack");
  bench.config.credentials.clear();
  EXPECT_EQ(judged(), "Invalid user key in JWT token");
}

TEST(JwtAuth, finds_and_hides_tokens) {
  AuthBench bench(jwt_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  const auto plugin =
      make(jwt_auth, R"x({"hide_credentials": true, "cookie": "t", "query": "t", "header": "X-T",
                                          "store_in_ctx": true})x");
  const std::string token = jwt(in_time);
  Call header(bench);
  header.header("x-t", token);
  EXPECT_EQ(bench.judge(*plugin, header), "jack");
  EXPECT_EQ(header.request("X-T"), "<absent>");
  EXPECT_EQ(header.x.jwt_payload, in_time);
  const std::string target = "/?a=1&t=" + token;
  Call query(bench, target);
  EXPECT_EQ(bench.judge(*plugin, query), "jack");
  EXPECT_EQ(query.x.upstream.target, "/?a=1");
  Call cookie(bench);
  cookie.header("Cookie", "a=1; t=" + token + "; b=2");
  EXPECT_EQ(bench.judge(*plugin, cookie), "jack");
  EXPECT_EQ(cookie.request("Cookie"), "a=1; b=2");
}

TEST(JwtAuth, claims_may_be_required) {
  AuthBench bench(jwt_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key": "k", "secret": "secret"})x"), "");
  const auto plugin = make(jwt_auth, R"x({"claims_to_verify": ["exp"], "key_claim_name": "iss"})x");
  const std::string timeless = "/?jwt=" + jwt(R"({"iss":"k"})");
  Call without(bench, timeless);
  EXPECT_EQ(bench.judge(*plugin, without), "failed to verify jwt");
  const std::string timely = "/?jwt=" + jwt(R"({"iss":"k","exp":1800000000})");
  Call with(bench, timely);
  EXPECT_EQ(bench.judge(*plugin, with), "jack");
}

TEST(JwtAuth, consumers_have_to_make_sense) {
  AuthBench bench(jwt_auth);
  EXPECT_EQ(bench.add("a", R"x({"key": "k"})x"),
            "property \"secret\" is required when using HS based algorithms");
  EXPECT_EQ(bench.add("a", R"x({"key": "k", "algorithm": "RS256"})x"),
            "failed to validate dependent schema for \"algorithm\": value should match only one schema, but "
            "matches none");
  EXPECT_EQ(bench.add("a", R"x({"key": "k", "secret": "!", "base64_secret": true})x"),
            "base64_secret required but the secret is not in base64 format");
  EXPECT_NE(bench.add("a", R"x({"key": "k", "algorithm": "ES256", "public_key": "no"})x"), "");
  EXPECT_NE(bench.add("a", R"x({"key": "k", "secret": "s", "algorithm": "none"})x"), "");
  // One that stands for nothing yet verifies nothing.
  EXPECT_EQ(bench.add("a", R"x({"key": "k", "secret": "$env://NO_SUCH"})x"), "");
  const std::string target = "/?jwt=" + jwt(in_time, "$env://NO_SUCH");
  Call call(bench, target);
  EXPECT_EQ(bench.judge(*make(jwt_auth, "{}"), call), "failed to verify jwt");
}

constexpr const char* date = "Tue, 14 Nov 2023 23:13:20 GMT";  // when the clock of the tests stands
constexpr const char* refused = "client request can't be validated";

std::string signature_of(const std::string& text, const std::string& key = "secret",
                         Digest digest = Digest::sha256) {
  std::string out;
  base64_encode(hmac_of(digest, key, text), out);
  return out;
}

std::string authorization(const std::string& headers, const std::string& signature,
                          const std::string& algorithm = "hmac-sha256") {
  return "Signature keyId=\"k\", algorithm=\"" + algorithm + "\",headers=\"" + headers + "\", signature=\"" +
         signature + "\"";
}

TEST(HmacAuth, knows_consumers) {
  AuthBench bench(hmac_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key_id": "k", "secret_key": "secret"})x"), "");
  EXPECT_EQ(bench.add("x", R"x({"secret_key": "secret"})x"), "property \"key_id\" is required");
  const std::string text = std::string("k\nGET /a?b=1\ndate: ") + date + "\n";
  const std::string good = authorization("@request-target date", signature_of(text));
  const struct {
    std::string field;
    const char *date, *config, *outcome;
  } rows[] = {
      {good, date, "{}", "jack"},
      {good, date, R"x({"allowed_algorithms": ["hmac-sha1"]})x", refused},
      {good, date, R"x({"signed_headers": ["date", "x-custom"]})x", refused},
      {good, "Tue, 14 Nov 2023 23:19:20 GMT", "{}", refused},
      {good, "yesterday", "{}", refused},
      {good, nullptr, "{}", refused},
      {authorization("@request-target date", signature_of(text, "wrong")), date, "{}", refused},
      {authorization("@request-target date", "!"), date, "{}", refused},
      {authorization("@request-target date", signature_of(text, "secret", Digest::sha512), "hmac-sha512"),
       date, "{}", "jack"},
      {authorization("@request-target date", signature_of(text), "hmac-md5"), date, "{}", refused},
      {authorization("@request-target", signature_of("k\nGET /a?b=1\n")), date, "{}", refused},
      {authorization("@request-target", signature_of("k\nGET /a?b=1\n")), date, R"x({"signed_headers": []})x",
       "jack"},
      {"Signature nonsense", date, "{}", refused},
      {"Basic abc", date, "{}",
       "client request can't be validated: Authorization header does not start with 'Signature'"},
      {"", date, "{}", "client request can't be validated: missing Authorization header"},
  };
  for (const auto& row : rows) {
    Call call(bench, "/a?b=1");
    if (!row.field.empty()) call.header("Authorization", row.field);
    if (row.date != nullptr) call.header("Date", row.date);
    EXPECT_EQ(bench.judge(*make(hmac_auth, row.config), call), row.outcome) << row.field << row.config;
  }
}

TEST(HmacAuth, may_look_at_the_body) {
  AuthBench bench(hmac_auth);
  ASSERT_EQ(bench.add("jack", R"x({"key_id": "k", "secret_key": "secret"})x"), "");
  const auto plugin = make(hmac_auth, R"x({"validate_request_body": true, "max_req_body_size": 8,
                                           "signed_headers": ["date"]})x");
  const std::string field = authorization("date", signature_of(std::string("k\ndate: ") + date + "\n"));
  std::string digest = "SHA-256=";
  base64_encode(digest_of(Digest::sha256, "body"), digest);
  const auto judged = [&](std::vector<std::string> pieces, std::string_view said) {
    Call call(bench);
    plugin::testing::PiecedBody body(std::move(pieces));
    call.header("Authorization", field).header("Date", date);
    if (!said.empty()) call.header("Digest", said);
    call.x.request.body = &body;
    call.x.request.content_length = http::unknown_length;
    const auto verdict = bench.wait(plugin->rewrite(call.x));
    if (verdict == nullptr) EXPECT_EQ(bench.wait(plugin::testing::read_all(*call.x.request.body)), "body");
    return verdict == nullptr ? 200 : verdict->status;
  };
  EXPECT_EQ(judged({"bo", "dy"}, digest), 200);
  EXPECT_EQ(judged({"bo", "dx"}, digest), 401);
  EXPECT_EQ(judged({"body"}, ""), 401);
  EXPECT_EQ(judged({"longer ", "than eight"}, digest), 413);
}

TEST(HmacAuth, older_clients_sign_as_they_did) {
  AuthBench bench(hmac_auth);
  ASSERT_EQ(bench.add("jack", R"x({"access_key": "k", "secret_key": "secret", "signed_headers": ["x-a"]})x"),
            "");
  const auto plugin = make(hmac_auth, "{}");
  const std::string text = std::string("GET\n/a\na=1%202&b=\nk\n") + date + "\nx-a:7\n";
  const auto call = [&](const std::string& signature, const char* algorithm, const char* headers) {
    Call made(bench, "/a?b&a=1+2");
    made.header("X-HMAC-ACCESS-KEY", "k").header("X-HMAC-SIGNATURE", signature).header("Date", date);
    made.header("X-HMAC-ALGORITHM", algorithm).header("X-HMAC-SIGNED-HEADERS", headers).header("x-a", "7");
    std::string outcome = bench.judge(*plugin, made);
    if (outcome == "jack") EXPECT_EQ(made.request("X-HMAC-SIGNATURE"), "<absent>");
    return outcome;
  };
  EXPECT_EQ(call(signature_of(text), "hmac-sha256", "x-a"), "jack");
  EXPECT_EQ(call(signature_of(text), "hmac-sha256", "x-b"), refused);
  EXPECT_EQ(call(signature_of(text, "secret", Digest::sha1), "hmac-sha1", "x-a"), refused);
  EXPECT_EQ(call(signature_of("x"), "hmac-sha256", "x-a"), refused);
  Call one_field(bench, "/a?b&a=1+2");
  one_field.header("x-a", "7").header(
      "Authorization", "hmac-auth-v1#k#" + signature_of(text) + "#hmac-sha256#" + date + "#x-a");
  EXPECT_EQ(bench.judge(*plugin, one_field), "jack");
  Call newer(bench);  // its key is not good for the newer form
  newer.header("Date", date)
      .header("Authorization", authorization("date", signature_of(std::string("k\ndate: ") + date + "\n")));
  EXPECT_EQ(bench.judge(*plugin, newer), refused);
}

}  // namespace
}  // namespace sluice::plugins
