// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "async/child.h"
#include "base/log.h"
#include "base/random.h"
#include "plugin/body_filter.h"
#include "plugin/exchange.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

enum class PathMode : std::uint8_t { replace, prefix };
inline json::Names enum_names(PathMode) {
  static constexpr std::string_view names[]{"replace", "prefix"};
  return names;
}

constexpr std::size_t body_bytes_max = 1 << 20;  // a longer body is not mirrored
constexpr std::size_t under_way_max = 256;       // mirrored requests of one plugin object on one worker
constexpr Duration patience = std::chrono::seconds(60);

// Requests that are being mirrored; they die with it.
class Mirrors final : public plugin::Local {
 public:
  explicit Mirrors(plugin::Worker& worker) : worker_(worker) {}

  void send(plugin::Outbound request) {
    std::erase_if(sending_, [](const auto& child) { return child->ended(); });
    if (sending_.size() >= under_way_max) {
      if (++dropped_ % 1000 == 1)
        log::warn("proxy-mirror: {} is too slow: {} requests were not mirrored so far", request.url,
                  dropped_);
      return;
    }
    sending_.push_back(std::make_unique<async::Child>());
    sending_.back()->start(deliver(std::move(request)));
  }

 private:
  async::Task<> deliver(plugin::Outbound request) {
    const std::string url = request.url;
    auto asking = worker_.ask(std::move(request));
    const auto answer = co_await asking;
    if (!answer) log::info("proxy-mirror: {}: {}", url, answer.error().what);
  }

  plugin::Worker& worker_;
  std::uint64_t dropped_ = 0;
  std::vector<std::unique_ptr<async::Child>> sending_;
};

}  // namespace

// Sends a copy of requests to another server, whose answers nobody sees. The request never waits for it: a
// copy with a streamed body leaves when the request has ended, and one that finds too many before it is
// dropped.
class ProxyMirror final : public plugin::Plugin {
 public:
  struct Config {
    std::string host, path;
    PathMode path_concat_mode = PathMode::replace;
    double sample_ratio = 1;

    void describe(json::Fields& field) {
      field("host", host, "Where copies go: http:// or https://, a host and maybe a port.")
          .required()
          .pattern(R"(^(http(s)?|grpc(s)?):\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?$)");
      field("path", path, "The path to ask for instead of the request's.").pattern(R"(^/[^?&]+$)");
      field("path_concat_mode", path_concat_mode,
            "Whether path stands instead of the request's, or before it.");
      field("sample_ratio", sample_ratio, "The share of requests that are copied, at random.")
          .range(0.00001, 1);
      field.open();
      if (field.reading())
        field.check(!host.starts_with("grpc"), "host",
                    "must begin with http:// or https://: gRPC is not mirrored");
    }
  };

  explicit ProxyMirror(Config config) : config_(std::move(config)) {}

  plugin::VerdictTask before_proxy(Exchange& x) const override {
    if (x.request.upgrade) return plugin::pass();
    if (config_.sample_ratio < 1 && thread_random().fraction() >= config_.sample_ratio) return plugin::pass();
    auto& copy = x.state<Copy>(*this);
    copy.request = question(x);
    if (x.request.body == nullptr) {
      x.local<Mirrors>(*this).send(std::move(copy.request));
    } else if (x.request.content_length <= static_cast<std::int64_t>(body_bytes_max)) {
      copy.body = x.arena.make<plugin::TeeBody>(*x.request.body, body_bytes_max + 1);
      x.request.body = copy.body;
    }
    return plugin::pass();
  }

  void log(Exchange& x) const override {
    auto* copy = x.existing_state<Copy>(*this);
    if (copy == nullptr || copy->body == nullptr) return;
    const std::string_view kept = copy->body->kept();
    const bool whole = copy->body->ended() || copy->body->whole();
    if (!whole || kept.size() > body_bytes_max) return;
    copy->request.body = kept;
    x.local<Mirrors>(*this).send(std::move(copy->request));
  }

 private:
  struct Copy {
    plugin::Outbound request;
    plugin::TeeBody* body = nullptr;
  };

  plugin::Outbound question(const Exchange& x) const {
    plugin::Outbound request;
    const std::string_view target = x.upstream.target.empty() ? x.request.target : x.upstream.target;
    const std::size_t mark = std::min(target.find('?'), target.size());
    request.method = x.upstream.method.empty() ? x.request.method : x.upstream.method;
    request.url = config_.host;
    if (config_.path.empty()) request.url += target;
    else
      request.url += config_.path +
                     std::string(config_.path_concat_mode == PathMode::prefix ? target : target.substr(mark));
    request.authority = x.upstream.host.empty() ? x.request.authority : x.upstream.host;
    request.timeout = patience;
    for (const auto& field : x.request.headers) {
      const bool own = (http::mask(field.id) & (http::hop_by_hop | http::mask(http::HeaderId::host,
                                                                              http::HeaderId::content_length,
                                                                              http::HeaderId::expect))) != 0;
      if (field.id == http::HeaderId::other || !own) request.headers.emplace_back(field.name, field.value);
    }
    return request;
  }

  Config config_;
};

extern constexpr plugin::PluginType proxy_mirror = plugin::plugin<ProxyMirror>({
    .name = "proxy-mirror",
    .summary = "Sends a copy of requests to another server, whose answers nobody sees.",
    .priority = 1010,
    .example = R"({"host": "http://127.0.0.1:9797", "sample_ratio": 0.5})",
});

}  // namespace sluice::plugins
