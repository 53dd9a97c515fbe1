// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"
#include "plugin/exchange.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

enum class Algorithm : std::uint8_t { uuid, nanoid, range_id, ksuid, uuidv7 };
inline json::Names enum_names(Algorithm) {
  static constexpr std::string_view names[]{"uuid", "nanoid", "range_id", "ksuid", "uuidv7"};
  return names;
}

struct RangeId {
  std::string char_set = "abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789";
  std::size_t length = 16;

  void describe(json::Fields& field) {
    constexpr std::size_t length_max = 4096, characters_max = 4096;
    field("char_set", char_set, "The characters an id is made of.").length(6, characters_max);
    field("length", length, "Characters of an id.").range(6, length_max);
    field.open();
  }
};

}  // namespace

// Gives each request an id that no other has, unless it brings one, and tells it to upstream and client.
class RequestId final : public plugin::Plugin {
 public:
  struct Config {
    std::string header_name = "X-Request-Id";
    bool include_in_response = true;
    Algorithm algorithm = Algorithm::uuid;
    RangeId range_id;

    void describe(json::Fields& field) {
      field("header_name", header_name, "The header that carries the id.");
      field("include_in_response", include_in_response, "Tells the client the id in the same header.");
      field(
          "algorithm", algorithm,
          "How an id is made: uuid (version 4), uuidv7 (ordered by time), nanoid (21 characters), ksuid (27 "
          "characters, ordered by time), range_id.");
      field("range_id", range_id, "What ids of the algorithm range_id look like.");
      field.open();
      if (field.reading())
        field.check(http::valid_name(header_name), "header_name", "is no name of a header");
    }
  };

  explicit RequestId(Config config) : config_(std::move(config)) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    std::string_view id = x.request.headers.get(config_.header_name);
    if (id.empty()) {
      id = x.arena.copy(make(x));
      x.request.headers.set(config_.header_name, id);
    }
    x.state<Given>(*this).id = id;
    x.request_id = id;
    return plugin::pass();
  }

  void response(Exchange& x) const override {
    if (!config_.include_in_response) return;
    const auto* given = x.existing_state<Given>(*this);
    if (given != nullptr && x.response.headers.get(config_.header_name).empty())
      x.response.headers.set(config_.header_name, given->id);
  }

 private:
  struct Given {
    std::string_view id;
  };

  std::string make(Exchange& x) const {
    std::string id;
    switch (config_.algorithm) {
      case Algorithm::uuid: append_uuid(id); break;
      case Algorithm::uuidv7: append_uuid_v7(x.worker.loop.wall(), id); break;
      case Algorithm::nanoid: append_nanoid(id); break;
      case Algorithm::ksuid: append_ksuid(x.worker.loop.wall(), id); break;
      case Algorithm::range_id: append_characters(config_.range_id.char_set, config_.range_id.length, id);
    }
    return id;
  }

  Config config_;
};

extern constexpr plugin::PluginType request_id = plugin::plugin<RequestId>({
    .name = "request-id",
    .summary = "Gives each request an id that no other has, and tells it to upstream and client.",
    .priority = 12015,
    .example = R"({"header_name": "X-Request-Id", "algorithm": "uuidv7"})",
});

}  // namespace sluice::plugins
