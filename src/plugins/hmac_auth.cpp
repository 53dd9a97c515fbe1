// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include "base/digest.h"
#include "base/text.h"
#include "plugin/authentication.h"
#include "plugin/held_body.h"
#include "plugin/signed_request.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::Identity;
using plugin::SignedRequest;

enum class Algorithm : std::uint8_t { sha1, sha256, sha512 };
inline json::Names enum_names(Algorithm) {
  static constexpr std::string_view names[]{"hmac-sha1", "hmac-sha256", "hmac-sha512"};
  return names;
}
Digest digest_of(Algorithm algorithm) {
  if (algorithm == Algorithm::sha1) return Digest::sha1;
  return algorithm == Algorithm::sha256 ? Digest::sha256 : Digest::sha512;
}
std::optional<Algorithm> algorithm_of(std::string_view name) {
  const auto names = enum_names(Algorithm{});
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Algorithm>(found - names.begin());
}

constexpr std::string_view refused = "client request can't be validated";

}  // namespace

// Knows a consumer by a signature over the request. Consumers with `key_id` sign as APISIX 3 has it, those
// with `access_key` as APISIX 2 had it, each with the fields of its time.
class HmacAuth final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<Algorithm> allowed_algorithms{Algorithm::sha1, Algorithm::sha256, Algorithm::sha512};
    std::int64_t clock_skew = 300;
    std::vector<std::string> signed_headers{"date"};
    bool validate_request_body = false;
    std::uint64_t max_req_body_size = plugin::body_held_default;
    plugin::AuthConfig auth{"hmac"};

    void describe(json::Fields& field) {
      field("allowed_algorithms", allowed_algorithms, "Algorithms a client may sign with.").min_items(1);
      field("clock_skew", clock_skew, "Seconds by which the Date of a request may differ from now.")
          .at_least(1);
      field("signed_headers", signed_headers, "Header fields a client has to sign.").items().length(1, 50);
      field("validate_request_body", validate_request_body,
            "Requires a Digest field that holds the SHA-256 of the body (RFC 3230).");
      field("max_req_body_size", max_req_body_size,
            "Bytes of body read for that; a larger one is answered 413.")
          .at_least(1);
      auth.describe(field);
      field.open();
    }
  };

  struct Consumer {
    std::string key_id, secret_key, access_key;
    Algorithm algorithm = Algorithm::sha256;
    std::int64_t clock_skew = 0;
    std::vector<std::string> signed_headers;
    bool keep_headers = false, encode_uri_params = true;

    void describe(json::Fields& field) {
      field("key_id", key_id, "What the client names itself by; no two consumers share one.").length(1, 256);
      field("secret_key", secret_key, "What is shared with the client.").required().length(1, 256).secret();
      field("access_key", access_key, "APISIX 2: what the client names itself by, instead of key_id.")
          .length(1, 256);
      field("algorithm", algorithm, "APISIX 2: the algorithm it signs with.");
      field("clock_skew", clock_skew,
            "APISIX 2: seconds by which the Date of a request may differ from now; 0: any.")
          .at_least(0);
      field("signed_headers", signed_headers, "APISIX 2: header fields it may sign; any when absent.")
          .items().length(1, 50);
      field("keep_headers", keep_headers, "APISIX 2: the upstream sees the signature's fields.");
      field("encode_uri_params", encode_uri_params,
            "APISIX 2: the arguments of the query are signed encoded.");
      field.not_both("key_id", "access_key");
      field.open();
      if (field.reading())
        field.check_plainly(!credential().empty(), "key_id", "is missing", "property \"key_id\" is required");
    }
    std::string credential() const { return key_id.empty() ? access_key : key_id; }
  };

  explicit HmacAuth(Config config) : config_(std::move(config)), auth_("hmac-auth", "hmac", config_.auth) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const Identity identity = find(x);
    if (identity.consumer != nullptr && config_.validate_request_body) return check_body(x, identity);
    return conclude(x, identity);
  }

 private:
  plugin::Verdict conclude(Exchange& x, const Identity& identity) const {
    if (auth_.hides_credentials()) x.request.headers.remove(http::HeaderId::authorization);
    return auth_.conclude(x, identity);
  }

  Identity find(Exchange& x) const {
    Identity identity;
    const auto request = plugin::read_signed_request(x, identity.why);
    if (!request) return identity;
    identity.why = refused;
    if (request->key_id.empty() || request->signature.empty()) return identity;
    const auto* consumer = x.find_consumer<HmacAuth>(request->key_id);
    const auto* own = consumer == nullptr ? nullptr : Exchange::consumer_config<HmacAuth>(*consumer);
    if (own == nullptr || request->older == own->access_key.empty()) return identity;
    const auto algorithm = request->older && request->algorithm.empty() ? own->algorithm
                                                                         : algorithm_of(request->algorithm);
    if (!algorithm || !admits(x, *request, *own, *algorithm)) return identity;
    const std::string expected = hmac_of(digest_of(*algorithm), own->secret_key,
                                         plugin::signing_text(x, *request, own->encode_uri_params));
    std::string signature;
    if (!base64_decode(request->signature, signature) || !equals_in_constant_time(signature, expected))
      return identity;
    if (request->older && !own->keep_headers) hide_older(x);
    identity.consumer = consumer;
    return identity;
  }

  // Whether the request signs with what it may, all that it must, in time.
  bool admits(Exchange& x, const SignedRequest& request, const Consumer& own, Algorithm algorithm) const {
    if (request.older) {
      const bool listed = std::ranges::all_of(request.headers, [&](std::string_view name) {
        return own.signed_headers.empty() ||
               std::ranges::find(own.signed_headers, name) != own.signed_headers.end();
      });
      return algorithm == own.algorithm && listed && is_in_time(x, request.date, own.clock_skew);
    }
    const bool signs_all = std::ranges::all_of(config_.signed_headers, [&](const std::string& name) {
      return std::ranges::find(request.headers, name) != request.headers.end();
    });
    return signs_all && is_in_time(x, request.date, config_.clock_skew) &&
           std::ranges::find(config_.allowed_algorithms, algorithm) != config_.allowed_algorithms.end();
  }

  static bool is_in_time(Exchange& x, std::string_view date, std::int64_t skew) {
    if (skew == 0) return true;
    const auto time = parse_http_date(date);
    return time && std::abs(x.worker.loop.wall() / 1'000'000'000 - *time) <= skew;
  }

  static void hide_older(Exchange& x) {
    for (const std::string_view name : {"X-HMAC-SIGNATURE", "X-HMAC-ALGORITHM", "X-HMAC-SIGNED-HEADERS"})
      x.request.headers.remove(name);
  }

  plugin::VerdictTask check_body(Exchange& x, Identity identity) const {
    auto reading = plugin::whole_body(x, config_.max_req_body_size);
    const auto body = co_await reading;
    if (!body && body.error().kind == ErrorKind::limit)
      co_return plugin::reply_message(413, body.error().what);
    std::string expected = "SHA-256=";
    if (body) base64_encode(sluice::digest_of(Digest::sha256, *body), expected);
    if (!body || x.request.headers.get("Digest") != expected) identity = {nullptr, refused};
    co_return conclude(x, identity);
  }

  Config config_;
  plugin::Authentication auth_;
};

extern constexpr plugin::PluginType hmac_auth = plugin::plugin<HmacAuth>({
    .name = "hmac-auth",
    .summary = "Knows a consumer by a signature over the request.",
    .priority = 2530,
    .example = R"({"allowed_algorithms": ["hmac-sha256"], "clock_skew": 60,
                   "signed_headers": ["date", "@request-target"]})",
    .authenticates = true,
});

}  // namespace sluice::plugins
